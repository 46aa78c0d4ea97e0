"""Pins of the header, through the RPi.GPIO API: rpi-lgpio over the kernel's gpiochip, or RPi.GPIO.

Pins are BCM numbers.  Nothing is opened before the first use of a pin; what cannot be had then
raises GpioError, and the next use tries again.  Which library there is, and its chip, are for the
whole process, so one `Pins` serves it (`open_pins`).

Both libraries report edges in a thread of their own, but debounce differently: rpi-lgpio lets the
kernel hold an edge back until the level stood, RPi.GPIO takes the first edge and is deaf for a
while.  So an edge only wakes the thread of settling.py, and the level it reads counts.
"""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from firmware.drivers.settling import Settler

log = logging.getLogger(__name__)

DEBOUNCE_MS = 20
_DUTY = 50  # percent
_loading = threading.Lock()  # environment and working directory are those of the process
_WHAT_TO_DO = (
    "no pin can be had: is this a Raspberry Pi, may this user open /dev/gpiochip* (group gpio), "
    "does another program hold the pin?"
)

_Part = TypeVar("_Part", "Input", "Output", "Tone")


class GpioError(OSError):
    """A pin cannot be had: no chip, no right to it, in use by somebody else, no library."""


def open_pins(chip: int | None = None) -> Pins:
    """The pins of the header.  chip: N of /dev/gpiochipN for rpi-lgpio; None: it finds the one."""
    return Pins(lambda: load_library(chip))


def load_library(chip: int | None) -> Any:
    """The module RPi.GPIO, in BCM mode.  Raises ImportError, RuntimeError and its own errors.

    From any thread: a panel has its own, and needs it as soon as the lamps.
    """
    with _loading:
        return _load_library(chip)


def _load_library(chip: int | None) -> Any:
    if chip is not None:
        os.environ["RPI_LGPIO_CHIP"] = str(chip)
    # lgpio makes a FIFO in LG_WD when it is imported, and changes the working directory to there.
    here = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    folder = tempfile.mkdtemp(prefix="ssc-gpio-")
    os.environ["LG_WD"] = folder
    try:
        library = importlib.import_module("RPi.GPIO")
    finally:
        os.fchdir(here)
        os.close(here)
        del os.environ["LG_WD"]
        shutil.rmtree(folder, ignore_errors=True)  # the FIFO is open already, or not needed
    library.setwarnings(False)
    library.setmode(library.BCM)
    return library


class Pins:
    """load: gives the library, ready in BCM mode."""

    def __init__(self, load: Callable[[], Any]):
        self._load = load
        self._library: Any = None
        self._lock = threading.RLock()
        self._used: list[Input | Output | Tone] = []
        self._settler = Settler()

    def input(self, pin: int, *, pull_up: bool = True, debounce_ms: int = DEBOUNCE_MS) -> Input:
        """pull_up: the chip's own resistor; False: to ground."""
        return self._keep(Input(self, self._settler, pin, pull_up, debounce_ms))

    def output(self, pin: int, *, is_on: bool = False) -> Output:
        """is_on: its level from the first use on, until it is switched."""
        return self._keep(Output(self, pin, is_on))

    def tone(self, pin: int) -> Tone:
        return self._keep(Tone(self, pin))

    def _keep(self, part: _Part) -> _Part:
        with self._lock:
            self._used.append(part)
        return part

    def ask(self, act: Callable[[Any], Any]) -> Any:
        """What act(library) gives.  One call at a time; raises GpioError for any fault of it."""
        with self._lock:
            try:
                if self._library is None:
                    self._library = self._load()
                return act(self._library)
            except ImportError as error:
                raise GpioError(f"{error}: make environment-hardware installs it") from error
            except Exception as error:  # each library has its own, and lgpio's derive from nothing
                raise GpioError(f"{type(error).__name__}: {error}; {_WHAT_TO_DO}") from error

    def close(self) -> None:
        """Every pin becomes an input again; the threads end."""
        self._settler.end()
        with self._lock:
            for part in self._used:
                part.release()
            library, self._library = self._library, None
            if library is not None:
                library.cleanup()


