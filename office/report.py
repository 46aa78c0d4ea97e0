"""What an office looks at: each site's day in sums, and everything in the books that does not fit.

    gaps         numbers of a unit that never came
    duplicates   one purchase of a card reported as DONE twice
    late         batches that came more than `late_h` after their newest record
    clock        the unit's clock set by more than a minute, or time that runs backwards
    tampers      the switch of a case: opened, and cleared by whom
    psam         a PSAM's serial that the records do not explain
    chains       a card whose balance is not what its payment before left
    uncertain    payments whose end nobody saw, resolved by the card's next visit or not

One walk over the stored records, in memory one line for each payment in the period.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from firmware.journal import kinds as rec
from office import resolve
from office.day import local
from office.ledger import COUNTED, Fact, Money, Progress, facts, money_of
from office.store import Store

LATE_H = 24.0
CLOCK_STEP_MS = 60_000
TRUST_NONE = 0  # of a record's time (docs/records.md)
EXPLAINED_STEPS = (1, 2)
"""Of a PSAM's serial between two INTENTs: an INIT SAM without an INTENT leaves no record."""

_SETTLED = (rec.KIND_DONE, rec.KIND_VOID, rec.KIND_SUSPECT, rec.KIND_UNCERTAIN)
ALARMING = ("gaps", "duplicates", "psam", "chains")
"""What makes the report end with status 1: money or records may be missing or doubled."""


@dataclass
class SiteDay:
    """Payments and loads of one unit on one day in China; fen."""

    counts: Counter[str] = field(default_factory=Counter)
    account_fen: int = 0
    self_fen: int = 0
    pooled_fen: int = 0
    loaded_fen: int = 0


class Payment(NamedTuple):
    """One visit of a card: an INTENT and its newest outcome, None while it has none."""

    serial: int
    time_ms: int
    unit: str
    number: int
    money: Money
    year: bytes
    state: int | None


@dataclass
class Report:
    """Each list holds what `--json` shows, a mapping each."""

    sites: dict[tuple[str, str], SiteDay] = field(default_factory=lambda: defaultdict(SiteDay))
    gaps: list[dict[str, Any]] = field(default_factory=list)
    duplicates: list[dict[str, Any]] = field(default_factory=list)
    late: list[dict[str, Any]] = field(default_factory=list)
    clock: list[dict[str, Any]] = field(default_factory=list)
    tampers: list[dict[str, Any]] = field(default_factory=list)
    psam: list[dict[str, Any]] = field(default_factory=list)
    chains: list[dict[str, Any]] = field(default_factory=list)
    uncertain: list[dict[str, Any]] = field(default_factory=list)
    records: int = 0

    @property
    def is_alarming(self) -> bool:
        return any(getattr(self, name) for name in ALARMING)

    def to_json(self) -> dict[str, Any]:
        sites = [
            {
                "unit": unit,
                "day": day,
                **{name: found.counts[name] for name in COUNTED.values()},
                "account_fen": found.account_fen,
                "self_fen": found.self_fen,
                "pooled_fen": found.pooled_fen,
                "loaded_fen": found.loaded_fen,
            }
            for (unit, day), found in sorted(self.sites.items())
        ]
        others = ("late", "clock", "tampers", "uncertain")
        lists = {name: getattr(self, name) for name in (*ALARMING, *others)}
        return {"ok": not self.is_alarming, "records": self.records, "sites": sites, **lists}


