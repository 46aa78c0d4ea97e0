"""A part that fails again and again takes nothing from the others: no open file, no thread."""

from __future__ import annotations

import gc
import os
import pty
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from firmware.channel import Reader
from firmware.drivers import hd44780, luma_panel, spi
from firmware.drivers.ccid_reader import open_ccid
from firmware.drivers.epp import EncryptingPad
from firmware.drivers.iso7816 import open_iso7816
from firmware.drivers.pinblock import BlockCipher
from firmware.drivers.pn532_reader import open_pn532
from firmware.drivers.thermal import ThermalPrinter
from firmware.drivers.uart import open_uart
from firmware.psam import cipher
from firmware.secret import Key

TIMES = 1000


def held() -> tuple[int, int]:
    """(open files, threads), after what an earlier test left for the collector has gone."""
    gc.collect()
    return len(os.listdir("/proc/self/fd")), threading.active_count()


def holds_no_more_than(before: tuple[int, int]) -> bool:
    """A thread that an earlier test left may end meanwhile; none may be added."""
    return all(now <= then for now, then in zip(held(), before, strict=True))


def fails(act: Callable[[], Any], times: int = TIMES) -> None:
    """Each time, and it holds no more after than before."""
    with pytest.raises(Exception):  # noqa: B017, PT011 - what is imported at the first use
        act()
    before = held()
    for _ in range(times):
        try:
            act()
        except Exception:
            continue
        pytest.fail("it did not fail")
    assert holds_no_more_than(before)


class DeadBus:
    """smbus2.SMBus on a bus where nobody answers; what it opened is open until it is closed."""

    def __init__(self, *_: Any):
        self.fd = os.open(os.devnull, os.O_RDWR)

    def _silent(self, *_: Any) -> None:
        raise OSError(121, "Remote I/O error")

    write_byte = write_byte_data = write_i2c_block_data = i2c_rdwr = _silent

    def close(self) -> None:
        os.close(self.fd)


def test_a_panel_of_letters_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("RPLCD.i2c.SMBus", DeadBus)
    monkeypatch.setattr("RPLCD.common.msleep", lambda _: None)
    panel = hd44780.Hd44780(hd44780.on_i2c(1, 0x27, 16, 4))
    fails(lambda: panel.show(["x" * 16] * 4))


def test_a_panel_of_letters_that_goes_while_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bus(DeadBus):
        def write_byte(self, *_: Any) -> None:
            pass

    class Letters(hd44780.Hd44780):
        def show_and_lose(self) -> None:
            self.show(["x" * 16] * 4)
            monkeypatch.setattr(Bus, "write_byte", DeadBus.write_byte)
            try:
                self.show(["y" * 16] * 4)
            finally:
                monkeypatch.setattr(Bus, "write_byte", lambda *_: None)

    monkeypatch.setattr("RPLCD.i2c.SMBus", Bus)
    for module in ("RPLCD.common", "RPLCD.i2c", "RPLCD.lcd"):
        for name in ("msleep", "usleep"):
            with suppress(AttributeError):
                monkeypatch.setattr(f"{module}.{name}", lambda _: None)
    fails(Letters(hd44780.on_i2c(1, 0x27, 16, 4)).show_and_lose, 20)


def test_a_panel_of_dots_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smbus2.SMBus", DeadBus)
    panel = luma_panel.LumaPanel("ssd1306", luma_panel.on_i2c(1, 0x3C))
    fails(lambda: panel.show(None))


