"""The simulator's encrypting pad at a USB serial adapter of the machine (FTDI), /dev/ttyUSB0.

QEMU cannot save a machine that has one, so it is plugged in while the machine runs.
"""

from __future__ import annotations

from simulator.epp_device import EppDevice
from tests.machine.vm import Machine

KEY = bytes(range(16))
PORT = "4"
DEVICE = "/dev/ttyUSB0"


def plug_in(machine: Machine, device: EppDevice) -> None:
    """Until the machine ends, or pull_out()."""
    backend = {"type": "serial", "data": {"device": device.path}}
    machine.qmp("chardev-add", id="pad", backend=backend)
    machine.qmp(
        "device_add", driver="usb-serial", id="pad", chardev="pad", bus="usb.0", port=PORT,
        **{"always-plugged": True},
    )  # fmt: skip


def pull_out(machine: Machine) -> None:
    machine.qmp("device_del", id="pad")
    machine.wait_event("DEVICE_DELETED", device="pad")
    machine.qmp("chardev-remove", id="pad")
