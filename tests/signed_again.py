"""Right batches with changes that a verifier must accept, signed again by the terminal itself.

Each function of HARMLESS and HARMFUL takes (random numbers, a right case) and returns a batch file.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.batch_cases import Case, intent, payload_of
from tests.batch_writer import (
    BATCH,
    RECORD,
    Message,
    Signer,
    cbor,
    file_of,
    pack_parts,
    sha,
    sign,
)

Make = Callable[[random.Random, Case], bytes]
HARMLESS: dict[str, Make] = {}
HARMFUL: dict[str, Make] = {}


def harmless(make: Make) -> Make:
    HARMLESS[make.__name__] = make
    return make


def harmful(make: Make) -> Make:
    HARMFUL[make.__name__] = make
    return make


Change = Callable[[dict[Any, Any]], Any]


def signed_again(
    case: Case,
    changes: dict[int, Change],
    algorithm: int | None = None,
    keep_previous: bool = False,
) -> list[Message]:
    """The case's records with those at the positions changed, the chain and signatures made new."""
    records: list[Message] = []
    for position, number in enumerate(case.numbers):
        fields = copy.deepcopy(case.payloads[position])
        follows = position and number == case.numbers[position - 1] + 1
        if follows and not keep_previous:
            fields[8] = sha(records[-1].raw)
        changed = changes.get(position, lambda same: same)(fields)
        fields = fields if changed is None else changed
        payload = fields if isinstance(fields, bytes) else cbor(fields)
        signer = case.signer_at(number)
        written = algorithm if algorithm in twins(signer) else None
        records.append(sign(signer, payload, RECORD, written))
    return records


def twins(signer: Signer) -> tuple[int, int]:
    return (-8, -19) if signer.algorithm == -8 else (-7, -9)


def sealed(
    case: Case, records: list[Message], parts: Any = None, fields: Any = None, **changed: Any
) -> bytes:
    """A file of those records; fields: a change of the statement's; changed: of the batch's."""
    batch = replace(case.batch, records=records, **changed)
    statement = batch.statement_fields() | (fields or {})
    message = sign(batch.signer, cbor(statement), BATCH)
    return file_of(message, pack_parts(records) if parts is None else parts)


def somewhere(rng: random.Random, case: Case) -> int:
    return rng.randrange(len(case.numbers))


# --- harmless -----------------------------------------------------------------------------------

DEEP = [[[[[[1]]]]]]  # with envelope and body: the deepest that is allowed
NEWS: tuple[Any, ...] = (0, 1 << 63, "文", b"", [], {}, [1, ["x"]], {1: {2: 3}}, -1, DEEP)


@harmless
def unknown_keys_in_envelopes(rng: random.Random, case: Case) -> bytes:
    key: Any = rng.choice((10, 23, 24, 255, 256, 65_536, 1 << 40, "x", "", "later"))
    value = rng.choice(NEWS)
    positions = rng.sample(range(len(case.numbers)), 3)
    return sealed(case, signed_again(case, dict.fromkeys(positions, lambda f: f | {key: value})))


@harmless
def unknown_keys_in_bodies(rng: random.Random, case: Case) -> bytes:
    news = {rng.randrange(200, 1 << 33): rng.choice((*NEWS, None, True, [None, {1: False}]))}
    news |= {rng.choice(("a", "neu", "新")): rng.choice(NEWS)}

    def change(fields: dict[Any, Any]) -> None:
        fields[9] |= news

    return sealed(case, signed_again(case, {somewhere(rng, case): change}))


@harmless
def unknown_kinds(rng: random.Random, case: Case) -> bytes:
    bodies: tuple[Any, ...] = (
        {}, {1: 5}, {"x": None}, {50: [True]}, {-1: 2, -7: {-2: 1}}, {1: b"", 2: {}, 3: -5},
        intent(rng), {72: 1, 30: "x", 99: DEEP},
    )  # fmt: skip

    def change(fields: dict[Any, Any]) -> dict[Any, Any]:
        return fields | {6: rng.choice((0, 13, 99, 1 << 50)), 9: rng.choice(bodies)}

    positions = rng.sample(range(len(case.numbers)), 4)
    return sealed(case, signed_again(case, dict.fromkeys(positions, change)))


@harmless
def unknown_keys_in_the_statement(rng: random.Random, case: Case) -> bytes:
    key: Any = rng.choice((9, 24, 1 << 32, "later", ""))
    return sealed(case, case.batch.records, fields={key: rng.choice(NEWS)})


@harmless
def the_other_numbers_of_the_algorithms(rng: random.Random, case: Case) -> bytes:
    return sealed(case, signed_again(case, {}, rng.choice((-19, -9))))


@harmless
def two_numbers_of_one_algorithm(rng: random.Random, case: Case) -> bytes:
    records = list(case.batch.records)
    at = len(records) - 1
    signer = case.signer_at(case.numbers[at])
    records[at] = sign(signer, records[at].payload, RECORD, twins(signer)[1])
    return sealed(case, records)


@harmless
def a_record_of_3072_bytes(rng: random.Random, case: Case) -> bytes:
    at = somewhere(rng, case)
    return sealed(case, signed_again(case, {at: long_record(case, at, 3072)}))


def long_record(case: Case, at: int, size: int) -> Change:
    """A change that makes the record at `at` so many bytes long."""
    signer = case.signer_at(case.numbers[at])

    def change(fields: dict[Any, Any]) -> dict[Any, Any]:
        text = 2600
        while True:
            made = fields | {6: 19, 9: {50: "z" * text}}
            length = len(sign(signer, cbor(made), RECORD).raw)
            if length == size:
                return made
            text += size - length

    return change


@harmless
def another_day(rng: random.Random, case: Case) -> bytes:
    """Other records, another batch number and time, one signer."""
    number = case.batch.first
    records: list[Message] = []
    before, signer = rng.randbytes(32), case.signer_at(case.batch.last)
    first = max(each for each in case.signers if each <= case.batch.last)
    numbers = range(max(first, number), case.batch.last + 1)
    for each in numbers:
        fields = payload_of(case.unit, each, before, 1, intent(rng)) | {4: rng.randrange(1 << 44)}
        records.append(sign(signer, cbor(fields), RECORD))
        before = sha(records[-1].raw)
    return sealed(
        case, records, first=numbers[0], damaged=[], batch=rng.randrange(1, 1 << 40),
        time=rng.randrange(1 << 44), previous=rng.randbytes(32),
    )  # fmt: skip