def report(
    store: Store,
    *,
    date: str | None = None,
    unit: str | None = None,
    late_h: float = LATE_H,
    progress: Progress = lambda done, of: None,
) -> Report:
    """date: YYYY-MM-DD, None for every day; the sums and `late` are of that day, what does not fit
    is looked for in everything.  unit: None for all; a card's chain is always seen over all."""
    made = Report()
    made.gaps = [
        {"unit": name, "first": first, "last": last} for name, first, last in store.holes(unit)
    ]
    made.duplicates = _duplicates(store, unit)
    made.late = _late(store, date, unit, late_h)
    cards: dict[bytes, list[Payment]] = defaultdict(list)
    walk: _Unit | None = None
    for each in facts(store, progress=progress):
        if walk is None or walk.unit != each.unit:
            if walk is not None:
                walk.hand_in(cards)
            walk = _Unit(each.unit, made, date, unit in (None, each.unit))
        walk.follow(each)
    if walk is not None:
        walk.hand_in(cards)
    decided = {(each.unit, each.intent): each for each in resolve.resolved(store)}
    for card_id, visits in cards.items():
        made.chains += _breaks(card_id, visits, unit)
        made.uncertain += _uncertain(visits, decided, unit)
    return made


class _Unit:
    """The records of one unit in order."""

    def __init__(self, unit: str, made: Report, date: str | None, is_shown: bool):
        self.unit = unit
        self._made = made
        self._date = date
        self._is_shown = is_shown
        self._before: Fact | None = None
        self._begun: dict[int, Fact] = {}
        self._states: dict[int, int] = {}
        self._serials: dict[tuple[bytes, bool], tuple[int, int]] = {}

    def follow(self, each: Fact) -> None:
        if self._is_shown:
            self._made.records += 1
            self._check_clock(each)
            self._check_serial(each)
            self._note_case(each)
        if each.kind in (rec.KIND_INTENT, rec.KIND_LOAD_INTENT):
            self._begun[each.number] = each
        if each.kind in COUNTED:
            self._count(each)
        if each.kind in _SETTLED:
            self._states[each.body[rec.KEY_INTENT]] = each.kind
        self._before = each

    def _check_clock(self, each: Fact) -> None:
        before = self._before
        if each.kind == rec.KIND_CLOCK:
            step_ms = each.body[rec.KEY_NEW_TIME] - each.body[rec.KEY_OLD_TIME]
            what = "set"
        elif before is not None and TRUST_NONE not in (before.trust, each.trust):
            step_ms, what = min(0, each.time_ms - before.time_ms), "backwards"
        else:
            return
        if abs(step_ms) > CLOCK_STEP_MS:
            found = {"unit": self.unit, "number": each.number, "what": what, "step_ms": step_ms}
            self._made.clock.append(found)

    def _check_serial(self, each: Fact) -> None:
        """Each environment of a PSAM counts its own: SM4 (3) and the DES family."""
        if each.kind not in (rec.KIND_INTENT, rec.KIND_PSAM_SEEN):
            return
        body = each.body
        key = (body[rec.KEY_TERMINAL], body.get(rec.KEY_ALGORITHM) == 3)
        serial = int.from_bytes(body[rec.KEY_TERMINAL_SERIAL], "big")
        before = self._serials.get(key)
        self._serials[key] = serial, each.number
        if each.kind == rec.KIND_PSAM_SEEN:
            is_odd = not body[rec.KEY_EXPLAINED]
        else:
            steps = None if before is None else (serial - before[0]) & 0xFFFFFFFF
            is_odd = steps is not None and steps not in (0, *EXPLAINED_STEPS)
        if is_odd:
            self._made.psam.append(
                {
                    "unit": self.unit,
                    "terminal": key[0].hex(),
                    "number": each.number,
                    "serial": serial,
                    "before_number": None if before is None else before[1],
                    "before_serial": None if before is None else before[0],
                }
            )

    def _note_case(self, each: Fact) -> None:
        if each.kind != rec.KIND_TAMPER:
            return
        by = each.body.get(rec.KEY_OPERATOR)  # of a clearing
        found = {
            "unit": self.unit,
            "number": each.number,
            "time_ms": each.time_ms,
            "what": each.body[rec.KEY_DETAIL],
        }
        self._made.tampers.append(found if by is None else found | {"operator": by})

    def _count(self, each: Fact) -> None:
        day = f"{local(each.time_ms):%Y-%m-%d}"
        if not self._is_shown or (self._date is not None and day != self._date):
            return
        found = self._made.sites[self.unit, day]
        found.counts[COUNTED[each.kind]] += 1
        begun = self._begun.get(each.body.get(rec.KEY_INTENT, 0))
        if begun is None:
            return
        if each.kind == rec.KIND_DONE:
            found.account_fen += begun.body[rec.KEY_ACCOUNT_FEN]
            found.self_fen += begun.body[rec.KEY_SELF_FEN]
            found.pooled_fen += begun.body[rec.KEY_POOLED_FEN]
        elif each.kind == rec.KIND_LOAD_DONE:
            found.loaded_fen += begun.body[rec.KEY_LOAD_FEN]

    def hand_in(self, cards: dict[bytes, list[Payment]]) -> None:
        """This unit's payments to the cards they are of."""
        for number, begun in self._begun.items():
            if begun.kind == rec.KIND_INTENT:
                body = begun.body
                cards[body[rec.KEY_CARD_ID]].append(
                    Payment(
                        body[rec.KEY_PURCHASE_SERIAL],
                        begun.time_ms,
                        self.unit,
                        number,
                        money_of(body, begun.kind),
                        body[rec.KEY_YEAR],
                        self._states.get(number),
                    )
                )


