"""A USB network adapter at the machine: some of its ports are reached at 127.0.0.1 here.

Nothing else goes in, and nothing goes out.  QEMU's own DHCP server gives it an address.
"""

from __future__ import annotations

from tests.machine.vm import Machine

USB_PORT = "3"
ADDRESS = "10.0.2.15"
"""What QEMU's server gives to the first that asks."""
ADDRESSED_S = 600.0


def plug_in(machine: Machine, here: int, there: int) -> None:
    """here, there: the TCP port of this computer that is that of the machine.  Ends when the
    machine has its address."""
    forward = [{"str": f"tcp:127.0.0.1:{here}-:{there}"}]
    machine.qmp("netdev_add", type="user", id="lan", restrict=True, hostfwd=forward)
    machine.qmp(
        "device_add", driver="usb-net", id="adapter", netdev="lan", bus="usb.0", port=USB_PORT
    )
    has_it = f"until grep -q {ADDRESS} /proc/net/fib_trie; do sleep 0.5; done"
    machine.must("sh", "-c", has_it, timeout_s=ADDRESSED_S)
