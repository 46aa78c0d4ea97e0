"""Strict tables: a frozen dataclass whose fields say what their key in board.toml may hold.

`whole(1, 9)` and its sisters declare a field; `read` fills the dataclass from a parsed table and
refuses, with a BoardError, a key that is unknown, missing, of the wrong type or out of range.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from firmware.board_lines import Place, dotted

REQUIRED: Any = object()
"""The default of a key that has none."""

Kind = TypeVar("Kind")


class BoardError(Exception):
    """board.toml cannot be what this unit is.

    source: the file's name.  key: dotted, "" when the file as a whole is meant.  line: from 1, None
    when there is none.  zh, en: what is wrong and what to do.
    """

    def __init__(self, source: str, key: str, line: int | None, zh: str, en: str):
        where_zh = f"{source} 第 {line} 行" if line is not None else source
        where_en = f"{source}, line {line}" if line is not None else source
        named = f" {key}" if key else ""
        super().__init__(f"{where_zh}{named}：{zh}\n{where_en}{named}: {en}")
        self.source = source
        self.key = key
        self.line = line
        self.zh = zh
        self.en = en


@dataclass(frozen=True)
class File:
    """The name of a board file and the line of each of its places."""

    source: str
    lines: dict[Place, int]

    @property
    def folder(self) -> Path:
        return Path(self.source).resolve().parent

    def error(self, place: Place, zh: str, en: str) -> BoardError:
        """A refusal at that place; its line is the nearest around it that stands in the file."""
        around = place
        while around and around not in self.lines:
            around = around[:-1]
        return BoardError(self.source, dotted(place), self.lines.get(around), zh, en)


Keep = Callable[[Any, Place, File], Any]
"""(value, place, file) -> what the field holds; may raise BoardError."""


@dataclass(frozen=True)
class _Spec:
    key: str | None  # where it is not the field's name
    default: Any
    keep: Keep


def _field(keep: Keep, default: Any, key: str | None = None) -> Any:
    return field(metadata={"spec": _Spec(key, default, keep)})


def value(
    fits: Callable[[Any], bool],
    zh: str,
    en: str,
    default: Any = REQUIRED,
    then: Keep = lambda value, place, file: value,
) -> Any:
    """A key whose value fits; zh and en say what does.  `then` makes the field's value of it."""

    def keep(value: Any, place: Place, file: File) -> Any:
        if not fits(value):
            raise file.error(
                place, f"应填写{zh}；现为 {_shown(value)}", f"write {en}; found {_shown(value)}"
            )
        return then(value, place, file)

    return _field(keep, default)


def text(pattern: str, zh: str, en: str, default: Any = REQUIRED) -> Any:
    """A string that matches the pattern whole."""
    return value(lambda found: _matches(found, pattern), zh, en, default)


def choice(*choices: str, default: Any = REQUIRED) -> Any:
    shown = ", ".join(json.dumps(each) for each in choices)
    return value(
        lambda found: isinstance(found, str) and found in choices,
        f" {shown} 之一",
        f"one of {shown}",
        default,
    )


def flag(default: Any = REQUIRED) -> Any:
    return value(lambda found: isinstance(found, bool), " true 或 false", "true or false", default)


def whole(low: int, high: int, default: Any = REQUIRED) -> Any:
    return value(
        lambda found: _is_number(found, int) and low <= found <= high,
        f" {low} 至 {high} 的整数",
        f"a whole number from {low} to {high}",
        default,
    )


def number(low: float, high: float, default: Any = REQUIRED) -> Any:
    """A number, a fraction allowed; kept as float."""
    return value(
        lambda found: _is_number(found, int | float) and low <= found <= high,
        f" {low:g} 至 {high:g} 的数",
        f"a number from {low:g} to {high:g}",
        default,
        lambda found, place, file: float(found),
    )


def texts(pattern: str, zh: str, en: str, default: Any = REQUIRED) -> Any:
    """A list of at least one string, each matching the pattern, none twice; a tuple."""

    def keep_all(found: list[Any], place: Place, file: File) -> tuple[str, ...]:
        for index, each in enumerate(found):
            if not _matches(each, pattern) or each in found[:index]:
                raise file.error(
                    (*place, index),
                    f"应填写{zh}，且不重复；现为 {_shown(each)}",
                    f"write {en}, none twice; found {_shown(each)}",
                )
        return tuple(found)

    return value(
        lambda found: isinstance(found, list) and found != [],
        "至少含一项的列表",
        "a list of at least one item",
        default,
        keep_all,
    )


def path(default: Any = REQUIRED, then: Keep = lambda value, place, file: value) -> Any:
    """A path, made absolute from the folder of the file."""
    return value(
        lambda found: _matches(found, r"[^\0]+"),
        "路径",
        "a path",
        default,
        lambda found, place, file: then(file.folder / found, place, file),
    )


def settings(kind: type[Any]) -> Any:
    """A table; an absent one is read as empty, so that its own fields say what is missing."""
    return _field(lambda found, place, file: read(kind, found, place, file), {})


def part(kind: type[Any]) -> Any:
    """A table for something the unit may not have: None if absent."""
    return _field(lambda found, place, file: read(kind, found, place, file), None)


def parts(kind: type[Any], key: str, least: int = 1) -> Any:
    """An array of tables `[[key]]`, at least so many; a tuple."""

    def keep(found: Any, place: Place, file: File) -> tuple[Any, ...]:
        if not isinstance(found, list) or len(found) < least:
            raise file.error(place, f"应写成 [[{key}]]", f"write it as [[{key}]]")
        return tuple(read(kind, each, (*place, at), file) for at, each in enumerate(found))

    return _field(keep, REQUIRED if least else [], key)


def read(kind: type[Kind], values: Any, place: Place, file: File) -> Kind:
    """The dataclass `kind`, filled from one table of the file."""
    if not isinstance(values, dict):
        raise file.error(place, f"应写成表 [{dotted(place)}]", f"write a table [{dotted(place)}]")
    specs = {each.name: each.metadata["spec"] for each in fields(kind)}  # type: ignore[arg-type]
    keys = {name: spec.key or name for name, spec in specs.items()}
    _refuse_unknown(values, list(keys.values()), place, file)
    kept: dict[str, Any] = {}
    for name, spec in specs.items():
        here = (*place, keys[name])
        found = values.get(keys[name], spec.default)
        if found is REQUIRED:
            raise file.error(here, "缺少此项，请补上", "this key is missing; add it")
        kept[name] = None if found is None else spec.keep(found, here, file)
    return kind(**kept)


def _refuse_unknown(values: dict[str, Any], known: list[str], place: Place, file: File) -> None:
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            guess_zh = f"是否应为 {near[0]}？" if near else ""
            guess_en = f"Did you mean {near[0]}? " if near else ""
            raise file.error(
                (*place, key),
                f"不认识此项。{guess_zh}请改正或删除；此处可用：{'、'.join(known)}",
                f"unknown key. {guess_en}Correct or remove it; known here: {', '.join(known)}",
            )


def _matches(found: Any, pattern: str) -> bool:
    return isinstance(found, str) and re.fullmatch(pattern, found) is not None


def _is_number(found: Any, kind: Any) -> bool:
    return isinstance(found, kind) and not isinstance(found, bool)


def _shown(found: Any) -> str:
    if isinstance(found, str | bool | int | float):
        shown = json.dumps(found, ensure_ascii=False)
        return shown if len(shown) <= 60 else shown[:57] + "..."
    if isinstance(found, dict | list):
        return "{...}" if isinstance(found, dict) else "[...]"
    return str(found)  # a date or a time