class Input:
    """One level, debounced.  True is high."""

    def __init__(self, pins: Pins, settler: Settler, pin: int, pull_up: bool, debounce_ms: int):
        self.pin = pin
        self.debounce_s = debounce_ms / 1000
        self.has_edges = True
        """False: this machine reports none, so the pin is polled."""
        self._pins = pins
        self._settler = settler
        self._pull_up = pull_up
        self._is_claimed = False
        self._settled: bool | None = None
        self._changed = threading.Condition()
        self._listeners: list[Callable[[bool], None]] = []

    @property
    def value(self) -> bool:
        """The level that stood last.  Raises GpioError."""
        self.look()
        return bool(self._settled)

    def look(self) -> None:
        """Claim the pin if need be, and notice a change whose edge got lost.  Raises GpioError."""
        if self.read() != self._settled:
            self._settler.touch(self)

    def on_change(self, listener: Callable[[bool], None]) -> None:
        """Call it with the new level after each change that stood, from the first look on; in the
        settling thread, so it must not wait."""
        self._listeners.append(listener)

    def wait(self, level: bool, timeout_s: float) -> bool:
        """Whether it has that level now or before the time is over.  Raises GpioError."""
        if self.value == level:
            return True
        with self._changed:
            return self._changed.wait_for(lambda: self._settled == level, timeout_s)

    # -- for the settling thread -----------------------------------------------------------------

    def read(self) -> bool:
        """The level at this moment.  Raises GpioError, and the next call claims the pin anew."""
        try:
            return bool(self._pins.ask(self._read))
        except GpioError:
            self._is_claimed = False
            raise

    def settle(self, level: bool) -> None:
        """That level stood: say so if it is a new one."""
        with self._changed:
            if level == self._settled:
                return
            self._settled = level
            self._changed.notify_all()
        for listener in self._listeners:
            try:
                listener(level)
            except Exception:
                log.exception("pin %d: whoever listens met a fault of its own", self.pin)

    def _read(self, library: Any) -> int:
        if not self._is_claimed:
            self._claim(library)
        level = int(library.input(self.pin))
        if self._settled is None:
            self._settled = bool(level)
        return level

    def _claim(self, library: Any) -> None:
        pull = library.PUD_UP if self._pull_up else library.PUD_DOWN
        library.setup(self.pin, library.IN, pull_up_down=pull)
        bounce_ms = max(1, round(self.debounce_s * 1000))
        try:
            library.add_event_detect(
                self.pin,
                library.BOTH,
                callback=lambda _pin: self._settler.touch(self),
                bouncetime=bounce_ms,
            )
        except RuntimeError as error:  # RPi.GPIO on a kernel without /sys/class/gpio
            log.warning("pin %d: no edges here, it is polled: %s", self.pin, error)
            self.has_edges = False
            self._settler.poll(self)
        time.sleep(self.debounce_s)  # the resistor charges the line, and what hangs on it
        self._is_claimed = True

    def release(self) -> None:
        self._is_claimed = False
        self._settled = None


class Output:
    def __init__(self, pins: Pins, pin: int, is_on: bool):
        self.pin = pin
        self.is_on = is_on
        self._pins = pins
        self._is_claimed = False

    def on(self) -> None:
        """Raises GpioError."""
        self.set(True)

    def off(self) -> None:
        """Raises GpioError."""
        self.set(False)

    def set(self, is_on: bool) -> None:
        """High or low.  Raises GpioError, and the next call claims the pin anew."""
        self.is_on = is_on
        try:
            self._pins.ask(self._write)
        except GpioError:
            self._is_claimed = False
            raise

    def _write(self, library: Any) -> None:
        if not self._is_claimed:
            library.setup(self.pin, library.OUT, initial=int(self.is_on))
            self._is_claimed = True
        library.output(self.pin, int(self.is_on))

    def release(self) -> None:
        self._is_claimed = False


class Tone:
    """A square wave, for a buzzer without an oscillator of its own."""

    def __init__(self, pins: Pins, pin: int):
        self.pin = pin
        self._pins = pins
        self._pwm: Any = None

    def start(self, hertz: int) -> None:
        """Until stop().  Raises GpioError."""

        def act(library: Any) -> None:
            if self._pwm is None:
                library.setup(self.pin, library.OUT, initial=0)
                self._pwm = library.PWM(self.pin, hertz)
            self._pwm.ChangeFrequency(hertz)
            self._pwm.start(_DUTY)

        self._pins.ask(act)

    def stop(self) -> None:
        """Raises GpioError."""
        if self._pwm is not None:
            self._pins.ask(lambda _library: self._pwm.stop())

    def release(self) -> None:
        if self._pwm is not None:
            self._pwm.stop()
            self._pwm = None
