"""What the page shows of the books: units, a day by site, what does not fit.  Rows with limits.

Every value is JSON-able: times in ms, money in fen, digests and keys in hex.  No card number.
"""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

from firmware.journal import kinds as rec
from firmware.journal.algorithms import key_id
from firmware.outcome import outcomes
from office import day
from office.folder import Folder
from office.keys import keys_of
from office.ledger import COUNTED, stored_fact

Json = dict[str, Any]

UNITS = 100  # on one page
SITES = 1000
BATCHES = 100
FOUND = 100  # of each list of what does not fit
KEPT = 20_000  # values out of records, so as not to unpack their batches again
LATE_MS = 24 * 3_600_000

_FEN = ("account_fen", "self_fen", "pooled_fen")


class Absent(LookupError):
    """There is no such unit, batch or record here."""


class Views:
    """Of one folder, in the thread that made it.  Its methods raise OfficeError, Absent."""

    def __init__(self, folder: Folder):
        self._folder = folder
        self._store = folder.store
        self._told: dict[tuple[str, int], str] = {}

    def words(self) -> Json:
        """The numbers of docs/records.md with their names, and the office itself."""
        self._folder.follow_key()
        signer = self._folder.signer
        return {
            "office": self._store.name(),
            "key_id": key_id(signer.public_key).hex(),
            "envelope": {number: name for number, (name, _) in rec.ENVELOPE.items()},
            "body": {number: name for number, (name, _) in rec.KEYS.items()},
            "kinds": rec.KIND_NAMES,
            "outcomes": {each.number: each.name for each in outcomes()},
        }

    def units(self, after: str = "") -> Json:
        """So many units from that name on, with what is known of each."""
        sql = "SELECT DISTINCT unit FROM keys WHERE unit > ? ORDER BY unit LIMIT ?"
        names = [unit for (unit,) in self._store.rows(sql, after, UNITS + 1)]
        (count,) = self._store.row("SELECT count(DISTINCT unit) FROM keys") or (0,)
        return {
            "count": count,
            "units": [self._unit(unit) for unit in names[:UNITS]],
            "is_more": len(names) > UNITS,
            "now_ms": int(time.time() * 1000),
        }

    def unit(self, unit: str, before: int = 1 << 62) -> Json:
        """One unit with its keys, its gaps, and its batches below that number, newest first."""
        known = keys_of(self._store, unit)
        if not known:
            raise Absent(unit)
        names = ("batch", "first", "last", "records", "sealed_ms", "received_ms", "quarantined")
        sql = (
            f"SELECT {', '.join(names)} FROM batches WHERE unit = ? AND batch < ?"
            " ORDER BY batch DESC LIMIT ?"
        )
        rows = self._store.rows(sql, unit, before, BATCHES + 1)
        return self._unit(unit) | {
            "keys": [
                {"key_id": e.key_id.hex(), "algorithm": e.algorithm, "first": e.first,
                 "last": e.last}
                for e in known
            ],
            "gaps": [list(each[1:]) for each in self._store.holes(unit)[:FOUND]],
            "batches": [dict(zip(names, row, strict=True)) for row in rows[:BATCHES]],
            "is_more": len(rows) > BATCHES,
        }  # fmt: skip

    def sites(self, date: str | None = None) -> Json:
        """A day's payments by site; date: YYYY-MM-DD in China, that of the newest record if None.

        As `sscoffice report` counts them: each record on its own day, money of the DONE alone.
        """
        date = date or day.newest_day(self._store)
        if date is None:
            return {"date": None, "count": 0, "sites": [], "total": _site([])}
        start_ms = day.start_ms(date)
        end_ms = start_ms + 86_400_000
        marks = ", ".join("?" * len(COUNTED))
        sql = (
            "SELECT r.unit, r.kind, count(*), sum(p.account_fen), sum(p.self_fen),"
            " sum(p.pooled_fen) FROM batches b JOIN records r ON r.unit = b.unit"
            " AND r.number BETWEEN b.first AND b.last AND r.batch = b.batch"
            " LEFT JOIN payments p ON p.unit = r.unit AND p.intent = r.intent"
            f" WHERE b.newest_ms >= ? AND b.oldest_ms < ? AND r.kind IN ({marks})"
            " AND r.time_ms >= ? AND r.time_ms < ? GROUP BY r.unit, r.kind ORDER BY r.unit"
        )
        found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        rows = self._store.rows(sql, start_ms, end_ms, *COUNTED, start_ms, end_ms)
        for unit, *row in rows:
            found[unit].append(tuple(row))
        sites = [{"unit": unit} | _site(each) for unit, each in sorted(found.items())]
        return {
            "date": date,
            "count": len(sites),
            "sites": sites[:SITES],
            "total": _site([each for several in found.values() for each in several]),
        }

    def findings(self) -> Json:
        """What does not fit, as far as the rows tell; the rest is for `sscoffice report`."""
        rows = self._store.rows
        lists: Json = {
            "gaps": ("unit first last", self._store.holes()),
            "duplicates": ("unit number other_unit other_number", self._duplicates()),
            "forks": (
                "unit batch detail seen_ms",
                rows("SELECT unit, batch, detail, seen_ms FROM findings ORDER BY seen_ms DESC"
                     " LIMIT ?", FOUND + 1),
            ),
            "quarantined": (
                "unit batch why",
                rows("SELECT unit, batch, quarantined FROM batches WHERE quarantined IS NOT NULL"
                     " ORDER BY unit, batch LIMIT ?", FOUND + 1),
            ),
            "late": (
                "unit batch newest_ms received_ms",
                rows("SELECT unit, batch, newest_ms, received_ms FROM batches"
                     " WHERE received_ms - newest_ms > ? ORDER BY unit, batch LIMIT ?",
                     LATE_MS, FOUND + 1),
            ),
            "uncertain": (
                "unit number",
                rows("SELECT p.unit, p.intent FROM payments p WHERE p.state = ? AND NOT EXISTS ("
                     "SELECT 1 FROM resolutions r WHERE r.unit = p.unit AND r.intent = p.intent)"
                     " ORDER BY p.unit, p.intent LIMIT ?", rec.KIND_UNCERTAIN, FOUND + 1),
            ),
        }  # fmt: skip
        return {
            name: {
                "count": min(len(found), FOUND),
                "is_more": len(found) > FOUND,
                "rows": [dict(zip(columns.split(), each, strict=True)) for each in found[:FOUND]],
            }
            for name, (columns, found) in lists.items()
        }

    def _duplicates(self) -> list[tuple[Any, ...]]:
        """Two DONE of one purchase of one card; what was begun twice stands in one index."""
        sql = (
            "WITH twice AS (SELECT card_id, purchase_serial FROM payments"
            " GROUP BY card_id, purchase_serial HAVING count(*) > 1)"
            " SELECT a.unit, a.settled, b.unit, b.settled FROM twice t"
            " JOIN payments a ON a.card_id = t.card_id AND a.purchase_serial = t.purchase_serial"
            " JOIN payments b ON b.card_id = t.card_id AND b.purchase_serial = t.purchase_serial"
            " WHERE a.state = ? AND b.state = ?"
            " AND (a.unit < b.unit OR a.unit = b.unit AND a.intent < b.intent)"
            " ORDER BY a.unit, a.settled LIMIT ?"
        )
        done = rec.KIND_DONE
        return self._store.rows(sql, done, done, FOUND + 1)

    def _unit(self, unit: str) -> Json:
        store = self._store
        state = store.row("SELECT batch, last, revoked_ms FROM units WHERE unit = ?", unit)
        batch, last, revoked_ms = state or (0, 0, None)
        seen = store.row(
            "SELECT received_ms FROM batches WHERE unit = ? AND batch = ?", unit, batch
        )
        found = store.row("SELECT count(*) FROM findings WHERE unit = ?", unit)
        return {
            "unit": unit,
            "batch": batch,
            "last": last,
            "seen_ms": None if seen is None else seen[0],
            "missing": sum(end - first + 1 for _, first, end in store.holes(unit)),
            "firmware": self._newest(unit, rec.KIND_START, rec.KEY_FIRMWARE),
            "psam": self._newest(unit, rec.KIND_PSAM_SEEN, rec.KEY_TERMINAL),
            "revoked_ms": revoked_ms,
            "findings": found[0] if found else 0,
        }

    def _newest(self, unit: str, kind: int, key: int) -> str | None:
        """That value of the unit's newest record of that kind."""
        sql = "SELECT number FROM records WHERE unit = ? AND kind = ? ORDER BY number DESC LIMIT 1"
        row = self._store.row(sql, unit, kind)
        if row is None:
            return None
        place = unit, row[0]
        if place not in self._told:
            fact = stored_fact(self._store, *place)
            if len(self._told) >= KEPT:
                self._told.clear()
            value = None if fact is None else fact.body.get(key)
            self._told[place] = value.hex() if isinstance(value, bytes) else str(value or "?")
        return self._told[place]


def _site(rows: list[tuple[Any, ...]]) -> Json:
    """rows: (kind, count, sums of the three amounts)."""
    made: Json = dict.fromkeys((*COUNTED.values(), *_FEN), 0)
    for kind, count, *sums in rows:
        made[COUNTED[kind]] += count
        if kind == rec.KIND_DONE:
            for name, fen in zip(_FEN, sums, strict=True):
                made[name] += int(fen or 0)
    return made
