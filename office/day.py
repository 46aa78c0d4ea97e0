"""The records of a day as rows: for the table, for JSON and for CSV.

A record that speaks of a purchase (DONE, VOID, ...) shows order, card and amounts of its INTENT,
one that speaks of a load the amount put into the account.
Days are those of China, UTC+8.
"""

from __future__ import annotations

import csv
import time
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TextIO

from firmware.journal.kinds import (
    KEY_ACCOUNT_FEN,
    KEY_CARD_NUMBER,
    KEY_INTENT,
    KEY_LOAD_FEN,
    KEY_ORDER_NO,
    KEY_OUTCOME,
    KEY_POOLED_FEN,
    KEY_SELF_FEN,
)
from firmware.journal.lifecycle import INTENT_KINDS
from firmware.journal.record import NO_PREVIOUS, Record, RecordError, digest_of
from firmware.outcome import outcomes
from office import tac
from office.errors import OfficeError
from office.keys import DeviceKey, keys_of, read
from office.store import Store
from office.tac import Body, TacKeys

CHINA = timezone(timedelta(hours=8))
OUTCOME_NAMES = {each.number: each.name for each in outcomes()}

AMOUNTS = {"account": KEY_ACCOUNT_FEN, "self": KEY_SELF_FEN, "pooled": KEY_POOLED_FEN}
COLUMNS = {
    "unit": "终端 unit",
    "number": "编号 no.",
    "time": "时间 time",
    "kind": "类别 kind",
    "order": "订单 order",
    "card": "卡号 card",
    "account": "账户 account",
    "self": "自付 self",
    "pooled": "统筹 pooled",
    "outcome": "结果 outcome",
    "tac": "TAC",
    "verified": "核对 verified",
}

Row = dict[str, Any]
"""The keys of COLUMNS.  Amounts are int fen or None, `verified` is a bool, `tac` one of tac.STATES
or None."""


def now_ms() -> int:
    """Since 1970-01-01 UTC, as this machine's clock has it."""
    return int(time.time() * 1000)


def newest_day(store: Store) -> str | None:
    """The day of the newest record, YYYY-MM-DD."""
    row = store.row("SELECT max(newest_ms) FROM batches WHERE quarantined IS NULL")
    return None if row is None or row[0] is None else local(row[0]).strftime("%Y-%m-%d")


def start_ms(date: str) -> int:
    """When that day, YYYY-MM-DD, begins in China.  Raises OfficeError 906."""
    try:
        start = datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=CHINA)
    except ValueError:
        raise OfficeError(906, f"{date}: YYYY-MM-DD") from None
    return int(start.timestamp() * 1000)


def rows(
    store: Store, date: str | None, tac_keys: TacKeys, unit: str | None = None
) -> Iterator[Row]:
    """By unit and number; date: YYYY-MM-DD, None for every day.  Raises OfficeError 906."""
    first_ms, end_ms = 0, 1 << 62
    if date is not None:
        first_ms = start_ms(date)
        end_ms = first_ms + 86_400_000
    chosen, named = ("", ()) if unit is None else (" AND b.unit = ?", (unit,))
    sql = (
        "SELECT r.unit, r.number, r.batch FROM batches b JOIN records r"
        " ON r.unit = b.unit AND r.batch = b.batch AND r.number BETWEEN b.first AND b.last"
        " WHERE b.newest_ms >= ? AND b.oldest_ms < ? AND r.time_ms >= ? AND r.time_ms < ?"
        f"{chosen} ORDER BY r.unit, r.number"
    )
    known = {unit: keys_of(store, unit) for unit in store.units()}
    for unit, number, batch in store.rows(sql, first_ms, end_ms, first_ms, end_ms, *named):
        record = _parsed(store.raws(unit, batch).get(number, b""), known.get(unit, []))
        if record is None:
            yield _blank() | {"unit": unit, "number": number}
        else:
            about = _about(store, record, known[unit])
            yield _row(store, record, about) | {"tac": tac_keys.state(record, about)}


def _parsed(raw: bytes, known: list[DeviceKey]) -> Record | None:
    try:
        return read(raw, known)
    except RecordError:
        return None


