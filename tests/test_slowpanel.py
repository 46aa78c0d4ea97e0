"""A panel on a bus: no payment waits for it, only the newest message is drawn, it comes back."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from firmware.display.screen import Display
from firmware.display.slowpanel import SlowPanel
from tests.waiting import until

DEADLINE_S = 10.0


class Device:
    """Keeps what it was shown; may be slow, or broken."""

    def __init__(self) -> None:
        self.shown: list[Any] = []
        self.broken: Exception | None = None
        self.free = threading.Event()
        self.free.set()
        self.is_busy = threading.Event()

    def show(self, picture: Any) -> None:
        self.is_busy.set()
        assert self.free.wait(DEADLINE_S)
        self.is_busy.clear()
        if self.broken is not None:
            raise self.broken
        self.shown.append(picture)


@pytest.fixture
def device() -> Device:
    return Device()


def test_a_payment_does_not_wait_and_only_the_newest_is_drawn(device: Device) -> None:
    display = Display([SlowPanel(lambda shown: [shown.id], device.show)])
    device.free.clear()
    display.show("INSERT_CARD")
    assert device.is_busy.wait(DEADLINE_S)
    for name in ("READING_CARD", "WORKING_LEAVE_CARD", "TAKE_CARD"):
        display.show(name)
    device.free.set()
    until(lambda: device.shown[-1:] == ["TAKE_CARD"])
    assert device.shown == ["INSERT_CARD", "TAKE_CARD"]


def test_pictures_of_one_message_stand_in_turn_until_the_next_one(device: Device) -> None:
    panel = SlowPanel(lambda shown: [shown.id, f"{shown.id} en"], device.show, turn_s=0.005)
    display = Display([panel])
    display.show("READY")
    until(lambda: len(device.shown) >= 5)
    assert device.shown[:5] == ["READY", "READY en", "READY", "READY en", "READY"]
    display.show("TAKE_CARD")
    until(lambda: "TAKE_CARD en" in device.shown)
    after = device.shown[device.shown.index("TAKE_CARD") :]
    assert {each.removesuffix(" en") for each in after} == {"TAKE_CARD"}
    display.close()


def test_one_picture_is_drawn_once(device: Device) -> None:
    display = Display([SlowPanel(lambda shown: [shown.id], device.show, turn_s=0.001)])
    display.show("READY")
    until(lambda: device.shown == ["READY"])
    time.sleep(0.05)
    assert device.shown == ["READY"]


def test_a_panel_that_was_unplugged_comes_back_and_shows_what_stands_now(device: Device) -> None:
    device.broken = OSError(121, "Remote I/O error")
    display = Display([SlowPanel(lambda shown: [shown.id], device.show, retry_s=0.005)])
    display.show("INSERT_CARD")
    until(lambda: not device.is_busy.is_set())
    until(lambda: bool(display.show("READING_CARD") or display.faults))
    assert display.faults == {"SlowPanel": "OSError: [Errno 121] Remote I/O error"}
    device.broken = None
    until(lambda: device.shown == ["READING_CARD"])
    display.show("TAKE_CARD")
    assert display.faults == {}, "a panel that works again has no fault"


def test_a_fault_that_is_told_again_and_again_takes_no_memory(device: Device) -> None:
    """Each raise would add to its traceback, and keep what was shown alive with it."""
    device.broken = OSError("gone")
    panel = SlowPanel(lambda shown: [shown.id], device.show, retry_s=DEADLINE_S)
    panel.draw(_shown())
    until(lambda: panel._fault is not None)
    device.free.clear()  # it hangs now, and the fault stands
    for _ in range(100):
        with pytest.raises(OSError, match="gone"):
            panel.draw(_shown())
    depth, at = 0, device.broken.__traceback__
    while at is not None:
        depth, at = depth + 1, at.tb_next
    device.free.set()
    panel.close()
    assert depth < 10


def test_a_message_that_cannot_be_composed_is_a_fault_and_the_next_is_drawn(
    device: Device,
) -> None:
    def compose(shown: Any) -> list[str]:
        if shown.id == "READY":
            raise ValueError("no such glyph")
        return [shown.id]

    display = Display([SlowPanel(compose, device.show)])
    display.show("READY")
    display.show("TAKE_CARD")
    until(lambda: device.shown == ["TAKE_CARD"])


def test_the_last_message_stands_when_the_unit_has_stopped(device: Device) -> None:
    display = Display([SlowPanel(lambda shown: [shown.id], device.show)])
    for _ in range(20):
        display.show("READY")
    display.show("STOPPED")
    display.close()
    assert device.shown[-1] == "STOPPED"
    display.show("READY")
    assert device.shown[-1] == "STOPPED", "what comes after is not drawn"


def test_a_panel_that_hangs_does_not_keep_the_unit_from_ending(device: Device) -> None:
    panel = SlowPanel(lambda shown: [shown.id], device.show)
    device.free.clear()
    panel.draw(_shown())
    begun = time.monotonic()
    panel.close(deadline_s=0.05)
    assert time.monotonic() - begun < DEADLINE_S / 2
    device.free.set()


def _shown() -> Any:
    display = Display([])
    display.show("READY")
    return display.current
