"""A pyscard-compatible shim over libpcsclite, for CPython and MicroPython's unix port.

The same names, shapes and constants as pyscard's `smartcard`; docs/pyscard.md says what is there
and what differs.  Works as `firmware.drivers.smartcard` and, with firmware/drivers on the path, as
`smartcard`.
"""