def _blank() -> Row:
    return dict.fromkeys(COLUMNS) | {"kind": "?", "verified": False}


def _about(store: Store, record: Record, known: list[DeviceKey]) -> Body | None:
    """The body of the INTENT that the record names."""
    intent = record.body.get(KEY_INTENT)
    raw = None if intent is None else store.record(record.unit, intent)
    found = None if raw is None else _parsed(raw, known)
    return None if found is None or found.kind not in INTENT_KINDS else found.body


def _row(store: Store, record: Record, about: Body | None) -> Row:
    body = (about or {}) | record.body
    outcome = body.get(KEY_OUTCOME)
    return _blank() | {
        "unit": record.unit,
        "number": record.number,
        "time": local(record.time_ms).strftime("%Y-%m-%d %H:%M:%S"),
        "kind": record.kind_name,
        "order": body.get(KEY_ORDER_NO),
        "card": body.get(KEY_CARD_NUMBER),
        **{name: body.get(key) for name, key in AMOUNTS.items()},
        **({"account": body[KEY_LOAD_FEN]} if KEY_LOAD_FEN in body else {}),
        "outcome": None if outcome is None else _outcome(outcome),
        "verified": _continues(store, record),
    }


def _continues(store: Store, record: Record) -> bool:
    """The record names the stored bytes of the one before, where that one is here."""
    if record.number == 1:
        return record.previous == NO_PREVIOUS
    before = store.record(record.unit, record.number - 1)
    return before is None or digest_of(before) == record.previous


def _outcome(number: int) -> str:
    return f"{number} {OUTCOME_NAMES.get(number, '?')}"


def local(epoch_ms: int) -> datetime:
    """In China, UTC+8."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).astimezone(CHINA)


def summary(listed: Iterable[Row]) -> dict[str, Any]:
    """Counts by kind, and what the DONE records came to in fen."""
    kinds: Counter[str] = Counter()
    fen: Counter[str] = Counter()
    tacs: Counter[str] = Counter()
    unverified = 0
    for row in listed:
        tacs.update([row["tac"]] if row["tac"] else [])
        kinds[row["kind"]] += 1
        unverified += not row["verified"]
        if row["kind"] == "DONE":
            fen.update({name: row[name] or 0 for name in AMOUNTS})
    return {
        "records": sum(kinds.values()),
        "verified": sum(kinds.values()) - unverified,
        "kinds": dict(kinds),
        "tac": dict(tacs),
        "done_fen": {name: fen[name] for name in AMOUNTS},
    }


def yuan(fen: int | None) -> str:
    return "" if fen is None else f"{fen // 100}.{fen % 100:02d}"


def texts(row: Row) -> list[str]:
    """A row's cells as text, in the order of COLUMNS."""
    shown = row | {name: yuan(row[name]) for name in AMOUNTS}
    shown["verified"] = "✓" if row["verified"] else "✗"
    shown["tac"] = tac.STATES.get(row["tac"])
    return ["" if shown[name] is None else str(shown[name]) for name in COLUMNS]


def table(listed: list[Row]) -> str:
    """The rows under their heads."""
    lines = [list(COLUMNS.values()), *(texts(row) for row in listed)]
    return aligned(lines, {list(COLUMNS).index(name) for name in ("number", *AMOUNTS)})


def aligned(lines: list[list[str]], right: set[int]) -> str:
    """Rows of one length each under another; right: the columns that end flush."""
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    text = []
    for line in lines:
        cells = []
        for at, (cell, width) in enumerate(zip(line, widths, strict=True)):
            gap = " " * (width - _width(cell))
            cells.append(gap + cell if at in right else cell + gap)
        text.append("  ".join(cells).rstrip())
    return "\n".join(text)


def _width(text: str) -> int:
    """In columns: Chinese characters take two each."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def write_csv(listed: Iterable[Row], file: TextIO) -> int:
    """One line a record; amounts in yuan.  What a spreadsheet would run as a formula gets a '."""
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    count = 0
    for row in listed:
        writer.writerow(["'" + c if c[:1] in ("=", "+", "-", "@") else c for c in texts(row)])
        count += 1
    return count
