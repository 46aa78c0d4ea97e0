"""A pytest plugin (-p): `smartcard` is the shim, before any test of pyscard's is imported."""

from firmware.drivers.smartcard import install

install()
