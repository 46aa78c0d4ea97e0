"""Issue "The technician": the hardware watchdog starts a unit again that hangs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.machine.conftest import States
from tests.machine.unit import Unit

WATCHDOG = (
    "busctl", "set-property", "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
    "org.freedesktop.systemd1.Manager", "RuntimeWatchdogUSec", "t",
)  # fmt: skip
At = Callable[[Path], Unit]


def test_a_kernel_that_hangs_is_started_again_by_the_watchdog(states: States, at: At) -> None:
    """With the time that the image sets; then the board starts, with the journal that was there."""
    unit = at(states.ready)
    unit.insert()
    assert unit.pay("ORDER-1")["state"] == "DONE"
    unit.remove()
    settings = unit.machine.must("cat", "/etc/systemd/system.conf.d/sscterm.conf")
    assert "\nRuntimeWatchdogSec=15s\n" in settings
    unit.machine.must(*WATCHDOG, "15000000")
    unit.machine.must("sh", "-c", "echo 0 >/proc/sys/kernel/panic")  # that would start it again
    unit.hang()
    assert unit.machine.wait_event("WATCHDOG")["action"] == "reset"
    unit.machine.wait_off()
    unit.release()

    unit.start()
    unit.wait_ready()
    unit.insert()
    assert unit.pay("ORDER-2")["state"] == "DONE"
    unit.remove()
    unit.pull()
    unit.check_money(2)


def test_a_kernel_that_panics_starts_again_by_itself(states: States, at: At) -> None:
    """As it does for a block of the system that is not what its hash says."""
    unit = at(states.ready)
    unit.hang()
    assert unit.machine.wait_event("SHUTDOWN")["reason"] == "guest-reset"
    unit.machine.wait_off()
