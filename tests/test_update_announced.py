"""Issue 5.2: a bundle that came over a link is installed only if the office announced it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from firmware.board import load
from tests.test_daemon import Stand
from tools.update import announced
from tools.update.card import socket_of
from tools.update.places import Places

WORDS = b"a bundle, in small"
SAID = {
    "update": "1.2.0",
    "update_sha256": hashlib.sha256(WORDS).hexdigest(),
    "update_size": len(WORDS),
}


def test_the_card_process_is_asked_where_board_toml_says(tmp_path: Path) -> None:
    made = Stand(tmp_path)
    usual = Places(board=tmp_path / "none", socket=tmp_path / "usual")
    assert socket_of(Places(board=made.board)) == load(made.board).host.socket == made.socket
    assert socket_of(usual) == tmp_path / "usual"


def check(monkeypatch: Any, folder: Path, words: bytes, answer: Any) -> str:
    monkeypatch.setattr(announced, "ask", lambda path, method, params: answer)
    (folder / "b.raucb").write_bytes(words)
    return announced.check(Places(), folder / "b.raucb")


def test_the_announced_bundle_is_taken(monkeypatch: Any, tmp_path: Path) -> None:
    assert check(monkeypatch, tmp_path, WORDS, {"result": {"office": SAID}}) == "1.2.0"


@pytest.mark.parametrize("words", [WORDS[:-1], WORDS[:-1] + b"L", b"", WORDS + b"."])
def test_another_file_is_not(monkeypatch: Any, tmp_path: Path, words: bytes) -> None:
    with pytest.raises(announced.NotAnnouncedError):
        check(monkeypatch, tmp_path, words, {"result": {"office": SAID}})


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {"error": {}},
        {"result": {"office": dict.fromkeys(SAID)}},
        *({"result": each} for each in (None, [], "update", 7)),
        *({"result": {"office": each}} for each in (None, [], "update", 7)),
    ],
)
def test_without_the_offices_word_nothing_is(monkeypatch: Any, tmp_path: Path, answer: Any) -> None:
    with pytest.raises(announced.NotAnnouncedError):
        check(monkeypatch, tmp_path, WORDS, answer)
