"""The tables of tools/verify_records.py are those of docs/records.md, read from the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tools import verify_records as tool

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "records.md").read_text(encoding="utf-8")
SIMPLE: dict[str, Any] = {
    "uint": tool.UINT,
    "text": tool.TEXT,
    "bytes": tool.BYTES,
    "map": tool.MAP,
    "bool": {b"\xf4", b"\xf5"},
    "any": tool.ANY,
}


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading."""
    section = PAGE.split(f"\n## {heading}", 1)[1].split("\n## ")[0]
    lines = re.findall(r"(?m)^\|.*\|$(?:\n\|.*\|$)*", section)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def numbers(text: str) -> tuple[int, ...]:
    """'1-3, 5' as (1, 2, 3, 5)."""
    found: set[int] = set()
    for first, last in re.findall(r"(\d+)(?:-(\d+))?", re.sub(r"\(.*?\)", "", text)):
        found |= set(range(int(first), int(last or first) + 1))
    return tuple(sorted(found))


def form(text: str) -> Any:
    """A type as the page writes it, as the verifier has it."""
    if lengths := re.fullmatch(r"(\d+)(?: or (\d+))? bytes", text):
        return {int(each) for each in lengths.groups() if each}
    if pair := re.fullmatch(r"\{(\w+): (\w+)\}", text):
        return {SIMPLE[pair[1]]: SIMPLE[pair[2]]}
    if text.startswith("["):
        inner = text[1:-1].split(", ")
        return [form(inner[0])] if inner[-1] == "..." else tuple(map(form, inner))
    return SIMPLE[text]


def test_kinds_and_the_keys_they_need():
    page = {int(kind): (name, numbers(body.split(";")[0])) for kind, name, body in rows("Kinds")}
    assert page == {kind: (name, tuple(sorted(keys))) for kind, (name, keys) in tool.KINDS.items()}
    assert len(page) >= 26


def test_types_of_body_keys():
    page = {int(key): form(kind) for key, _, kind, _ in rows("Body keys")}
    assert page == tool.BODY_KEYS
    assert len(page) >= 55


def test_types_of_the_envelope():
    assert {int(key): form(kind) for key, _, kind, _ in rows("Envelope")} == tool.ENVELOPE_KEYS