def _breaks(card_id: bytes, visits: list[Payment], unit: str | None) -> Iterable[dict[str, Any]]:
    """Neighbours by the card's own serial.  More money than was left is a load at a terminal of
    others; less is money that no record took."""
    visits.sort()
    for one, two in pairwise(visits):
        steps = 1 if one.state == rec.KIND_DONE else 0 if one.state == rec.KIND_VOID else None
        if two.serial - one.serial != steps or unit not in (None, one.unit, two.unit):
            continue
        left_fen = one.money.after[0] if steps else one.money.account
        if two.money.account < left_fen:
            yield {
                "card_id": card_id.hex(),
                "unit": one.unit,
                "intent": one.number,
                "left_fen": left_fen,
                "next_unit": two.unit,
                "next_intent": two.number,
                "found_fen": two.money.account,
            }


def _uncertain(
    visits: list[Payment],
    decided: dict[tuple[str, int], resolve.Resolution],
    unit: str | None,
) -> Iterable[dict[str, Any]]:
    for each in visits:
        if each.state == rec.KIND_UNCERTAIN and unit in (None, each.unit):
            found = decided.get((each.unit, each.number))
            told = "open" if found is None else rec.KIND_NAMES[found.outcome]
            by = {} if found is None else {"by_unit": found.by_unit, "by_intent": found.by_intent}
            yield {"unit": each.unit, "intent": each.number, "resolved": told, **by}


def _duplicates(store: Store, unit: str | None) -> list[dict[str, Any]]:
    rows = store.rows(
        "SELECT a.card_id, a.purchase_serial, a.unit, a.settled, b.unit, b.settled"
        " FROM payments a JOIN payments b ON b.card_id = a.card_id"
        " AND b.purchase_serial = a.purchase_serial AND b.state = ? AND a.state = ?"
        " AND (a.unit < b.unit OR a.unit = b.unit AND a.intent < b.intent)"
        " ORDER BY a.unit, a.settled",
        *(rec.KIND_DONE, rec.KIND_DONE),
    )
    names = ("card_id", "purchase_serial", "unit", "number", "other_unit", "other_number")
    found = [dict(zip(names, (row[0].hex(), *row[1:]), strict=True)) for row in rows]
    return [each for each in found if unit in (None, each["unit"], each["other_unit"])]


def _late(store: Store, date: str | None, unit: str | None, late_h: float) -> list[dict[str, Any]]:
    rows = store.rows(
        "SELECT unit, batch, newest_ms, received_ms FROM batches WHERE quarantined IS NULL"
        " AND received_ms - newest_ms > ? ORDER BY unit, batch",
        int(late_h * 3_600_000),
    )
    return [
        {"unit": name, "batch": batch, "hours": round((received - newest) / 3_600_000, 1)}
        for name, batch, newest, received in rows
        if unit in (None, name) and date in (None, f"{local(newest):%Y-%m-%d}")
    ]
