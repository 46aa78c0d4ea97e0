"""What the office may set from afar: a few keys of board.toml, each inside board.toml's own bounds.

Body of the file: {"section.key": value, ...}.  A key that is not named stays as board.toml has it;
a key that may not be set from afar, or a value out of bounds, refuses the whole file.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from firmware.board import Board
from firmware.board_schema import BoardError, File
from firmware.board_sections import Limits, Purchase, StopList, Uplink
from firmware.journal.signedfile import PARAMETER_NAMES

_TABLES: dict[str, type[Any]] = {
    "limits": Limits,
    "purchase": Purchase,
    "stop_list": StopList,
    "uplink": Uplink,
}


class Parameters:
    """number: of the signed file, 0 = board.toml alone.  Raises ValueError for another body."""

    def __init__(self, number: int, body: object):
        if not isinstance(body, dict) or not all(isinstance(key, str) for key in body):
            raise ValueError("parameters are a map of names")
        self.number = number
        self._changed: dict[str, dict[str, Any]] = {}
        for name, value in body.items():
            if name not in PARAMETER_NAMES:
                raise ValueError(f"{name[:40]!r} is not set from afar")
            section, _, key = name.partition(".")
            self._changed.setdefault(section, {})[key] = _kept(section, key, value)

    def applied_to(self, own: Board) -> Board:
        """board.toml's values with those of the file in their place."""
        parts = {
            section: replace(getattr(own, section), **values)
            for section, values in self._changed.items()
        }
        return replace(own, **parts)


def _kept(section: str, key: str, value: object) -> Any:
    """The value as board.toml's own table keeps it; raises ValueError."""
    found = {each.name: each.metadata["spec"] for each in fields(_TABLES[section])}
    try:
        return found[key].keep(value, (section, key), File("parameters", {}))
    except BoardError as error:
        raise ValueError(f"{section}.{key}: {error.en}") from None
