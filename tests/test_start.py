"""`python -m firmware`: what it refuses to start with, and `--check`; exit status and words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from firmware.__main__ import EXIT_BOARD, EXIT_FAULT, EXIT_OK, main
from simulator.entry import register_inprocess
from simulator.region import Region
from simulator.world import World
from tests.rig import BOARD, TERMINAL


@pytest.fixture
def world() -> World:
    """What BOARD's addresses lead to."""
    found = World(Region("510100", seed="TEST"))
    register_inprocess("test", found)
    return found


def board(folder: Path, **edit: str) -> str:
    text = BOARD
    for old, new in edit.items():
        assert old in text
        text = text.replace(old, new)
    path = folder / "board.toml"
    path.write_text(text)
    return str(path)


def run(*arguments: str) -> int:
    return main(["--board", *arguments])


BROKEN = [
    ("[clock]\n", "[clock]\nrtcc = true\n", "clock.rtcc", "[clock]"),
    ('id = "TEST-UNIT"', "id = 5", "unit.id", 'id = "TEST-UNIT"'),
    ('"sim:inprocess:test#psam"', '"usb:1"', "psam.address", "[psam]"),
    ('address = "sim:inprocess:test#user"', 'address = "usb:1"', "reader[0].address", "[[reader]]"),
]


@pytest.mark.parametrize(("old", "new", "key", "near"), BROKEN)
@pytest.mark.parametrize("more", [[], ["--check"], ["--only", "uplink"]])
def test_a_broken_board_does_not_start_and_names_key_and_line(
    tmp_path: Path, capsys: Any, old: str, new: str, key: str, near: str, more: list[str]
) -> None:
    path = board(tmp_path, **{old: new})
    assert run(path, *more) == EXIT_BOARD
    told = capsys.readouterr().err
    assert "604 BOARD_REFUSED" in told
    assert key.replace("[0]", "") in told.replace("[0]", "").replace("[1]", "")
    first = BOARD[: BOARD.index(near)].count("\n") + 1
    assert any(f"line {first + n}" in told for n in range(4))
    assert not (tmp_path / "data").exists()


def test_a_board_that_is_not_there_is_named(tmp_path: Path, capsys: Any) -> None:
    assert run(str(tmp_path / "none.toml")) == EXIT_BOARD
    assert "none.toml" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["uart:/dev/null", "sim:nowhere", "sim:inprocess:other#pad"])
def test_an_address_that_no_driver_takes_leaves_no_trace_in_the_journal(
    tmp_path: Path, world: World, capsys: Any, address: str
) -> None:
    path = board(tmp_path, **{'"sim:inprocess:test#pad"': f'"{address}"'})
    assert run(path) == EXIT_BOARD
    assert "604 BOARD_REFUSED" in capsys.readouterr().err
    assert not (tmp_path / "data" / "journal.db").exists()


def test_a_device_key_that_others_can_read_is_refused(
    tmp_path: Path, world: World, capsys: Any
) -> None:
    (tmp_path / "data").mkdir()
    key = tmp_path / "data" / "device.key"
    key.write_bytes(bytes(32))
    key.chmod(0o644)
    assert run(board(tmp_path)) == EXIT_FAULT
    told = capsys.readouterr().err
    assert "608 DEVICE_KEY_REFUSED" in told
    assert "enrol the unit again" in told


def test_a_data_folder_that_cannot_be_made_is_told(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "data").write_text("a file")
    assert run(board(tmp_path)) == EXIT_FAULT
    assert "699 UNIT_FAULT" in capsys.readouterr().err


# -- --check --------------------------------------------------------------------------------------


def test_check_says_what_is_attached(tmp_path: Path, world: World, capsys: Any) -> None:
    psam = world.region.issue_psam(terminal_number=TERMINAL)
    world.insert("psam", psam.label)
    card = world.region.issue_card(1)
    world.insert("user", card.label)
    assert run(board(tmp_path), "--check") == EXIT_OK
    told = capsys.readouterr().out
    assert "unit TEST-UNIT" in told
    assert f"PSAM {TERMINAL}, valid until" in told
    assert "a card, historical bytes" in told
    assert "no card" in told
    assert "NOT" not in told
    assert not (tmp_path / "data").exists(), "it only looks"


def test_check_without_a_psam(tmp_path: Path, world: World, capsys: Any) -> None:
    assert run(board(tmp_path), "--check") == EXIT_FAULT
    (line,) = [each for each in capsys.readouterr().out.splitlines() if "NOT" in each]
    assert "psam" in line


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"terminal_number": "510100000009"}, f"board.toml names {TERMINAL}"),
        ({"terminal_number": TERMINAL, "expiry": "20200101"}, "not valid on"),
    ],
)
def test_check_finds_a_psam_that_cannot_serve(
    tmp_path: Path, world: World, capsys: Any, how: dict[str, str], said: str
) -> None:
    world.insert("psam", world.region.issue_psam(**how).label)
    assert run(board(tmp_path), "--check") == EXIT_FAULT
    assert said in capsys.readouterr().out


def test_check_finds_a_psam_of_another_region(tmp_path: Path, world: World, capsys: Any) -> None:
    world.insert("psam", world.region.issue_psam(terminal_number="440100000001").label)
    path = board(tmp_path, **{f'terminal_number = "{TERMINAL}"\n': ""})
    assert run(path, "--check") == EXIT_FAULT
    assert "not of region 510100" in capsys.readouterr().out


@pytest.mark.parametrize("address", ["sim:{}/no.sock#user", "pcsc:No such reader *"])
def test_check_without_a_simulator_or_reader(tmp_path: Path, capsys: Any, address: str) -> None:
    found = address.format(tmp_path)
    path = board(
        tmp_path,
        **{
            "sim:inprocess:test#user": found,
            "sim:inprocess:test": f"sim:{tmp_path}/no.sock",
        },
    )
    assert run(path, "--check") == EXIT_FAULT
    lines = capsys.readouterr().out.splitlines()
    assert [each for each in lines if found in each and "NOT" in each]


def test_check_does_not_touch_the_devices_of_a_running_terminal(
    tmp_path: Path, world: World, capsys: Any
) -> None:
    """Its look at the PSAM would reset it in the middle of a payment."""
    import fcntl

    (tmp_path / "data").mkdir()
    handle = os.open(tmp_path / "data", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        assert run(board(tmp_path), "--check") == EXIT_FAULT
    finally:
        os.close(handle)
    assert "stop it first" in capsys.readouterr().err
