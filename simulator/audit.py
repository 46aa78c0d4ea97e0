"""Is all the money where the office's records say?  Held against the simulator's own file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from simulator.region import Region

LOAD = 0x31
_LOG_TYPE, _LOG_AMOUNT = 2, slice(16, 20)  # of a log record, see settlement.py

Row = dict[str, Any]
"""One record as `sscoffice day --json` tells it."""


@dataclass(frozen=True)
class Money:
    """What a card holds, in fen.  loads_fen: those in its log.  serial: of its next purchase."""

    balance_fen: int
    yearly_self_fen: int
    yearly_pooled_fen: int
    loads_fen: int
    serial: int


@dataclass(frozen=True)
class Account:
    """One card's morning.  expected: what the records make of `before`; due when all is well."""

    card_number: str
    name: str
    before: Money
    expected: Money
    found: Money

    @property
    def is_right(self) -> bool:
        return self.expected == self.found

    def differences(self) -> list[str]:
        """One line for each value that is not as due."""
        due, found = asdict(self.expected), asdict(self.found)
        return [
            f"card {self.card_number}: {name} is {found[name]}, due is {due[name]}"
            for name in due
            if found[name] != due[name]
        ]


def money_of(state: Path) -> dict[str, Money]:
    """By card number, from the state file.  Raises OSError, ValueError."""
    return {
        card.card_number: Money(
            card.balance_fen,
            card.yearly_self_fen,
            card.yearly_pooled_fen,
            sum(_load_fen(record) for record in card.log),
            card.purchase_serial,
        )
        for card in Region.load(state).cards.values()
    }


def _load_fen(record: bytes) -> int:
    return int.from_bytes(record[_LOG_AMOUNT], "big") if record[_LOG_TYPE] == LOAD else 0


def moved(row: Row, mapping: str) -> tuple[int, int, int]:
    """What a DONE takes from the account and adds to the yearly totals, self-pay and pooled.

    literal: the three amounts.  national: nothing, their total, account and pooled together.
    """
    account, own, pooled = row["account"], row["self"], row["pooled"]
    if mapping == "national":
        return 0, account + own + pooled, account + pooled
    return account, own, pooled


def accounts(
    before: Mapping[str, Money],
    found: Mapping[str, Money],
    names: Mapping[str, str],
    rows: Iterable[Row],
    mappings: Mapping[str, str],
) -> list[Account]:
    """One for each card.  mappings: of each unit.  Raises ValueError for a DONE of no such card."""
    taken: dict[str, Counter[str]] = {number: Counter() for number in before}
    for row in rows:
        if row["kind"] != "DONE":
            continue
        if row["card"] not in taken:
            raise ValueError(f"record {row['number']} is a payment of an unknown card")
        amounts = moved(row, mappings[row["unit"]])
        sums = dict(zip(("account", "self", "pooled"), amounts, strict=True))
        taken[row["card"]].update(sums | {"count": 1})
    return [
        Account(
            number,
            names[number],
            start,
            Money(
                start.balance_fen + found[number].loads_fen - start.loads_fen - done["account"],
                start.yearly_self_fen + done["self"],
                start.yearly_pooled_fen + done["pooled"],
                found[number].loads_fen,
                start.serial + done["count"],
            ),
            found[number],
        )
        for number, start in before.items()
        for done in (taken[number],)
    ]


@dataclass(frozen=True)
class Verdict:
    """written: records the terminals wrote.  listed: rows of the day's table.

    found: what `sscoffice check --json` told.  book: each order's state, as its host was told.
    """

    written: int
    listed: int
    found: dict[str, Any]
    accounts: list[Account]
    book: Mapping[str, str]

    def complaints(self) -> list[str]:
        """Why it is not well, one line each; empty when it is."""
        found, told = self.found, Counter(self.book.values())
        lines = [f"the office finds: {each}" for each in found["problems"]]
        if not found["ok"]:
            lines.append("the office does not find its store whole")
        for name in ("gaps", "duplicates", "damaged", "open", "refused"):
            if found[name]:
                lines.append(f"{name}: {found[name]}")
        if not self.written == found["records"] == found["verified"] == self.listed:
            counts = f"{found['records']} stored, {found['verified']} verified"
            lines.append(f"{self.written} records written, {counts}, {self.listed} listed")
        for state, count in found["purchases"].items():
            if count != told[state.upper()]:
                hosts = told[state.upper()]
                lines.append(f"{state}: {count} in the office, {hosts} as the hosts were told")
        return lines + [line for each in self.accounts for line in each.differences()]

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": not self.complaints(),
            "records": self.written,
            "verified": self.found["verified"],
            "gaps": self.found["gaps"],
            "duplicates": self.found["duplicates"],
            "money_conserved": all(each.is_right for each in self.accounts),
            "purchases": self.found["purchases"],
        }
