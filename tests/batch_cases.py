"""Right batches of several units, every record as real ones are: the ground of the mutations."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import cbor2

from tests.batch_writer import (
    RECORD,
    T0_MS,
    Batch,
    Message,
    Signer,
    cbor,
    sha,
    sign,
    taken_apart,
)

VECTORS = Path(__file__).parent / "vectors" / "batches.json"
OFFICE = Signer("office")
OTHER_OFFICE = Signer("office 2", -7)
STRANGER = Signer("stranger")


def intent(rng: random.Random) -> dict[Any, Any]:
    body = {
        1: f"RX{rng.randrange(10**12):012}", 2: "clerk", 3: rng.randbytes(6), 4: rng.randbytes(4),
        5: rng.randbytes(16), 6: f"A{rng.randrange(10**8):08}", 7: rng.randbytes(13), 8: 0, 9: 1,
        10: 1, 11: rng.randrange(60000), 12: rng.randbytes(4), 15: rng.randbytes(7),
        16: rng.randbytes(4), 17: rng.randrange(1 << 24), 18: 0, 19: 0, 22: rng.randrange(1 << 17),
        23: 0, 24: 0, 21: [1, rng.randrange(99999), 7],
    }  # fmt: skip
    optional = {13: rng.randbytes(12), 14: 0x32, 20: b"\x20\x26", 25: 1, 28: "1"}
    return body | {key: optional[key] for key in optional if rng.random() < 0.2}


def body_of(kind: int, rng: random.Random, number: int) -> dict[Any, Any]:
    """A body of the kind with every key it needs, and often others."""
    final = {30: max(1, number - 1), 36: rng.choice((1, 501))}
    done = final | {31: rng.randbytes(4), 33: 1, 34: 1, 35: 1}
    bodies: dict[int, dict[Any, Any]] = {
        2: done, 3: final | {37: {"sw": 0x9000, "log": [None, True, b"x"]}}, 4: done,
        5: final, 6: {2: "clerk", 30: 1, 50: "ruled", 65: 1}, 7: {30: 1, 42: 1, 43: 2, 44: 1},
        8: {1: "RX", 2: "clerk", 22: 1, 23: 0, 24: 0, 36: 401}, 16: {
            53: rng.randbytes(32), 54: "0.4", 55: rng.randbytes(16)},
        17: {3: bytes(6), 4: bytes(4), 41: True}, 18: {60: 1, 61: T0_MS}, 19: {50: "门开"},
        20: {2: "clerk", 36: 1, 50: "", 70: "8010", 71: ["EF05/07"], 62: 1, 76: rng.randbytes(60)},
        21: {50: "bad", 58: 1, 59: 2}, 22: {56: "stoplist", 57: rng.randbytes(32), 59: 4},
        23: {62: 1, 63: rng.randbytes(80)}, 32: {2: "clerk"}, 34: {2: "clerk", 30: 1},
        33: {2: "clerk", 51: {1: 2, 501: 1}, 52: {1: 4400}}, 35: {2: "clerk", 30: 1},
        36: {2: "clerk", 30: 1, 38: 2}, 11: final, 12: final, 10: final | {34: 1, 35: 1},
    }  # fmt: skip
    return intent(rng) if kind == 1 else bodies[kind]


def payload_of(unit: str, number: int, previous: bytes, kind: int, body: Any) -> dict[Any, Any]:
    return {
        1: unit, 2: number, 3: 7, 4: T0_MS + 911 * number, 5: 1, 6: kind, 7: 1,
        8: previous, 9: body,
    }  # fmt: skip


KINDS = (1, 2, 7, 1, 3, 1, 2, 7, 8, 1, 5, 34, 20, 17, 18, 33, 16, 22, 36, 23, 4, 6, 10, 11, 12)


def chain(
    unit: str, numbers: list[int], signers: dict[int, Signer], rng: random.Random,
) -> tuple[list[Message], list[dict[Any, Any]]]:  # fmt: skip
    """Right records of those numbers and what they say; signers: from which number on who signs."""
    records: list[Message] = []
    payloads: list[dict[Any, Any]] = []
    previous = sha(f"before {numbers[0]}".encode())
    for position, number in enumerate(numbers):
        if records:
            lost = number != numbers[position - 1] + 1
            previous = sha(b"lost") if lost else sha(records[-1].raw)
        signer = signers[max(each for each in signers if each <= number)]
        change = signers.get(number + 1)
        kind = rng.choice(KINDS)
        body = body_of(kind, rng, number)
        if change is not None and number > numbers[0]:
            kind, body = 24, {53: change.public, 64: -change.algorithm}
        payloads.append(payload_of(unit, number, previous, kind, body))
        records.append(sign(signer, cbor(payloads[-1]), RECORD))
    return records, payloads


class Case:
    """One right batch, and who may sign for its unit."""

    def __init__(
        self, unit: str, first: int, last: int, signers: dict[int, Signer], seed: int,
        damaged: list[list[int]] | None = None,
    ):  # fmt: skip
        rng = random.Random(seed)
        self.unit, self.signers, self.damaged = unit, signers, damaged or []
        lost = {n for low, high in self.damaged for n in range(low, high + 1)}
        self.numbers = [n for n in range(first, last + 1) if n not in lost]
        records, self.payloads = chain(unit, self.numbers, signers, rng)
        self.batch = Batch(
            unit, self.signer_at(last), records, first, last, 1 + seed % 9, self.damaged,
            rng.randbytes(32) if seed % 9 else bytes(32),
        )  # fmt: skip

    def signer_at(self, number: int) -> Signer:
        return self.signers[max(each for each in self.signers if each <= number)]

    def keys(self) -> list[dict[str, Any]]:
        """Its rows of keys.json."""
        firsts = sorted(self.signers)
        ends = [*(each - 1 for each in firsts[1:]), None]
        return [self.signers[low].row(low, end) for low, end in zip(firsts, ends, strict=True)]


class SealedCase(Case):
    """A batch that the firmware sealed (tests/vectors/batches.json)."""

    def __init__(self, data: bytes, device: Signer):
        fields, records = taken_apart(data)
        self.unit, self.signers, self.damaged = fields[1], {1: device}, fields[8]
        self.payloads = [cbor2.loads(each.payload) for each in records]
        self.numbers = [each[2] for each in self.payloads]
        self.batch = Batch(
            self.unit, device, records, fields[3], fields[4], fields[2], fields[8],
            fields[6], fields[7],
        )  # fmt: skip


def sealed_by_the_firmware() -> list[SealedCase]:
    made = json.loads(VECTORS.read_text(encoding="utf-8"))
    device = Signer(bytes(range(32)))  # journal_maker's TEST_DEVICE_KEY
    return [SealedCase(bytes.fromhex(each), device) for each in made["batches"]]


def cases() -> list[Case]:
    """The firmware's; units with Ed25519, P-256, a changed key, damage, odd numbers."""
    made: list[Case] = [*sealed_by_the_firmware()]
    for number, unit in enumerate(("pharmacy-7", "社区药店-12")):
        signers = {1: Signer(unit)}
        for each in range(4):
            first = 1 + 16 * each
            made.append(
                Case(unit, first, first + 7 + 2 * each + number, signers, 10 * number + each)
            )
    p256 = {1: Signer("hospital", -7)}
    made += [Case("hospital-3", 100 * n + 1, 100 * n + 9 + n, p256, 40 + n) for n in range(3)]
    to_p256 = {1: Signer("clinic 1"), 206: Signer("clinic 2", -7)}
    made.append(Case("clinic-9", 200, 211, to_p256, 51))
    to_ed = {1: Signer("shop 1", -7), 20: Signer("shop 2"), 70_000: Signer("shop 3")}
    made.append(Case("shop-1", 12, 26, to_ed, 52))
    made.append(Case("shop-1", 69_995, 70_004, to_ed, 53))
    lost = {1: Signer("lost")}
    made.append(Case("lost-4", 300, 315, lost, 61, [[300, 301], [305, 305], [309, 310]]))
    made.append(Case("lost-4", 316, 330, lost, 62, [[318, 321]]))
    # Its numbers, 0x08581C..0x085824, have the bytes 08 58 20 before key 8 (contract of `whole`).
    made.append(Case("far-1", 0x08581C, 0x085824, {1: Signer("far")}, 71))
    return made


def keys_of(made: list[Case]) -> dict[str, Any]:
    """keys.json of all of them."""
    return {
        "units": {case.unit: case.keys() for case in made},
        "office": [
            {"algorithm": office.algorithm, "public_key": office.public.hex()}
            for office in (OFFICE, OTHER_OFFICE)
        ],
    }
