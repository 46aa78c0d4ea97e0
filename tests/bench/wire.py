"""What a record costs on the line: a day of a pharmacy, sealed in batches of 500.

Every field that differs from card to card or from payment to payment is random or follows from
random ones; nothing is taken from a simulator, whose cards resemble each other.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

from firmware.journal import batch, kinds, merkle, packing
from firmware.journal.cose import Ed25519Signer, new_seed
from firmware.journal.kinds import KIND_DONE, KIND_INTENT, KIND_TOTALS
from firmware.journal.record import NO_PREVIOUS, Record, build, short_intent
from firmware.journal.statement import sign_statement
from tests.bench.figure import Figure

UNIT = "310101-pharmacy-0417"
BATCH = 500  # records
OPENS_MS = 1_795_305_600_000  # 2026-11-22 08:00 in China
CHINA_S = 8 * 3600
ASKED_BYTES = 176
ASKED_OVER = 1.15
SIGNATURE, DIGEST = 64, 32
INCOMPRESSIBLE = (kinds.KEY_CARD_RANDOM, kinds.KEY_MAC1, kinds.KEY_MAC2, kinds.KEY_TAC)

_CHIPS = [bytes.fromhex(f"00814A4446866031010{n}4A00{n:02X}") for n in range(1, 7)]
_CLERKS = ["zhang.wei", "li.na", "wang.fang", "chen.jie"]


def measure(records: int) -> dict[str, Figure]:
    """records: of the day; a purchase has three."""
    day = list(_day(records))
    began = time.perf_counter()
    files = [_sealed(day, at) for at in range(0, len(day), BATCH)]
    seconds = time.perf_counter() - began
    size = sum(map(len, files))
    floor = sum(map(_incompressible, day))
    each = size / len(day)
    cost_us = 1e6 * seconds / len(day)
    packed = f"{len(files)} files, {size} B; sealed, packed and read back in {cost_us:.0f} us"
    return {
        "batch.bytes_per_record": Figure(
            each, "B", ASKED_BYTES,
            f"all bytes of the batch files over {len(day)} records, INTENT, DONE and TOTALS of "
            f"random purchases ({packed} a record); reference: asked at most; "
            f"before packing {sum(len(each.raw) for each in day) / len(day):.0f} B",
        ),
        "batch.over_incompressible": Figure(
            size / floor, "times", ASKED_OVER,
            f"the same bytes over what cannot be pressed: signature {SIGNATURE}, hash {DIGEST}, "
            f"MAC1, MAC2, TAC and card random, {floor / len(day):.1f} B a record here; "
            "reference: asked at most.  Hashes follow from the records and are not sent, which "
            "pays for card ids, numbers and amounts, random as well",
        ),
    }  # fmt: skip


def _incompressible(one: Record) -> int:
    """Bytes of signature, hash, MACs, TAC and randoms that really are in the record."""
    return SIGNATURE + DIGEST + sum(len(one.body[key]) for key in INCOMPRESSIBLE if key in one.body)


def _sealed(day: list[Record], at: int) -> bytes:
    """The file of one batch, made by the code that seals."""
    kept = day[at : at + BATCH]
    stated = sign_statement(
        _SIGNER, unit=UNIT, batch=at // BATCH + 1, first=kept[0].number, last=kept[-1].number,
        root=merkle.root([merkle.leaf(each.raw) for each in kept]), previous=_RANDOM.randbytes(32),
        time=kept[-1].time_ms, damaged=[],
    )  # fmt: skip
    raw = batch.make_file(stated.raw, packing.pack([each.raw for each in kept]))
    if batch.records_of(batch.open_file(raw)).raws != [each.raw for each in kept]:
        raise RuntimeError("a batch did not come back as it went")
    return raw


_RANDOM = random.SystemRandom()
_SIGNER = Ed25519Signer(new_seed())


def _day(records: int) -> Iterator[Record]:
    """So many records, each signed and chained."""
    at_ms, previous, order = OPENS_MS, NO_PREVIOUS, 100_000
    purchase: Iterator[tuple[int, dict[int, Any]]] = iter(())
    for number in range(1, records + 1):
        step = next(purchase, None)
        if step is None:
            order += _RANDOM.randrange(1, 9)
            at_ms += _RANDOM.randrange(2_000, 30_000)
            purchase = _purchase(number, order, at_ms)
            step = next(purchase)
        kind, body = step
        at_ms += _RANDOM.randrange(50, 400)
        one = build(
            kind, body, unit=UNIT, number=number, boot=37, time_ms=at_ms, trust=1, profile=1,
            previous=previous, signer=_SIGNER,
        )  # fmt: skip
        previous = one.digest
        yield one


def _purchase(number: int, order: int, at_ms: int) -> Iterator[tuple[int, dict[int, Any]]]:
    """INTENT, DONE and TOTALS of one card that comes once."""
    draw, spent = _RANDOM.randrange, _RANDOM.randrange(100, 30_000)
    before_fen, before = draw(500_000), draw(30)
    local = time.strftime("%Y%m%d%H%M%S", time.gmtime(at_ms // 1000 + CHINA_S))
    asked = {22: spent, 23: draw(5_000), 24: draw(3) and draw(20_000)}
    whole = {
        1: f"20261122{order:06d}", 2: _RANDOM.choice(_CLERKS), 3: bytes.fromhex("310100000417"),
        4: (number // 3 + 51_000).to_bytes(4, "big"), 5: _RANDOM.randbytes(16),
        6: f"{_RANDOM.choice('ABCDEFGH')}{draw(10**8):08d}", 7: _RANDOM.choice(_CHIPS),
        8: 1, 9: 1, 10: 1, 11: draw(1, 900), 12: _RANDOM.randbytes(4),
        13: b"".join(each.to_bytes(4, "big") for each in asked.values()), 14: 0x32,
        15: bytes.fromhex(local), 16: _RANDOM.randbytes(4), 17: spent + draw(1_000_000),
        18: draw(200_000), 19: draw(2_000_000), 20: b"\x20\x26", 21: [1, before_fen, before],
        **asked, 25: 1,
    }  # fmt: skip
    yield KIND_INTENT, short_intent(whole)
    settled = {31: _RANDOM.randbytes(4), 32: _RANDOM.randbytes(4), 33: 1, 34: 1, 35: 1, 36: 1}
    yield KIND_DONE, {30: number, **settled}
    totals = {42: before_fen + sum(asked.values()), 43: before + 1, 44: 1}
    yield KIND_TOTALS, {30: number, **totals}
