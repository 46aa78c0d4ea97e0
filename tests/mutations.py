"""10,000 changed batches, of which more than 2,000 are as right as before.

    python -m tests.mutations FOLDER [COUNT]

Writes COUNT files *.batch (some with a *.receipt), keys.json, and labels.json: for each file the
name of its change and whether it is harmless, nothing else. The same files on every run.
"""

from __future__ import annotations

import json
import random
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.batch_cases import OFFICE, OTHER_OFFICE, STRANGER, Case, cases, keys_of
from tests.batch_writer import (
    MARK,
    RECORD,
    cbor,
    file_of,
    may_leave_out,
    pack_parts,
    receipt,
    sha,
    tree_root,
    without_previous,
)
from tests.forgeries import odd_headers
from tests.signed_again import HARMFUL, HARMLESS, harmful, harmless, sealed, somewhere

COUNT, HARMLESS_SHARE, SEED = 10_000, 0.26, "mutations 1"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def parts_of(case: Case) -> list[Any]:
    return pack_parts(case.batch.records)


def with_packed(case: Case, packed: Any, codec: Any = 1) -> bytes:
    return file_of(case.batch.statement(), packed, codec)


# --- harmless: other packings of the same records -------------------------------------------------


@harmless
def another_compression(rng: random.Random, case: Case) -> bytes:
    plain = cbor(parts_of(case))
    strategy = rng.choice((zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE))
    packer = zlib.compressobj(rng.randrange(10), zlib.DEFLATED, rng.randrange(9, 16), 8, strategy)
    at = rng.randrange(len(plain))
    packed = packer.compress(plain[:at]) + packer.flush(rng.choice((zlib.Z_FULL_FLUSH, 1)))
    packed += packer.compress(plain[at:]) + packer.flush()
    return cbor([1, case.batch.statement().raw, 1, packed])


@harmless
def no_compression(_rng: random.Random, case: Case) -> bytes:
    return with_packed(case, parts_of(case), 0)


def whole_positions(rng: random.Random, case: Case) -> list[int]:
    records = case.batch.records
    must = {n for n in range(len(records)) if not may_leave_out(records, n)}
    return sorted(must | set(rng.sample(range(len(records)), rng.randrange(len(records)))))


@harmless
def more_payloads_given_whole(rng: random.Random, case: Case) -> bytes:
    whole = whole_positions(rng, case)
    return with_packed(case, pack_parts(case.batch.records, whole), rng.choice((0, 1)))


@harmless
def heads_in_another_order_and_heads_of_nobody(rng: random.Random, case: Case) -> bytes:
    heads, which, whole, payloads, signatures = parts_of(case)
    number = rng.choice((-8, -19, -7, -9))
    spare = [
        [cbor({1: number, 3: RECORD}), rng.randbytes(8)] for _ in range(rng.choice((1, 5, 200)))
    ]
    mixed = rng.sample(heads + spare, len(heads) + len(spare))
    others = bytes(mixed.index(heads[each]) for each in which)
    return with_packed(case, [mixed, others, whole, payloads, signatures])


# --- harmful: the bytes of the file and of the packed records -------------------------------------


