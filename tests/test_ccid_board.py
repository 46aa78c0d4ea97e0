"""Issue D2 and D7: board.toml names a serial reader and a printer, and `--check` finds them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.__main__ import EXIT_BOARD, EXIT_FAULT, EXIT_OK, main
from simulator.ccid_device import CcidDevice
from simulator.entry import register_inprocess
from simulator.region import Region
from simulator.world import World
from tests.paper import NO_PAPER, Roll
from tests.rig import BOARD, TERMINAL

CONTACTLESS = '[[reader]]\nname = "contactless"\naddress = "sim:inprocess:test#contactless"\n'


@pytest.fixture
def device(tmp_path: Path) -> Iterator[CcidDevice]:
    world = World(Region("510100", seed="TEST"))
    register_inprocess("test", world)
    for slot, chip in (
        ("psam", world.region.issue_psam(terminal_number=TERMINAL)),
        ("user", world.region.issue_card(1)),
    ):
        world.insert(slot, chip.label)
    slots = [world.slot("user"), world.slot("psam")]
    with CcidDevice(tmp_path / "reader", slots) as made:
        yield made


def check(folder: Path, roll: Roll | None = None, model: str = "") -> int:
    text = BOARD.replace(CONTACTLESS + 'kind = "contactless"\n', "")
    for slot, old in enumerate(("sim:inprocess:test#user", "sim:inprocess:test#psam")):
        text = text.replace(old, f"ccid:{folder}/reader#{slot}{model}")
    if roll is not None:
        text += f'[printer]\naddress = "{roll.address}"\n'
    (folder / "board.toml").write_text(text)
    return main(["--board", str(folder / "board.toml"), "--check"])


def test_d2_check_finds_card_psam_and_printer(
    tmp_path: Path, device: CcidDevice, capsys: Any
) -> None:
    with Roll() as roll:
        assert check(tmp_path, roll) == EXIT_OK
    told = capsys.readouterr().out
    assert "a card, historical bytes" in told
    assert f"PSAM {TERMINAL}, valid until" in told
    assert "has paper" in told


def test_d2_check_finds_a_reader_unplugged(tmp_path: Path, device: CcidDevice, capsys: Any) -> None:
    device.unplug()
    assert check(tmp_path) == EXIT_FAULT
    lines = [each for each in capsys.readouterr().out.splitlines() if "NOT" in each]
    assert len(lines) == 2
    assert all("check the cable" in each for each in lines)


def test_d7_check_finds_a_printer_without_paper(
    tmp_path: Path, device: CcidDevice, capsys: Any
) -> None:
    with Roll() as roll:
        roll.status = NO_PAPER
        assert check(tmp_path, roll) == EXIT_FAULT
    (line,) = [each for each in capsys.readouterr().out.splitlines() if "NOT" in each]
    assert "no paper" in line


def test_d2_a_model_that_is_none_is_the_boards_fault(
    tmp_path: Path, device: CcidDevice, capsys: Any
) -> None:
    assert check(tmp_path, model="?other") in (EXIT_BOARD, EXIT_FAULT)
    assert "gempc, sec1210, apdu" in "".join(capsys.readouterr())