def test_a_panel_of_dots_with_a_loose_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes back each time, and goes each time: nothing of the one before is kept."""
    is_loose = False

    class Bus(DeadBus):
        def _answers(self, *_: Any) -> None:
            if is_loose:
                self._silent()

        write_byte = write_byte_data = write_i2c_block_data = i2c_rdwr = _answers

    monkeypatch.setattr("smbus2.SMBus", Bus)
    panel = luma_panel.LumaPanel("ssd1306", luma_panel.on_i2c(1, 0x3C))
    pictures = [Image.new("1", (128, 64), each) for each in (0, 1)]

    def come_and_go() -> None:
        nonlocal is_loose
        is_loose = False
        panel.show(pictures[0])
        is_loose = True
        panel.show(pictures[1])

    fails(come_and_go, 20)
    gc.collect()
    assert sum(type(each).__name__ == "ssd1306" for each in gc.get_objects()) <= 1


def test_an_spi_bus_that_takes_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open
    monkeypatch.setattr(spi.os, "open", lambda _, flags: opened(os.devnull, flags))
    fails(lambda: spi.SpiDevice().open(0, 0))


def test_an_spi_bus_that_refuses_its_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """luma sets the speed last, and keeps nothing of what it has opened."""

    class Gpio:
        BCM, OUT, HIGH, LOW = 11, 0, 1, 0

        def setup(self, *_: Any, **__: Any) -> None: ...
        def output(self, *_: Any) -> None: ...

    opened = os.open
    monkeypatch.setattr(spi.os, "open", lambda _, flags: opened(os.devnull, flags))

    def ioctl(_handle: int, request: int, _value: bytes) -> None:
        if request == spi.WRITE_SPEED:
            raise OSError(22, "Invalid argument")

    monkeypatch.setattr(spi.fcntl, "ioctl", ioctl)
    monkeypatch.setattr(luma_panel, "RESET_S", 0)
    connect = luma_panel.on_spi("st7789", 0, 0, (24, 25), Gpio)
    panel = luma_panel.LumaPanel("st7789", connect)
    fails(lambda: panel.show(None), 200)


@pytest.mark.parametrize("scheme", ["serial", "file"])
def test_a_printer_that_is_gone(scheme: str, tmp_path: Path) -> None:
    fails(ThermalPrinter(f"{scheme}:{tmp_path}/printer", 9600, asks_paper=True).begin, 200)


def test_a_printer_that_takes_nothing() -> None:
    printer = ThermalPrinter("file:/dev/full", 9600, asks_paper=False)

    def print_one() -> None:
        printer.begin()
        try:
            printer.text("x" * 100, is_large=False, is_centred=False)
            printer.end(cuts=True)
        finally:
            printer.close()

    fails(print_one, 200)


@pytest.mark.parametrize("opened", [open_ccid, open_iso7816, open_pn532])
def test_a_reader_that_is_gone(opened: Callable[[str], Reader], tmp_path: Path) -> None:
    reader = opened(f"{tmp_path}/reader")
    fails(reader.cards_in_reach)
    fails(reader.power_on)
    reader.power_off()
    reader.close()


@pytest.mark.parametrize("opened", [open_ccid, open_iso7816, open_pn532])
def test_a_reader_whose_line_drops_at_each_use(opened: Callable[[str], Reader]) -> None:
    """The other end of the line hangs up; the device opens again each time."""
    ends: list[int] = []

    def hang_up() -> None:
        master, slave = pty.openpty()
        name = os.ttyname(slave)
        os.close(slave)
        ends.append(master)
        reader = opened(name)
        threading.Timer(0.001, lambda: os.close(ends.pop())).start()
        reader.power_on()

    before = held()
    for _ in range(30):
        with pytest.raises(Exception):  # noqa: B017, PT011
            hang_up()
    while threading.active_count() > before[1]:
        pass
    assert holds_no_more_than(before)


def test_a_pad_that_is_gone(tmp_path: Path) -> None:
    block = BlockCipher(cipher.AES_BLOCK, cipher.aes_encrypt, cipher.aes_decrypt)
    pad = EncryptingPad(
        lambda: open_uart(f"{tmp_path}/pad", 115200), Key(bytes(16)), 4, block, key_s=5
    )
    fails(lambda: pad.key(0.1, lambda: False))
    fails(lambda: pad.digits(0.1, lambda: False, lambda *_: None))
