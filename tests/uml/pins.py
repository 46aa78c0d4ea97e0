"""firmware/drivers/gpio.py over rpi-lgpio over the kernel's own gpiochip: runs inside UML."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from firmware.drivers.gpio import GpioError, Pins, open_pins
from firmware.drivers.gpio_lines import GpioLines
from firmware.drivers.lines import Lines
from firmware.outcome import TransportError
from tests.uml.board import level, pull, until

KEY, LED, BUZZER, DETECT, POWER, RESET = 5, 17, 22, 23, 24, 25


@contextlib.contextmanager
def pins() -> Iterator[Pins]:
    opened = open_pins()
    try:
        yield opened
    finally:
        opened.close()


def check_library() -> str:
    """What these checks ran on, and that the folder the daemon stands in is still its own."""
    with pins() as header:
        header.input(KEY).read()
        library = sys.modules["RPi.GPIO"]
        assert os.getcwd() == "/run"
        assert not [each for each in os.listdir("/run") if "lgd" in each or "ssc-gpio" in each]
        release = os.uname().release
        return f"{library.__name__} {library.VERSION} over {library.lgpio.__name__}, {release}"


def check_an_input_reads_its_level() -> None:
    with pins() as header:
        key = header.input(KEY)
        pull(KEY, True)
        assert key.value is True
        pull(KEY, False)
        assert key.wait(False, 10)
        assert key.value is False


def check_the_chip_pulls_an_input() -> None:
    """Nothing at the pin: its own resistor decides (a broken wire of the tamper switch)."""
    with pins() as header:
        up, down = header.input(KEY), header.input(DETECT, pull_up=False)
        assert up.value is True
        assert down.value is False


def check_a_bouncing_contact_is_one_change() -> str:
    pull(KEY, True)
    with pins() as header:
        key, changes = header.input(KEY, debounce_ms=150), []
        key.on_change(changes.append)
        key.look()
        for _ in range(6):  # 12 edges, less than the debounce time apart
            pull(KEY, False)
            time.sleep(0.002)
            pull(KEY, True)
            time.sleep(0.002)
        pull(KEY, False)
        assert until(lambda: key.value is False), changes  # read: an edge may get lost
        time.sleep(0.4)
        assert changes == [False], changes
        assert key.has_edges
        return f"{changes}"


def check_a_glitch_is_no_change() -> None:
    pull(KEY, True)
    with pins() as header:
        key, changes = header.input(KEY, debounce_ms=300), []
        key.on_change(changes.append)
        key.look()
        pull(KEY, False)
        time.sleep(0.005)
        pull(KEY, True)
        time.sleep(0.8)
        assert changes == [], changes
        assert key.value is True


def check_a_press_and_its_release() -> str:
    """And how long after the contact it is known."""
    pull(KEY, True)
    with pins() as header:
        key, changes = header.input(KEY), []
        key.on_change(changes.append)
        key.look()
        began = time.monotonic()
        pull(KEY, False)
        assert until(lambda: changes == [False])
        took = time.monotonic() - began
        pull(KEY, True)
        assert until(lambda: changes == [False, True]), changes
        return f"{took * 1000:.0f} ms"


def check_noise_takes_no_memory_and_ends() -> str:
    """A contact that never stands still: each pin waits once, and its level counts in the end."""
    pull(KEY, True)
    with pins() as header:
        key, other = header.input(KEY, debounce_ms=5), header.input(DETECT)
        key.on_change(lambda _level: None)
        key.look()
        stop = threading.Event()

        def rattle() -> None:
            is_high = False
            while not stop.is_set():
                pull(KEY, is_high)
                is_high = not is_high

        noise = threading.Thread(target=rattle)
        noise.start()
        pull(DETECT, True)
        assert other.wait(True, 10)
        pull(DETECT, False)
        assert other.wait(False, 10), "noise on one pin kept another waiting"
        queued = key._settler._touched.qsize()
        stop.set()
        noise.join()
        pull(KEY, False)
        assert key.wait(False, 10)
        assert queued <= 2, queued
        return f"{queued} queued"


def check_an_output_switches() -> None:
    with pins() as header:
        led = header.output(LED)
        led.on()
        assert level(LED) == 1
        led.off()
        assert level(LED) == 0


def check_a_buzzer_sounds() -> str:
    """RPi.GPIO's PWM: the pin swings until it is stopped, and is low afterwards."""
    with pins() as header:
        buzzer = header.tone(BUZZER)
        rates = []
        for hertz in (100, 250):
            buzzer.start(hertz)
            changes, before, began = 0, 0, time.monotonic()
            while changes < 60 and time.monotonic() < began + 10:
                now = level(BUZZER)
                changes += now != before
                before = now
            took_s = time.monotonic() - began
            buzzer.stop()
            assert changes == 60, f"{changes} changes in {took_s:.1f} s at {hertz} Hz"
            rates.append(changes / 2 / took_s)
            time.sleep(0.05)
            assert not any(level(BUZZER) for _ in range(100))
        return "100 and 250 Hz are seen as " + " and ".join(f"{each:.0f} Hz" for each in rates)


def check_a_pin_of_somebody_else_comes_back() -> None:
    """In use by another process: an error of ours, and as soon as it is free the pin works."""
    held = (
        "import lgpio, sys; chip = lgpio.gpiochip_open(0);"
        f"lgpio.gpio_claim_output(chip, {LED}); print('held', flush=True); sys.stdin.read()"
    )
    with (
        subprocess.Popen(
            [sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as other,
        pins() as header,
    ):
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline().strip() == "held"
        led = header.output(LED)
        for _ in range(2):
            with pytest.raises(GpioError, match="busy"):
                led.on()
        other.stdin.close()
        other.wait(5)
        led.on()
        assert level(LED) == 1


def check_close_gives_the_pins_back() -> None:
    with pins() as header:
        header.output(LED).on()
        header.input(KEY).look()
        assert level(LED) == 1
    assert level(LED) == 0, "an output is an input again, and the world pulls it low"
    with pins() as header:
        led = header.output(LED)
        led.on()
        assert level(LED) == 1


def check_a_chip_that_is_not_there() -> None:
    header = open_pins(7)
    try:
        for _ in range(2):
            with pytest.raises(GpioError, match="gpiochip"):
                header.output(LED).on()
    finally:
        header.close()
        del os.environ["RPI_LGPIO_CHIP"]


def check_the_lines_of_a_slot() -> None:
    with pins() as header:
        lines: Lines = GpioLines(header, power_pin=POWER, reset_pin=RESET, detect_pin=DETECT)
        pull(DETECT, True)
        assert lines.has_card() is False
        pull(DETECT, False)
        assert until(lambda: lines.has_card() is True)
        lines.reset(True)
        lines.power(True)
        assert (level(POWER), level(RESET)) == (1, 0)
        lines.reset(False)
        assert (level(POWER), level(RESET)) == (1, 1)
        lines.power(False)
        assert level(POWER) == 0


def check_lines_that_are_not_wired() -> None:
    with pins() as header:
        lines: Lines = GpioLines(header)
        assert lines.has_card() is None
        lines.power(True)
        lines.reset(True)
        assert header._library is None, "a slot without pins needs no chip"


def check_lines_without_a_chip_are_a_transport_error() -> None:
    header = open_pins(7)
    try:
        with pytest.raises(TransportError, match="gpiochip"):
            GpioLines(header, detect_pin=DETECT).has_card()
    finally:
        header.close()
        del os.environ["RPI_LGPIO_CHIP"]
