"""`--check` speaks of every part that board.toml names, one line each, in a technician's words."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest

from firmware import attached, board, parts
from firmware.channel import Reader
from firmware.drivers.gpio import Pins
from firmware.outcome import TransportError
from tests.fake_gpio import FakeGpio
from tests.rig import BOARD

ALL = """
[display]
[display.panel]
kind = "{kind}"
bus = "{bus}"
pins = {pins}
[printer]
address = "serial:/dev/no-such-printer"
[pins]
card_led = 4
tamper = 26
"""
MATRIX = """
[pad]
address = "gpio:matrix"
rows = [5, 6, 12, 13]
columns = [16, 17, 22]
keys = ["1 2 3", "4 5 6", "7 8 9", "cancel 0 confirm"]
"""


def away(part: object) -> Reader:
    raise TransportError("not attached\nat all")


def told(capsys: Any, library: Any, kind: str, bus: str, pins: str = "[]") -> dict[str, str]:
    """Name of a part -> its line, without the readers."""
    before, _, after = BOARD.partition('[pad]\naddress = "sim:inprocess:test#pad"\n')
    more = MATRIX + ALL.format(kind=kind, bus=bus, pins=pins)
    loaded = board.parse(before + after + more, "/unit/board.toml")
    header = Pins(library)
    assert attached.check(loaded, away, parts.looks(loaded, header)) == 1
    header.close()
    lines = capsys.readouterr().out.splitlines()[1:]
    assert len(lines) == len(loaded.readers) + 5, "one line a part"
    return {each.split()[1]: each for each in lines}


def test_every_part_has_a_line(capsys: Any) -> None:
    library = FakeGpio()
    library.levels[26] = 0
    lines = told(capsys, lambda: library, "ssd1306", "i2c:99")
    assert "not attached at all" in lines["psam"]
    assert "ok   pad" in lines["pad"]
    assert "its pins answer" in lines["pad"]
    assert "NOT  panel" in lines["panel"]
    assert "ssd1306 i2c:99" in lines["panel"]
    assert "not found: /dev/i2c-99" in lines["panel"]
    assert "NOT  printer" in lines["printer"]
    assert "No such file or directory: check its cable" in lines["printer"]
    assert "ok   pins         card_led 4, tamper 26" in lines["pins"]
    assert "card_led on for 0.4 s, the case is shut" in lines["pins"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (RuntimeError("This module can only be run on a Raspberry Pi!"), "group gpio"),
        (ModuleNotFoundError("No module named 'RPi'"), "make environment-hardware"),
    ],
)
def test_pins_that_cannot_be_had_are_told_at_pad_panel_and_pins(
    capsys: Any, fault: Exception, said: str
) -> None:
    def load() -> Any:
        raise fault

    lines = told(capsys, load, "hd44780-16x4", "gpio", "[0, 1, 7, 8, 9, 10]")
    for name in ("pad", "panel", "pins"):
        assert "NOT" in lines[name]
        assert said in lines[name]


def test_a_package_that_is_not_installed_is_named(
    capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = builtins.__import__

    def bare(name: str, *more: Any) -> Any:
        if name.partition(".")[0] in ("luma", "escpos", "smbus2"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return usual(name, *more)

    monkeypatch.setattr(builtins, "__import__", bare)
    lines = told(capsys, FakeGpio, "sh1106", "i2c:1")
    assert "'luma" in lines["panel"]
    assert "make environment-hardware" in lines["panel"]


def test_a_reader_on_i2c_without_its_package_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the daemon goes on: it is a TransportError like any other."""
    from firmware.drivers.i2c import open_i2c

    monkeypatch.setitem(__import__("sys").modules, "smbus2", None)
    with pytest.raises(TransportError, match="make environment-hardware"):
        open_i2c("/dev/i2c-1", 0x24)


def test_the_panel_is_written_to(capsys: Any, tmp_path: Path, monkeypatch: Any) -> None:
    drawn: list[list[str]] = []
    monkeypatch.setattr(
        "firmware.drivers.hd44780.Hd44780.show", lambda self, lines: drawn.append(lines)
    )
    lines = told(capsys, FakeGpio, "hd44780-20x2", "i2c:1")
    assert "ok   panel" in lines["panel"]
    assert "answers: look whether all of the message STOPPED" in lines["panel"]
    assert drawn[0][0].startswith("Stopped")
