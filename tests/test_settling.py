"""Pins over a library that debounces as RPi.GPIO does, or reports no edges (issue D item 5).

Over the real rpi-lgpio and a real gpiochip: test_gpio.py.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from firmware.drivers.gpio import GpioError, Pins, load_library
from tests.fake_gpio import FakeGpio
from tests.waiting import SOON_S, until

KEY, LED = 5, 17


@pytest.fixture(params=[True, False], ids=["edges", "polled"])
def library(request: pytest.FixtureRequest) -> FakeGpio:
    return FakeGpio(has_edges=request.param)


@pytest.fixture
def pins(library: FakeGpio) -> Iterator[Pins]:
    opened = Pins(lambda: library)
    yield opened
    opened.close()


def test_a_bounce_that_ends_where_the_library_is_deaf_still_counts(library, pins):
    key, changes = pins.input(KEY, debounce_ms=150), []
    key.on_change(changes.append)
    key.look()
    library.drive(KEY, 0)  # this edge is told
    library.drive(KEY, 1)  # these are not
    library.drive(KEY, 0)
    until(lambda: changes == [False], lambda: changes)
    assert key.value is False
    time.sleep(0.3)
    assert changes == [False]


def test_a_glitch_is_no_change(library, pins):
    key, changes = pins.input(KEY, debounce_ms=150), []
    key.on_change(changes.append)
    key.look()
    library.drive(KEY, 0)
    time.sleep(0.005)
    library.drive(KEY, 1)
    time.sleep(0.4)
    assert changes == []
    assert key.value is True


def test_a_level_whose_edge_got_lost_is_found_by_reading(pins, library):
    key = pins.input(KEY)
    assert key.value is True
    library.levels[KEY] = 0  # no edge was told
    until(lambda: key.value is False)


def test_waiting_for_a_level_ends_with_it_or_with_the_time(library, pins):
    key = pins.input(KEY)
    assert not key.wait(False, 0.05)
    library.drive(KEY, 0)
    assert key.wait(False, SOON_S)


def test_a_listener_that_fails_does_not_stop_the_others(library, pins, caplog):
    key, heard = pins.input(KEY), []
    key.on_change(lambda level: 1 // 0)
    key.on_change(heard.append)
    key.look()
    library.drive(KEY, 0)
    until(lambda: heard == [False])
    assert "pin 5" in caplog.text


def test_a_chip_that_comes_back_serves_again(library, pins):
    led, key = pins.output(LED), pins.input(KEY)
    library.is_broken = True
    for use in (led.on, lambda: key.value):
        with pytest.raises(GpioError, match="no such chip"):
            use()
    library.is_broken = False
    led.on()
    assert library.levels[LED] == 1
    assert key.value is True


def test_the_end_gives_all_pins_back_once(library):
    pins = Pins(lambda: library)
    pins.tone(22).start(440)
    pins.output(LED).on()
    pins.close()
    assert library.cleanups == 1
    assert library.tones[-1] == (22, 0)
    pins.close()
    assert library.cleanups == 1


def test_pins_that_nobody_uses_load_nothing():
    loaded = []
    pins = Pins(lambda: loaded.append(1))
    pins.input(KEY)
    pins.output(LED)
    pins.tone(22)
    pins.close()
    assert not loaded


def test_without_a_raspberry_pi_the_library_says_so():
    """Here there is no device tree: rpi-lgpio refuses to be imported, and that is no crash."""
    pins = Pins(lambda: load_library(None))
    with pytest.raises(GpioError, match=r"Raspberry Pi|gpiochip"):
        pins.output(LED).on()
    pins.close()


def test_two_that_need_the_library_at_once_leave_the_folder_as_it_was(monkeypatch, tmp_path):
    """A panel's thread and the pins': lgpio changes the folder of the process while it loads."""
    importing, loaded = threading.Lock(), []

    class Library(FakeGpio):
        def setwarnings(self, _: bool) -> None: ...
        def setmode(self, _: int) -> None: ...

    def import_module(_: str) -> Library:
        with importing:  # as Python's own lock for each module
            if not loaded:
                os.chdir(os.environ["LG_WD"])
                time.sleep(0.1)
                loaded.append(Library())
            return loaded[0]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("firmware.drivers.gpio.importlib.import_module", import_module)
    with ThreadPoolExecutor(3) as threads:
        found = [each.result() for each in [threads.submit(load_library, None) for _ in range(3)]]
    assert found == [loaded[0]] * 3
    assert Path.cwd() == tmp_path
    assert "LG_WD" not in os.environ


def test_a_chip_that_comes_and_goes_takes_no_memory(library, pins):
    key = pins.input(KEY, debounce_ms=1)
    for _ in range(20):
        key.look()
        library.is_broken = True
        with pytest.raises(GpioError):
            key.look()
        library.is_broken = False
    assert len(pins._settler._polled) <= 1


def test_a_chip_that_stays_away_fills_no_log(library, pins, caplog):
    key = pins.input(KEY, debounce_ms=1)
    key.look()
    library.is_broken = True
    library.drive(KEY, 0)
    time.sleep(0.3)
    assert len(caplog.records) <= 2
    library.is_broken = False
    until(lambda: key.value is False)
    library.is_broken = True
    library.drive(KEY, 1)
    until(lambda: len(caplog.records) > 1)