def changed_bytes(rng: random.Random, data: bytes) -> bytes:
    """One to three bits flipped, or some bytes cut, taken out, put in, swapped or doubled."""
    at, many = rng.randrange(len(data)), rng.choice((1, 1, 2, 9))
    made = bytearray(data)
    way = rng.randrange(10)
    if way < 5:
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            made[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif way == 5:
        return data[:at]
    elif way == 6:
        del made[at : at + many]
    elif way == 7:
        made[at:at] = rng.randbytes(many)
    elif way == 8:
        made[at : at + many] = rng.randbytes(many)
    else:
        made[at : at + 2 * many] = made[at + many : at + 2 * many] + made[at : at + many]
    return bytes(made)


@harmful
def changed_bytes_in_the_file(rng: random.Random, case: Case) -> bytes:
    right = with_packed(case, parts_of(case), rng.choice((0, 1)))
    statement = cbor([1, case.batch.statement().raw])[1:]
    while True:
        made = changed_bytes(rng, right)
        same = made.startswith(b"\x84" + statement) and unpacked(made) == cbor(parts_of(case))
        if not same:  # bits of a zlib stream that say the same in other words
            return made


def unpacked(data: bytes) -> bytes | None:
    """The records of a file whose statement was not touched, if they unpack at all."""
    for codec, head in ((1, 3), (0, 3)):
        at = data.find(bytes([codec, 0x59]), 200, 400)
        if at > 0 and len(data) == at + 1 + head + int.from_bytes(data[at + 2 : at + 4], "big"):
            try:
                return zlib.decompress(data[at + 4 :]) if codec else data[at + 4 :]
            except zlib.error:
                return None
    return None


@harmful
def changed_bytes_in_the_packed_records(rng: random.Random, case: Case) -> bytes:
    plain = cbor(parts_of(case))
    while (made := changed_bytes(rng, plain)) == plain:
        pass
    return with_packed(case, made, rng.choice((0, 1)))


@harmful
def another_container(rng: random.Random, case: Case) -> bytes:
    raw, plain = case.batch.statement().raw, cbor(parts_of(case))
    packed = zlib.compress(plain)
    right = cbor([1, raw, 1, packed])
    return rng.choice((
        b"", right + b"\0", right + right, cbor([2, raw, 1, packed]), cbor([1, raw, packed]),
        cbor([1, raw, 1, packed, 0]), cbor({1: raw}), cbor([1, raw, 1, packed.hex()]),
        cbor([1, raw.hex(), 1, packed]), cbor([b"\1", raw, 1, packed]), b"\xd2" + right,
        b"\x98\x04" + right[1:], b"\x9f" + right[1:] + b"\xff", cbor([1, raw, -1, packed]),
        cbor([1, b"", 1, packed]), cbor([1, raw, None, packed]), cbor(right),
        right + bytes(4 << 20 | 1 << 16) if rng.random() < 0.1 else right[:1],
    ))  # fmt: skip


@harmful
def another_codec(rng: random.Random, case: Case) -> bytes:
    raw, plain = case.batch.statement().raw, cbor(parts_of(case))
    packed = zlib.compress(plain)
    deflated = packed[2:-4]
    codec, other = rng.choice((
        (2, packed), (23, plain), (1 << 40, packed), (0, packed), (1, plain), (1, b""), (0, b""),
        (1, deflated), (1, packed + b"\0"), (1, packed + packed), (1, packed[:-1]),
        (1, packed[:-4] + bytes(4)), (1, b"\x1f\x8b" + packed[2:]), (1, packed[: len(packed) // 2]),
        (1, zlib.compress(packed)), (1, zlib.compress(plain + bytes(4 << 20))),
        (1, zlib.compress(b"")), (1, b"\x78\xbb" + bytes(4) + deflated),
    ))  # fmt: skip
    return cbor([1, raw, codec, other])


@harmful
def another_shape_of_the_packed_records(rng: random.Random, case: Case) -> bytes:
    heads, which, whole, payloads, signatures = parts_of(case)
    count = len(payloads)
    at = somewhere(rng, case)
    protected, key_id = heads[0]
    odd = odd_headers(rng, RECORD, case.signer_at(case.batch.last).algorithm)
    others: tuple[list[Any], ...] = (
        [[], which, whole, payloads, signatures],
        [[[b"%d" % n, key_id] for n in range(256)], which, whole, payloads, signatures],
        [[*heads, heads[0]], which, whole, payloads, signatures],
        [[[protected, key_id[1:]], *heads[1:]], which, whole, payloads, signatures],
        [[[protected, key_id, 1], *heads[1:]], which, whole, payloads, signatures],
        [[[odd, key_id], *heads[1:]], which, whole, payloads, signatures],
        [[*heads, [odd, key_id]], which, whole, payloads, signatures],
        [heads, bytes([len(heads)]) * count, whole, payloads, signatures],
        [heads, which[1:], whole, payloads, signatures],
        [heads, which + which[:1], whole, payloads, signatures],
        [heads, b"", whole, payloads, signatures],
        [heads, list(which), whole, payloads, signatures],
        [heads, which, [], payloads, signatures], [heads, which, whole[1:], payloads, signatures],
        [heads, which, [*whole, whole[-1]], payloads, signatures],
        [heads, which, [*whole, count], payloads, signatures],
        [heads, which, [*whole, 1 << 63], payloads, signatures],
        [heads, which, [0, "1"], payloads, signatures],
        [heads, which, {0: 0}, payloads, signatures],
        [heads, which, [0, 2, 1], payloads, signatures], [heads, which, None, payloads, signatures],
        [heads, which, whole, payloads[:-1], signatures],
        [heads, which, whole, [*payloads[:at], 7, *payloads[at + 1 :]], signatures],
        [heads, which, whole, [*payloads[:-1], rng.randbytes(20)], signatures],
        [heads, which, whole, payloads, signatures[:-1]],
        [heads, which, whole, payloads, signatures + bytes(64)],
        [heads, which, whole, payloads, signatures.hex()], [heads, which, whole, payloads],
        [heads, which, whole, payloads, signatures, 0], [heads, b"", [], [], b""],
    )  # fmt: skip
    return with_packed(case, rng.choice(others))


@harmful
def payloads_left_out_or_given_wrongly(rng: random.Random, case: Case) -> bytes:
    """`whole` says something else than what was done to the payload."""
    heads, which, whole, payloads, signatures = parts_of(case)
    at = rng.choice([n for n in range(1, len(payloads)) if n not in whole])
    full = case.batch.records[at].payload
    wrong, listed = rng.choice((
        (full, whole), (payloads[at], sorted({*whole, at})),
        (full.replace(MARK, b"\x08\x58\x21", 1), whole),
        (full.replace(MARK, b"\x08\x58\x1f", 1), sorted({*whole, at})),
        (without_previous(full)[:-1], whole), (without_previous(full) + b"\0", whole),
    ))  # fmt: skip
    payloads[at] = wrong
    return with_packed(case, [heads, which, listed, payloads, signatures])


@harmful
def records_mixed_up(rng: random.Random, case: Case) -> bytes:
    """Swapped, dropped, doubled, or of another unit; the root the right one or of what is there."""
    records = list(case.batch.records)
    one, two = rng.sample(range(len(records)), 2)
    stranger = rng.choice([each for each in made_cases() if each.unit != case.unit])
    way = rng.randrange(5)
    if way == 0:
        records[one], records[two] = records[two], records[one]
    elif way == 1:
        del records[one]
    elif way == 2:
        records.insert(two, records[one])
    elif way == 3:
        records[one] = stranger.batch.records[one % len(stranger.numbers)]
    else:
        records[one] = records[two]
    parts = pack_parts(records, list(range(len(records))) if rng.random() < 0.5 else None)
    if rng.random() < 0.5:
        return sealed(case, records, parts)
    return file_of(case.batch.statement(), parts)


@harmful
def changed_signatures(rng: random.Random, case: Case) -> bytes:
    """Of a record; for ES256 also r and n - s, which verifies and is another record."""
    heads, which, whole, payloads, signatures = parts_of(case)
    at = 64 * somewhere(rng, case)
    one = signatures[at : at + 64]
    s = int.from_bytes(one[32:], "big")
    other = 64 * ((at // 64 + 1) % len(payloads))
    made = rng.choice((
        bytes(64), one[32:] + one[:32], one[:32] + bytes(32), signatures[other : other + 64],
        one[:32] + ((P256_ORDER - s) % (1 << 256)).to_bytes(32, "big"), b"\xff" * 64,
    ))  # fmt: skip
    changed = signatures[:at] + made + signatures[at + 64 :]
    return with_packed(case, [heads, which, whole, payloads, changed])


@harmful
def a_statement_of_another_batch(rng: random.Random, case: Case) -> bytes:
    other = rng.choice([each for each in made_cases() if each is not case])
    return file_of(other.batch.statement(), parts_of(case))


# --- receipts -------------------------------------------------------------------------------------


def leaves_of(rng: random.Random, case: Case) -> tuple[list[bytes], int]:
    leaves = [rng.randbytes(32) for _ in range(rng.randrange(1, 40))]
    at = rng.randrange(len(leaves))
    leaves[at] = sha(b"\0", case.batch.statement().raw)
    return leaves, at


def right_receipt(rng: random.Random, case: Case) -> bytes:
    leaves, at = leaves_of(rng, case)
    old = rng.randrange(len(leaves) + 1)
    return receipt(rng.choice((OFFICE, OTHER_OFFICE)), case.batch, leaves, at, old)


def wrong_receipt(rng: random.Random, case: Case) -> bytes:
    leaves, at = leaves_of(rng, case)
    office, batch = OFFICE, case.batch
    inclusion = [len(leaves), at, []] if len(leaves) > 1 else [2, 0, []]
    right = receipt(office, batch, leaves, at)
    end = right.index(b"\x19\x01\x8c") - 4  # what stands before the proofs is signed
    flipped = bytearray(right)
    flipped[rng.randrange(end)] ^= 1 << rng.randrange(8)
    return rng.choice((
        bytes(flipped), right[:-1], right + b"\0", b"", right + bytes(4096), right[1:],
        right[:-1] + bytes([right[-1] ^ 1]), receipt(STRANGER, batch, leaves, at),
        receipt(office, batch, leaves, at, sub=f"{batch.unit}/{batch.batch + 1}"),
        receipt(office, batch, leaves, at, sub=f"{batch.unit}/0{batch.batch}"),
        receipt(office, batch, leaves, at, sub=batch.unit),
        receipt(office, batch, leaves, at, vds=2), receipt(office, batch, leaves, at, proofs={}),
        receipt(office, batch, leaves, at, proofs={-1: [cbor(inclusion)]}),
        receipt(office, batch, leaves, at, proofs={-1: []}),
        receipt(office, batch, [*leaves[:at], bytes(32), *leaves[at + 1 :]], at),
        right.replace(b"\xf6\x58\x40", b"\x58\x20" + tree_root(leaves) + b"\x58\x40"),
    ))  # fmt: skip


# --- the corpus -----------------------------------------------------------------------------------


@cache
def made_cases() -> list[Case]:
    return cases()


def mutant(number: int) -> tuple[str, bool, bytes, bytes | None]:
    """(name of the change, whether it is harmless, batch file, receipt beside it) of one number."""
    rng = random.Random(f"{SEED}/{number}")
    case = rng.choice(made_cases())
    right = rng.random() < HARMLESS_SHARE
    table: dict[str, Callable[..., bytes]] = HARMLESS if right else HARMFUL
    names = [*table, "receipt", *(MORE if not right else ())]
    name = rng.choice(names)
    if name == "receipt":
        make = right_receipt if right else wrong_receipt
        return name, right, with_packed(case, parts_of(case)), make(rng, case)
    beside = right_receipt(rng, case) if right and name in SAME_STATEMENT else None
    return name, right, table[name](rng, case), beside


MORE = 5 * [changed_bytes_in_the_file.__name__, changed_bytes_in_the_packed_records.__name__]
SAME_STATEMENT = {each.__name__ for each in (no_compression, more_payloads_given_whole)}


def write_slice(folder: Path, numbers: range) -> dict[str, tuple[str, bool]]:
    labels = {}
    for number in numbers:
        name, right, data, beside = mutant(number)
        (folder / f"{number:05}.batch").write_bytes(data)
        if beside is not None:
            (folder / f"{number:05}.receipt").write_bytes(beside)
        labels[f"{number:05}.batch"] = (name, right)
    return labels


def write_corpus(folder: Path, count: int = COUNT) -> dict[str, tuple[str, bool]]:
    """Writes the files and keys.json; file -> (name of its change, whether it is harmless)."""
    (folder / "keys.json").write_text(json.dumps(keys_of(made_cases())))
    slices = [range(start, min(start + 500, count)) for start in range(0, count, 500)]
    labels: dict[str, tuple[str, bool]] = {}
    with ProcessPoolExecutor(mp_context=get_context("fork")) as pool:
        for part in pool.map(write_slice, [folder] * len(slices), slices):
            labels |= part
    return labels


def main() -> None:
    folder = Path(sys.argv[1])
    labels = write_corpus(folder, int(sys.argv[2]) if len(sys.argv) > 2 else COUNT)
    (folder / "labels.json").write_text(json.dumps(labels))
    print(f"{len(labels)} files, harmless {sum(right for _, right in labels.values())}")


if __name__ == "__main__":
    main()
