"""Issue 5.2: a bundle that came over a link is installed only if the office announced it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firmware.board import load
from tests.test_daemon import Stand
from tools.door import incoming
from tools.update import announced
from tools.update.card import socket_of
from tools.update.places import Places

WORDS = b"a bundle, in small"
SAID = {
    "update": "1.2.0",
    "update_sha256": hashlib.sha256(WORDS).hexdigest(),
    "update_size": len(WORDS),
}
TOLD = {"result": {"office": SAID}}


def test_the_card_process_is_asked_where_board_toml_says(tmp_path: Path) -> None:
    made = Stand(tmp_path)
    usual = Places(board=tmp_path / "none", socket=tmp_path / "usual")
    assert socket_of(Places(board=made.board)) == load(made.board).host.socket == made.socket
    assert socket_of(usual) == tmp_path / "usual"


class Unit:
    """rauc is played: `installed` holds what it was given."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        self.places = Places(incoming=folder / "incoming", board=folder / "none")
        self.bundle = folder / "down.raucb"
        self.bundle.write_bytes(WORDS)
        self.installed: list[bytes] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.ends = 0
        self._patch = monkeypatch
        monkeypatch.setattr(announced, "from_environment", lambda: self.places)
        monkeypatch.setattr(incoming, "KEPT_FREE", 0)
        monkeypatch.setattr(subprocess, "run", self._rauc)

    def _rauc(self, command: list[str], **how: Any) -> None:
        self.meanwhile()
        self.installed.append(Path(command[-1]).read_bytes())
        if self.ends:
            raise subprocess.CalledProcessError(self.ends, "rauc")

    def install(self, answer: Any = TOLD) -> int:
        """The exit status; whatever happened, nothing is left behind."""
        self._patch.setattr(announced, "ask", lambda path, method, params: answer)
        self._patch.setattr(sys, "argv", ["announced", str(self.bundle)])
        status = announced.main()
        assert not self.places.incoming.exists() or list(self.places.incoming.iterdir()) == []
        return status


@pytest.fixture
def unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Unit:
    return Unit(tmp_path, monkeypatch)


def test_the_announced_bundle_is_installed(unit: Unit) -> None:
    assert unit.install() == 0
    assert unit.installed == [WORDS]
    unit.ends = 1
    assert unit.install() == 1


@pytest.mark.parametrize("words", [WORDS[:-1], WORDS[:-1] + b"L", b"", WORDS + b"."])
def test_another_file_is_not(unit: Unit, words: bytes) -> None:
    unit.bundle.write_bytes(words)
    assert unit.install() == 1
    assert unit.installed == []


def test_one_exchanged_after_it_was_compared_is_not_what_is_installed(unit: Unit) -> None:
    """The folder is the uplink user's: by name, or through a descriptor it held before."""
    held = os.open(unit.bundle, os.O_RDWR)
    other = unit.bundle.with_name("other")
    other.write_bytes(b"another bundle, signed as well")
    unit.meanwhile = lambda: (os.pwrite(held, b"X" * len(WORDS), 0), other.rename(unit.bundle))
    try:
        assert unit.install() == 0
    finally:
        os.close(held)
    assert unit.installed == [WORDS]


def test_one_that_changes_while_it_is_copied_is_not_installed(
    unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announced, "PIECE", 4)
    check = incoming.check_room

    def change(*asked: Any) -> None:  # the size was looked at; the last bytes are not read yet
        check(*asked)
        with unit.bundle.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"L")

    monkeypatch.setattr(incoming, "check_room", change)
    assert unit.install() == 1
    assert unit.installed == []


@pytest.mark.timeout(30)
def test_only_a_plain_file_is_opened(unit: Unit, tmp_path: Path) -> None:
    real = unit.bundle.rename(tmp_path / "real")
    unit.bundle.symlink_to(real)
    assert unit.install() == 1
    unit.bundle.unlink()
    os.mkfifo(unit.bundle)  # nobody writes: it must not wait either
    assert unit.install() == 1
    assert unit.installed == []


def test_the_journals_room_is_kept(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "KEPT_FREE", 1 << 60)
    assert unit.install() == 1
    assert unit.installed == []


def test_a_technician_who_sends_one_is_not_disturbed(unit: Unit) -> None:
    with incoming.alone(unit.places):
        assert unit.install() == 1
    assert unit.installed == []


def test_the_copy_is_of_root_alone(unit: Unit) -> None:
    modes: list[int] = []
    unit.meanwhile = lambda: modes.append(unit.places.incoming.stat().st_mode & 0o777)
    assert unit.install() == 0
    assert modes == [0o700]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {"error": {}},
        {"result": {"office": dict.fromkeys(SAID)}},
        *({"result": {"office": SAID | {key: None}}} for key in SAID),
        {"result": {"office": SAID | {"update_sha256": "../../etc/passwd"}}},
        *({"result": each} for each in (None, [], "update", 7)),
        *({"result": {"office": each}} for each in (None, [], "update", 7)),
    ],
)
def test_without_the_offices_word_nothing_is(unit: Unit, answer: Any) -> None:
    assert unit.install(answer) == 1
    assert unit.installed == []
