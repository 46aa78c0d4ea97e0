"""Sections of a board for tests, read as board.py reads them."""

from __future__ import annotations

from firmware.board_schema import File, read
from firmware.board_sections import Uplink


def links(**parts: object) -> Uplink:
    """[uplink] with these keys and parts."""
    return read(Uplink, parts, (), File("board.toml", {}))
