"""What a receipt says, line by line, in as many columns as the paper has.

A label and its value share a line where they fit; a Chinese character takes two columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firmware.display.glyphs import HEIGHT, glyph
from firmware.display.layout import width, wrap

LEAST_COLUMNS = 24
_SHOWN_OF_CARD = 4
_GAP = 6
_USUAL_SCALE, _LARGE_SCALE = 2, 4


@dataclass(frozen=True)
class Line:
    text: str
    is_large: bool = False
    is_centred: bool = False


def compose(
    paid: Mapping[str, Any], unit: str, title: str, columns: int, is_copy: bool
) -> list[Line]:
    """paid: of a DONE order, as the host is told it, with balance_after_fen and total_fen.

    unit, title: of board.toml, title "" where there is none.  columns: LEAST_COLUMNS or more, of
    usual characters; a large one takes two.
    """
    lines = [Line(each, True, True) for each in wrap(title, columns // 2)]
    lines.append(Line("社保卡支付凭证", False, True))
    lines.append(Line("Payment receipt", False, True))
    if is_copy:
        lines.append(Line("副本 COPY", True, True))
    lines += _rule(columns)
    lines += _pairs(
        columns,
        ("单位 Unit", unit),
        ("终端 Terminal", paid["terminal"]),
        ("订单 Order", paid["order_no"]),
        ("时间 Time", _time(paid["time"])),
        ("卡号 Card", _masked(paid["card_number"])),
        ("收费员 Clerk", paid["operator"]),
    )
    lines += _rule(columns)
    lines += _pairs(
        columns,
        ("个人账户 Account", _yuan(paid["account_fen"])),
        ("个人自付 Own share", _yuan(paid["self_fen"])),
        ("统筹支付 Pooled", _yuan(paid["pooled_fen"])),
    )
    total = _pairs(columns // 2, ("合计", _yuan(paid["total_fen"])))
    lines += [Line(each.text, True) for each in total]
    lines += _pairs(columns, ("账户余额 Balance", _yuan(paid["balance_after_fen"])))
    lines += _rule(columns)
    lines += _pairs(
        columns,
        ("终端流水 Terminal no.", paid["terminal_serial"]),
        ("卡流水 Card no.", str(paid["purchase_serial"])),
        ("TAC", (paid["tac"] or "未取得 lost").upper()),
        ("结果 Outcome", f"{paid['outcome']:03d}"),
    )
    return lines


def dots(line: Line, columns: int) -> bytes:
    """The rows of that line in Unifont, for paper of that many columns: 2 bytes a column and row.

    A usual character is 16 dots wide and 32 high, a large one twice that; then a gap.
    """
    scale = _LARGE_SCALE if line.is_large else _USUAL_SCALE
    paper = columns * 16
    rows = ["".join(_row(each, at) for each in line.text) for at in range(HEIGHT)]
    made = bytearray()
    for row in rows:
        wide = "".join(bit * scale for bit in row)[:paper]
        indent = (paper - len(wide)) // 2 if line.is_centred else 0
        filled = ("0" * indent + wide).ljust(paper, "0")
        made += int(filled, 2).to_bytes(paper // 8, "big") * scale
    return bytes(made) + bytes(_GAP * paper // 8)


def _row(character: str, at: int) -> str:
    """One row of a glyph as 8 or 16 digits."""
    rows = glyph(character)
    wide = len(rows) // HEIGHT
    return f"{int.from_bytes(rows[at * wide : (at + 1) * wide], 'big'):0{8 * wide}b}"


def _pairs(columns: int, *pairs: tuple[str, str]) -> list[Line]:
    """The value at the right of its label, or on the next line."""
    lines = []
    for label, value in pairs:
        gap = columns - width(label) - width(value)
        if gap >= 1:
            lines.append(Line(label + " " * gap + value))
            continue
        lines.append(Line(label))
        for part in wrap(value, columns):
            lines.append(Line(" " * (columns - width(part)) + part))
    return lines


def _rule(columns: int) -> list[Line]:
    return [Line("-" * columns)]


def _masked(card_number: str | None) -> str:
    """All but its last four characters are hidden: the paper is not the card."""
    number = card_number or ""
    return "*" * max(len(number) - _SHOWN_OF_CARD, 0) + number[-_SHOWN_OF_CARD:]


def _time(time7: str) -> str:
    """14 digits of local time -> 2026-11-22 12:00:01."""
    date = f"{time7[:4]}-{time7[4:6]}-{time7[6:8]}"
    return f"{date} {time7[8:10]}:{time7[10:12]}:{time7[12:14]}"


def _yuan(amount_fen: int) -> str:
    return f"{amount_fen // 100:,}.{amount_fen % 100:02d}"
