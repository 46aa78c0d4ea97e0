"""Where each key of a TOML text stands.

tomllib tells values, not places; a refusal must name the line.  `find_lines` scans a text that
tomllib has already accepted, so it only has to know where a key, a string, an array or a table
begins and ends (TOML 1.0.0), never whether they are right.
"""

from __future__ import annotations

import re
import tomllib

Place = tuple[str | int, ...]
"""The path of a key: table names and keys, and an index where there is an array."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?""""{0,2}'  # the text may end with two quotes of its own
    r"|'''.*?''''{0,2}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}\n#]+")


def find_lines(text: str) -> dict[Place, int]:
    """The line (from 1) of each table, key and array element of a valid TOML text."""
    scan = _Scan(text)
    scan.document()
    return scan.lines


def dotted(place: Place) -> str:
    """The place as a person writes it: `reader[1].address`; odd keys stand in quotes."""
    shown = ""
    for part in place:
        if isinstance(part, int):
            shown += f"[{part}]"
        else:
            name = part if _BARE_KEY.fullmatch(part) else '"' + part.replace('"', '\\"') + '"'
            shown += f".{name}" if shown else name
    return shown


class _Scan:
    def __init__(self, text: str):
        self.lines: dict[Place, int] = {}
        self._text = text
        self._at = 0
        self._array_sizes: dict[Place, int] = {}

    def document(self) -> None:
        table: Place = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            table = self._header() if self._is("[") else self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> Place:
        start, is_array = self._at, self._text.startswith("[[", self._at)
        self._at += 2 if is_array else 1
        path = self._key()
        self._at += 2 if is_array else 1
        place: Place = ()
        for part in path[:-1]:
            place = self._newest((*place, part))
            self.lines.setdefault(place, self._line(start))
        place = (*place, path[-1])
        if is_array:
            self._array_sizes[place] = self._array_sizes.get(place, 0) + 1
            self.lines.setdefault(place, self._line(start))
            place = self._newest(place)
        self.lines[place] = self._line(start)
        return place

    def _newest(self, place: Place) -> Place:
        """`[a.b]` under `[[a]]` speaks of the newest element of a."""
        size = self._array_sizes.get(place)
        return place if size is None else (*place, size - 1)

    def _pair(self, table: Place) -> Place:
        """One `key = value`; returns the table it stands in."""
        start = self._at
        place = table
        for part in self._key():
            place = (*place, part)
            self.lines.setdefault(place, self._line(start))
        self._at += 1  # =
        self._skip(_SPACE)
        self._value(place)
        return table

    def _key(self) -> list[str]:
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            raw = self._take(_STRING if self._is('"') or self._is("'") else _BARE_KEY)
            parts.append(tomllib.loads(f"key = {raw}")["key"] if raw[0] in "\"'" else raw)
            self._skip(_SPACE)
            if not self._is("."):
                return parts
            self._at += 1

    def _value(self, place: Place) -> None:
        if self._is("["):
            self._elements(place)
        elif self._is("{"):
            self._inline_table(place)
        elif self._is('"') or self._is("'"):
            self._take(_STRING)
        else:
            self._take(_SCALAR)

    def _elements(self, place: Place) -> None:
        index = 0
        self._at += 1
        self._skip(_BLANK)
        while not self._is("]"):
            element = (*place, index)
            self.lines[element] = self._line(self._at)
            self._value(element)
            index += 1
            self._skip_comma()
        self._at += 1

    def _inline_table(self, place: Place) -> None:
        self._at += 1
        self._skip(_BLANK)
        while not self._is("}"):
            self._pair(place)
            self._skip_comma()
        self._at += 1

    def _skip_comma(self) -> None:
        self._skip(_BLANK)
        if self._is(","):
            self._at += 1
            self._skip(_BLANK)

    def _is(self, mark: str) -> bool:
        return self._text.startswith(mark, self._at)

    def _line(self, at: int) -> int:
        return self._text.count("\n", 0, at) + 1

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        assert found is not None  # the pattern also matches nothing
        self._at = found.end()

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise ValueError(f"not the TOML that tomllib accepted, at offset {self._at}")
        self._at = found.end()
        return found.group()
