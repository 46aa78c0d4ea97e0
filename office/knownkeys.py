"""keys.json: the keys one knows beforehand, to judge batch files by (docs/backoffice.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from firmware.journal.algorithms import ED25519, EDDSA, ES256, ESP256, key_id, written

ALGORITHMS = {number: written(number) for number in (EDDSA, ED25519, ES256, ESP256)}
"""COSE algorithm -> the number under which its key is listed."""


@dataclass(frozen=True, slots=True)
class KnownKey:
    """algorithm: as ALGORITHMS lists it.  first, last: the records it may sign; None: no end."""

    algorithm: int
    public_key: bytes
    first: int = 1
    last: int | None = None

    def signs_with(self, algorithm: int) -> bool:
        return ALGORITHMS.get(algorithm) == self.algorithm

    def covers(self, first: int, last: int) -> bool:
        """Whether it may sign any of these records."""
        return self.first <= last and (self.last is None or first <= self.last)


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """units: id -> its keys; office: every key that may have signed receipts."""

    units: dict[str, list[KnownKey]] = field(default_factory=dict)
    office: list[KnownKey] = field(default_factory=list)

    def of_statement(
        self, unit: str, kid: bytes, algorithm: int, first: int, last: int
    ) -> bytes | None:
        """The public key of a statement over these records, None for a stranger."""
        for key in self.units.get(unit, ()):
            is_named = key.signs_with(algorithm) and key_id(key.public_key) == kid
            if is_named and key.covers(first, last):
                return key.public_key
        return None

    def of_record(self, unit: str, kid: bytes, algorithm: int, number: int) -> bytes | None:
        return self.of_statement(unit, kid, algorithm, number, number)

    def to_json(self) -> dict[str, Any]:
        units = {
            unit: [{**_to_json(key), "first": key.first, "last": key.last} for key in keys]
            for unit, keys in self.units.items()
        }
        return {"units": units, "office": [_to_json(key) for key in self.office]}


def _to_json(key: KnownKey) -> dict[str, Any]:
    return {"algorithm": key.algorithm, "public_key": key.public_key.hex()}


def parse(document: Any) -> KnownKeys:
    """From the document's JSON; raises ValueError when it is not in its form."""
    try:
        units = {
            str(unit): [_key(each, each["first"], each["last"]) for each in keys]
            for unit, keys in document["units"].items()
        }
        return KnownKeys(units, [_key(each) for each in document["office"]])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None


def _key(row: Any, first: int = 1, last: int | None = None) -> KnownKey:
    if type(first) is not int or not (last is None or type(last) is int):
        raise ValueError("first and last are record numbers")
    algorithm = row["algorithm"]
    return KnownKey(
        ALGORITHMS.get(algorithm, algorithm), bytes.fromhex(row["public_key"]), first, last
    )
