"""A dump as a table for people, with the standard's Chinese words."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

_STATES = {"read": "", "absent": "无此文件", "refused": "无权读取", "unreadable": "无法读取"}
_APPLICATION_STATES = _STATES | {"absent": "无此应用"}
_ALGORITHMS = {1: "3DES", 2: "SSF33", 3: "SM4"}
_EMPTY = "—"
_LABEL_WIDTH = 26
_PART_WIDTH = 22
_BYTES_SHOWN = 16


def table(dump: dict[str, Any]) -> str:
    """One line for each item, group part and record; ends with a line feed."""
    algorithm = _ALGORITHMS.get(dump["algorithm"], f"{dump['algorithm']:02X}")
    lines = [f"规范版本 {dump['version']}    算法 {algorithm}"]
    for application in dump["applications"]:
        state = _state(application, _APPLICATION_STATES)
        lines += ["", f"{application['name']} {application['label']}{state}"]
        for file in application["files"]:
            lines.append(f"  {file['name']} {file['label']}{_state(file, _STATES)}")
            lines += [f"    {line}" for line in _content(file)]
    return "\n".join(lines) + "\n"


def _state(told: dict[str, Any], words: dict[str, str]) -> str:
    word = words[told["state"]]
    reason = f"（{told['reason']}）" if told.get("reason") else ""
    return f"：{word}{reason}" if word else ""


def _content(file: dict[str, Any]) -> Iterator[str]:
    for item in file.get("items", ()):
        yield from _item(item)
    for number, record in enumerate(file.get("records", ()), 1):
        yield f"{number:>3}  {_record(record)}"
    if "data" in file:
        yield _bytes(file["data"])


def _item(item: dict[str, Any]) -> Iterator[str]:
    head = f"{item['tag']}  {_padded(_label(item), _LABEL_WIDTH)}"
    if "problem" in item or "value" not in item:
        problem = f"（{item['problem']}）" if "problem" in item else ""
        yield head + "‹" + item["raw"] + "›" + problem
    elif "parts" not in item:
        yield head + _value(item)
    else:
        yield head.rstrip()
        for part in item["parts"]:
            yield f"    {part['tag']}  {_padded(_label(part), _PART_WIDTH)}{_value(part)}"


def _record(record: dict[str, Any]) -> str:
    if "problem" in record:
        return f"‹{record['raw']}›（{record['problem']}）"
    shown = [f"{field['label']} {_value(field)}" for field in record["fields"]]
    return "  ".join(shown) or _EMPTY


def _label(told: dict[str, Any]) -> str:
    return told.get("label") or "数据项"


def _value(told: dict[str, Any]) -> str:
    value = told["value"]
    if value is None:
        return _EMPTY
    if told.get("unit") == "fen":
        return f"{value // 100}.{value % 100:02d} 元"
    said = f"（{told['meaning'][0]}）" if "meaning" in told else ""
    return f"{value}{said}"


def _bytes(data_hex: str) -> str:
    size = len(data_hex) // 2
    if not data_hex.strip("F") or not data_hex.strip("0"):
        return f"{size} 字节，空"
    more = "…" if size > _BYTES_SHOWN else ""
    return f"{size} 字节：{data_hex[: 2 * _BYTES_SHOWN]}{more}"


def _padded(shown: str, width: int) -> str:
    """To that many columns of a terminal window: a Chinese character takes two."""
    columns = sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in shown)
    return shown + " " * max(1, width - columns)
