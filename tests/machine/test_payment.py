"""Issue "The technician": the image starts in QEMU and takes a payment through its own daemons; a
card pulled out, a reader unplugged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import COUNTED
from tests.machine.conftest import States
from tests.machine.unit import Unit

At = Callable[[Path], Unit]
RESTORED_S = 2.0


def test_a_saved_machine_goes_on(states: States, at: At, record_property) -> None:
    """READY at once, its clock right, the journal it had: a case costs seconds, not a boot."""
    unit = at(states.ready)
    record_property(
        COUNTED, f"went on after {unit.machine.up_s:.1f} s (wanted: under {RESTORED_S})"
    )
    assert unit.call("status")["display"]["id"] == "READY"
    assert unit.machine.must("cat", "/proc/sys/kernel/random/boot_id")


def test_a_payment_through_the_images_own_daemons(states: States, at: At) -> None:
    """Two CCID readers, the PIN from an encrypting pad, the batch over a serial line."""
    unit = at(states.ready)
    unit.insert()
    told = unit.sscterm("purchase", "ORDER-1", "--account", "10.00", "--operator", "07")
    assert told["state"] == "DONE", told
    unit.remove()
    unit.pull()
    unit.check_money(1)


def test_the_system_is_verified_and_read_only(states: States, at: At) -> None:
    unit = at(states.ready)
    assert "/dev/mapper/system / ext4 ro" in unit.machine.must("cat", "/proc/mounts")
    assert unit.machine.run("touch", "/usr/x").status != 0
    assert "verity" in unit.machine.must("dmsetup", "table", "system")


def test_nothing_in_the_image_failed_to_start(states: States, at: At) -> None:
    unit = at(states.ready)
    assert unit.machine.must("systemctl", "--failed", "--plain", "--no-legend") == ""
