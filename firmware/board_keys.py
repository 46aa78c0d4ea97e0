"""The sections of board.toml about what people press: the PIN pad and the menu."""

# ruff: noqa: RUF009 - the calls in the dataclasses return dataclasses.field(...)

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware.board_lines import Place
from firmware.board_schema import File, flag, number, path, text, value, whole

DIGITS = tuple("0123456789")
KEY_NAMES = (*DIGITS, "confirm", "cancel", "clear", "menu", "up", "down", "language")
"""What a key can be; the rest of the program knows keys by these names."""
NO_KEY = "-"
NEEDED = (*DIGITS, "confirm", "cancel")
"""Without them no PIN can be entered, nor the entry be left."""
MAX_FEN = 0xFFFFFFFF  # an amount has 4 bytes (V2.0)


def _pins() -> Any:
    """1 to 8 BCM numbers, none twice; a tuple."""
    return value(
        lambda found: (
            isinstance(found, list)
            and 1 <= len(found) <= 8
            and all(type(each) is int and 0 <= each <= 27 for each in found)
            and len(set(found)) == len(found)
        ),
        " 1 至 8 个 0 至 27 的 BCM 编号，不重复",
        "1 to 8 BCM numbers from 0 to 27, none twice",
        None,
        lambda found, place, file: tuple(found),
    )


def _layout(found: list[str], place: Place, file: File) -> tuple[tuple[str, ...], ...]:
    rows = tuple(tuple(each.split()) for each in found)
    names = [name for row in rows for name in row if name != NO_KEY]
    for index, row in enumerate(rows):
        for name in row:
            if name != NO_KEY and (name not in KEY_NAMES or names.count(name) > 1):
                raise file.error(
                    (*place, index),
                    f"按键 {name} 不认识或重复；可用：{'、'.join((*KEY_NAMES, NO_KEY))}",
                    f"the key {name} is unknown or comes twice; known here: "
                    f"{', '.join((*KEY_NAMES, NO_KEY))}",
                )
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise file.error(
            place, f"缺少按键 {'、'.join(missing)}", f"the keys {', '.join(missing)} are missing"
        )
    return rows


@dataclass(frozen=True)
class Pad:
    """rows, columns, keys: of "gpio:".  key_file, format: of "epp:"."""

    address: str = text(
        r"(?:sim|pcsc|uart|gpio|epp):\S.*",
        '地址 "gpio:matrix"、"epp:设备" 或 "sim:..."',
        'an address "gpio:matrix", "epp:DEVICE" or "sim:..."',
    )
    rows: tuple[int, ...] | None = _pins()
    columns: tuple[int, ...] | None = _pins()
    keys: tuple[tuple[str, ...], ...] | None = value(
        lambda found: isinstance(found, list) and all(isinstance(each, str) for each in found),
        '每行一个字符串的列表，如 "1 2 3 cancel"',
        'a list of one text for each row, as "1 2 3 cancel"',
        None,
        _layout,
    )
    key_s: float = number(1, 60, 10)
    key_file: Path | None = path(None)
    format: int = value(
        lambda found: found in (3, 4) and type(found) is int, " 3 或 4", "3 or 4", 4
    )


@dataclass(frozen=True)
class Menu:
    """max_fen: of one amount entered at the pad, where amount_entry allows it."""

    amount_entry: bool = flag(False)
    max_fen: int | None = whole(1, MAX_FEN, None)
    timeout_s: float = number(3, 300, 20)


def check_pad(pad: Pad | None, file: File) -> None:
    """What each scheme needs beside its address."""
    if pad is None:
        return
    if pad.address.startswith("gpio:"):
        for name in ("rows", "columns", "keys"):
            if getattr(pad, name) is None:
                raise file.error(
                    ("pad", name),
                    '"gpio:" 须填写 rows、columns、keys，请补上此项',
                    '"gpio:" needs rows, columns and keys; add this one',
                )
    if pad.address.startswith("epp:") and pad.key_file is None:
        raise file.error(
            ("pad", "key_file"),
            '"epp:" 须填写 key_file，请补上此项',
            '"epp:" needs key_file; add it',
        )
    if pad.rows is None or pad.columns is None or pad.keys is None:
        return
    if [len(row) for row in pad.keys] != [len(pad.columns)] * len(pad.rows):
        raise file.error(
            ("pad", "keys"),
            f"应为 {len(pad.rows)} 行，每行 {len(pad.columns)} 个按键，空位写 {NO_KEY}",
            f"write {len(pad.rows)} rows of {len(pad.columns)} keys, {NO_KEY} for none",
        )


def check_menu(menu: Menu | None, pad: Pad | None, file: File) -> None:
    """A menu is opened by a key of the pad."""
    if menu is None:
        return
    if pad is None:
        raise file.error(
            ("menu",), "没有 [pad] 就没有菜单，请补上或删除此节", "a menu needs a [pad]; add one"
        )
    if pad.keys is not None and not any("menu" in row for row in pad.keys):
        raise file.error(
            ("pad", "keys"), "[menu] 须有 menu 键，请补上", "[menu] needs a menu key; add it"
        )
    if menu.amount_entry and menu.max_fen is None:
        raise file.error(
            ("menu", "max_fen"),
            "amount_entry = true 须填写 max_fen，请补上",
            "amount_entry = true needs max_fen; add it",
        )


def pins_of(pad: Pad | None) -> list[tuple[Place, int]]:
    """Every pin of the matrix, by its place in the file."""
    found: list[tuple[Place, int]] = []
    if pad is not None and pad.address.startswith("gpio:"):
        for name in ("rows", "columns"):
            found += [(("pad", name, at), pin) for at, pin in enumerate(getattr(pad, name))]
    return found
