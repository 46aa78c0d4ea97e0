"""Verifies sealed batches, single-record proofs and exports with none of the project's own code.

    python tools/verify_records.py --keys keys.json PATH... [--json] [--records]

PATH is a batch (*.batch), a proof (*.proof) or a folder of them, searched to its depth; a receipt
beside a batch (same name, *.receipt) is verified with it. Written from docs/records.md alone, so
that two programs must agree about a record. Needs Python 3.11 and the package `cryptography`.

For every file it tells the first thing that is wrong and the place of the first wrong byte: an
offset in the file, or "packed", an offset in its unpacked records. For all batches of a unit in
one run it also follows the chain from batch to batch and from receipt to receipt.
Exit status: 0 all right, 1 something is wrong, 2 nothing to verify, 3 a path is not there.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

MAX_PACKED = 4 << 20
MAX_FILE = MAX_PACKED + (64 << 10)
MAX_RECEIPT = 4096
MAX_RECORD = 3072
MAX_COVERED = 1 << 20
MAX_DEPTH = 8
MAX_TIME_S = 1 << 40
MAX_KEYS = 256 << 20
ED25519, P256 = -8, -7
FAMILY = {-8: ED25519, -19: ED25519, -7: P256, -9: P256}
BEFORE_PREVIOUS = bytes.fromhex("085820")  # key 8 and the head of its 32 bytes
LEAF, NODE = b"\x00", b"\x01"


class Wrong(Exception):
    """The first wrong item begins at byte `at` of what was read."""

    def __init__(self, at: int):
        self.at = at


class Offence(Exception):
    """What ends the verification of a file: class, space ("file", "packed"), offset, record."""

    def __init__(self, kind: str | None, space: str | None, at: int | None, record: Any = None):
        self.kind, self.space, self.at, self.record = kind, space, at, record


# --- Deterministic CBOR (RFC 8949 4.2.1), read in place so that every offence has its offset.

STRICT, BODY, ENVELOPE = range(3)  # null and bool: nowhere; anywhere; in the value of key 9


def check(data: bytes, at: int, end: int, rule: int = STRICT, depth: int = 0) -> int:
    """The place behind the canonical item at `at`; raises Wrong at the first offence before it."""
    if at >= end:
        raise Wrong(end)
    major, value = data[at] >> 5, data[at] & 31
    if depth > MAX_DEPTH or value > 27 or major == 6:
        raise Wrong(at)
    if major == 7 and (value not in (20, 21, 22) or rule != BODY):
        raise Wrong(at)
    behind = at + 1
    if value > 23:
        size = 1 << (value - 24)
        behind += size
        if behind > end:
            raise Wrong(end)
        value = int.from_bytes(data[at + 1 : behind], "big")
        if value < (24 if size == 1 else 1 << 4 * size):
            raise Wrong(at)
    if major in (2, 3):
        if behind + value > end:
            raise Wrong(end)
        if major == 3:
            try:
                data[behind : behind + value].decode("utf-8")
            except UnicodeDecodeError:
                raise Wrong(at) from None
        return behind + value
    if major == 4:
        for _ in range(value):
            behind = check(data, behind, end, rule, depth + 1)
    elif major == 5:
        behind = _check_map(data, behind, end, rule, depth, value)
    return behind


def _check_map(data: bytes, at: int, end: int, rule: int, depth: int, count: int) -> int:
    before = b""
    for _ in range(count):
        if at < end and data[at] >> 5 not in (0, 1, 3):
            raise Wrong(at)
        behind = check(data, at, end, rule, depth + 1)
        key = data[at:behind]
        if key <= before:
            raise Wrong(at)
        before = key
        inner = rule
        if rule == ENVELOPE:
            inner = BODY if key == b"\x09" and depth == 0 else STRICT
        at = check(data, behind, end, inner, depth + 1)
    return at


def check_all(data: bytes, at: int, end: int, rule: int = STRICT) -> None:
    """Holds data[at:end] against being one canonical item and nothing else."""
    if (behind := check(data, at, end, rule)) < end:
        raise Wrong(behind)


def head(data: bytes, at: int) -> tuple[int, int, int]:
    """(major type, argument, place behind the head) of an item that was checked."""
    major, value = data[at] >> 5, data[at] & 31
    if value < 24:
        return major, value, at + 1
    behind = at + 1 + (1 << (value - 24))
    return major, int.from_bytes(data[at + 1 : behind], "big"), behind


def skip(data: bytes, at: int) -> int:
    """The place behind an item that was checked."""
    due = 1
    while due:
        major, value, at = head(data, at)
        due -= 1
        if major in (2, 3):
            at += value
        elif major in (4, 5):
            due += value * (major - 3)
    return at


def content(data: bytes, at: int) -> bytes:
    """The content of a byte or text string that was checked."""
    _, length, start = head(data, at)
    return data[start : start + length]


def text_of(data: bytes, at: int) -> str:
    return content(data, at).decode("utf-8")


def number_of(data: bytes, at: int) -> int:
    major, value, _ = head(data, at)
    return ~value if major == 1 else value


def elements(data: bytes, at: int) -> Iterator[int]:
    """The place of each element of an array that was checked."""
    _, count, at = head(data, at)
    for _ in range(count):
        yield at
        at = skip(data, at)


ANY, UINT, BYTES, TEXT, MAP = -1, 0, 2, 3, 5
Form = Any


def fit(data: bytes, at: int, form: Form) -> int:
    """The place behind the checked item at `at`; raises Wrong at the first that has another form.

    A form is a major type or ANY, a set of encoded items, a set of lengths of a byte string,
    (form, ...) an array of exactly these, [form] of any count of these, {key form: value form}.
    """
    major, value, behind = head(data, at)
    if isinstance(form, int):
        if form not in (major, ANY):
            raise Wrong(at)
        return skip(data, at)
    if isinstance(form, set):
        for each in form:
            if isinstance(each, bytes) and data.startswith(each, at):
                return at + len(each)
            if (2, each) == (major, value):
                return behind + value
        raise Wrong(at)
    is_map = isinstance(form, dict)
    count = len(form) if isinstance(form, tuple) else value
    if (major, count) != (5 if is_map else 4, value):
        raise Wrong(at)
    parts = next(iter(form.items())) if is_map else form
    for number in range(2 * value if is_map else value):
        behind = fit(data, behind, parts[number % len(parts)])
    return behind


def walk(
    data: bytes, at: int, required: tuple[int, ...], known: dict[int, Form], exact: bool = False
) -> dict[int, int]:
    """Key -> place of its value, of a checked map; keys that are not known are passed over.

    The first offence in the order of the keys counts: a missing key (at the map's head), a value
    of another form (at its head), a key that has no place: below 0 or, with `exact`, not known.
    """
    major, count, place = head(data, at)
    if major != 5:
        raise Wrong(at)
    found: dict[int, int] = {}
    due = iter((*required, None))
    awaited = next(due)
    for _ in range(count):
        key = number_of(data, place) if data[place] >> 5 < 2 else None  # None: a text, behind all
        value_at = skip(data, place)
        if awaited is not None and (key is None or key < 0 or key > awaited):
            raise Wrong(at)
        if key is not None and key == awaited:
            awaited = next(due)
        if key in known:
            found[key], place = value_at, fit(data, value_at, known[key])
        elif exact or (key is not None and key < 0):
            raise Wrong(place)
        else:
            place = skip(data, value_at)
    if awaited is not None:
        raise Wrong(at)
    return found


# --- The tables of docs/records.md.

ALGORITHM = {bytes([0x20 | ~number]) for number in FAMILY}
DIGEST, KEY_ID = {32}, {8}
STATEMENT_TYPE, RECORD_TYPE = (  # protected headers; 0x78: a text of 24 to 255 bytes
    {1: ALGORITHM, 3: {bytes([0x78, len(name)]) + name}}
    for name in (b"application/ssc-batch+cbor", b"application/ssc-record+cbor")
)
STATEMENT = dict(enumerate((TEXT, UINT, UINT, UINT, DIGEST, DIGEST, UINT, [(UINT, UINT)]), 1))
ENVELOPE_KEYS = dict(enumerate((TEXT, *[UINT] * 6, DIGEST, MAP), 1))
BODY_FORMS: list[tuple[Form, tuple[int, ...]]] = [
    (TEXT, (1, 2, 6, 28, 50, 54, 56, 70, 74, 80, 81, 82)),
    (UINT, (8, 9, 10, 11, 14, *range(17, 20), *range(22, 28), 30, 33, 34, 35, 36, 38)),
    (UINT, (42, 43, 44, 45, *range(58, 63), 64, 65, 90, 91)),
    (BYTES, (63, 76)), ({2}, (20,)), ({4}, (4, 12, 16, 31, 32)), ({6}, (3,)), ({7}, (15,)),
    ({12}, (13,)), ({13}, (7,)), ({16}, (5, 55)), ({32}, (57, 72, 73, 75)), ({32, 65}, (53,)),
    ((UINT, UINT, UINT), (21,)), ({TEXT: ANY}, (37,)), ({b"\xf4", b"\xf5"}, (41,)),
    ({UINT: UINT}, (51, 52)), ([TEXT], (71,)),
]  # fmt: skip
BODY_KEYS = {key: form for form, keys in BODY_FORMS for key in keys}
KINDS: dict[int, tuple[str, tuple[int, ...]]] = {  # kind -> (name, required keys of its body)
    1: ("INTENT", (*range(1, 8), 11, 12, *range(15, 20), 22, 23, 24)),
    2: ("DONE", (30, 33, 34, 35, 36)), 3: ("VOID", (30, 36)),
    4: ("SUSPECT", (30, 33, 34, 35, 36)), 5: ("UNCERTAIN", (30, 36)),
    6: ("RULED", (2, 30, 50)), 7: ("TOTALS", (30, 44)),
    8: ("DECLINED", (1, 2, 22, 23, 24, 36)),
    9: ("LOAD_INTENT", (1, 2, 3, 5, 6, 7, 8, 9, 10, 12, 14, 15, 16, 17, 26, 27, 32)),
    10: ("LOAD_DONE", (30, 34, 35, 36)), 11: ("LOAD_VOID", (30, 36)),
    12: ("LOAD_UNCERTAIN", (30, 36)), 16: ("START", (53, 54, 55)),
    17: ("PSAM_SEEN", (3, 4, 41)), 18: ("CLOCK", (60, 61)), 19: ("TAMPER", (50,)),
    20: ("SERVICE", (2, 36, 50)), 21: ("DAMAGE", (50, 58, 59)), 22: ("APPLIED", (56, 57, 59)),
    23: ("DAY_KEY", (62, 63)), 24: ("KEY_CHANGE", (53, 64)), 32: ("SHIFT_OPEN", (2,)),
    33: ("SHIFT_CLOSE", (2, 51, 52)), 34: ("RECEIPT_PRINTED", (2, 30)), 35: ("REPRINT", (2, 30)),
    36: ("REFUND_REQUEST", (2, 30, 38)),
}  # fmt: skip
RECEIPT_KEYS: dict[int, Form] = {1: ALGORITHM, 4: KEY_ID, 15: MAP, 395: {b"\x01"}}
BATCH: Form = ({b"\x01"}, BYTES, UINT, BYTES)
PROOF: Form = ({b"\x01"}, BYTES, BYTES, UINT, [DIGEST], ANY)


# --- Keys and signatures.


class Key(NamedTuple):
    """A public key, good for the records first..last."""

    family: int  # -8 or -7
    id: bytes
    public: Ed25519PublicKey | EllipticCurvePublicKey
    first: int
    last: int

    def verifies(self, protected: bytes, payload: bytes, signature: bytes) -> bool:
        """RFC 9052 4.4: whether it signed the structure of a COSE_Sign1."""
        signed = b"\x84\x6aSignature1" + bstr(protected) + b"\x40" + bstr(payload)
        try:
            if isinstance(self.public, Ed25519PublicKey):
                self.public.verify(signature, signed)
            else:
                r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
                self.public.verify(encode_dss_signature(r, s), signed, ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True


class Keys(NamedTuple):
    """What is known beforehand: keys.json."""

    units: dict[str, list[Key]]
    office: list[Key]


def bstr(data: bytes) -> bytes:
    """A byte string with the shortest head."""
    length = len(data)
    if length < 24:
        return bytes([0x40 | length]) + data
    size = 0 if length < 1 << 8 else 1 if length < 1 << 16 else 2
    return bytes([0x58 + size]) + length.to_bytes(1 << size, "big") + data


def key_of(row: dict[str, Any]) -> Key:
    """A row of keys.json; raises ValueError and others if it is none."""
    raw, family = bytes.fromhex(row["public_key"]), FAMILY[row["algorithm"]]
    first, last = row.get("first", 1), row.get("last")
    public: Ed25519PublicKey | EllipticCurvePublicKey
    if family == ED25519:
        public = Ed25519PublicKey.from_public_bytes(raw)
    else:
        public = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), raw)
    return Key(family, sha256(raw)[:8], public, int(first), 1 << 64 if last is None else int(last))


def read_keys(path: Path) -> Keys:
    """keys.json; ValueError with the reason if it is none."""
    try:
        parsed = json.loads(read(path, MAX_KEYS))
        units = {unit: [key_of(row) for row in rows] for unit, rows in parsed["units"].items()}
        return Keys(units, [key_of(row) for row in parsed["office"]])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path.name} is no list of keys: {error!r}") from None


def fitting(keys: list[Key], key_id: bytes, algorithm: int, first: int, last: int) -> Key | None:
    """The key of that id and algorithm that is good for one of the records first..last."""
    for key in keys:
        same = key.id == key_id and key.family == FAMILY[algorithm]
        if same and key.first <= last and first <= key.last:
            return key
    return None


# --- RFC 9162 2.1: the Merkle tree.


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def root_of(level: list[bytes]) -> bytes:
    """The root over one or more leaves; an odd one goes up as it is, which is the RFC's split."""
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [sha256(NODE, *pair) for pair in pairs] + level[len(level) & ~1 :]
    return level[0]


def climb(here: int, last: int, path: list[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each node of a path with whether it is the left one, up from `here` in a level 0..last.

    The loop of 2.1.3.2 and 2.1.4.2. ValueError if the path does not end at the root.
    """
    for each in path:
        if not last:
            raise ValueError("the path is too long")
        is_left = here & 1 == 1 or here == last
        yield each, is_left
        while is_left and here and not here & 1:
            here, last = here >> 1, last >> 1
        here, last = here >> 1, last >> 1
    if last:
        raise ValueError("the path is too short")


def root_by_inclusion(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """2.1.3.2: the root of a tree of `size` leaves; None if the path has another length."""
    try:
        for each, is_left in climb(index, size - 1, path):
            leaf = sha256(NODE, each, leaf) if is_left else sha256(NODE, leaf, each)
    except ValueError:
        return None
    return leaf if index < size else None


def grew(first: int, old: bytes, second: int, new: bytes, path: list[bytes]) -> bool:
    """2.1.4.2: whether the tree of `first` leaves is the beginning of that of `second`."""
    if first == second:
        return old == new and not path
    if not 0 < first < second or not path:
        return False
    steps = path if first & (first - 1) else [old, *path]
    here, last = first - 1, second - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    was = now = steps[0]
    try:
        for each, is_left in climb(here, last, steps[1:]):
            was = sha256(NODE, each, was) if is_left else was
            now = sha256(NODE, each, now) if is_left else sha256(NODE, now, each)
    except ValueError:
        return False
    return (was, now) == (old, new)


# --- Signed messages (COSE_Sign1, RFC 9052) in a file.

FieldsOf = Callable[[bytes, int], dict[int, int]]  # a payload -> the places of its values


class Message(NamedTuple):
    """A COSE_Sign1 as it stands in a file, its signature not yet verified."""

    raw: bytes
    protected: bytes
    algorithm: int
    key_id_at: int
    key_id: bytes
    payload_at: int
    payload: bytes
    fields: dict[int, int]
    signature: bytes

    def verify(self, keys: list[Key], first: int, last: int, offence: Offence) -> None:
        """Raises Offence "stranger" without a key for first..last, `offence` if it did not sign."""
        key = fitting(keys, self.key_id, self.algorithm, first, last)
        if key is None:
            raise Offence("stranger", "file", self.key_id_at, offence.record)
        if not key.verifies(self.protected, self.payload, self.signature):
            raise offence


def inside(data: bytes, at: int, rule: int = STRICT) -> tuple[int, int]:
    """(start, end) of the one canonical item in the byte string at `at`."""
    end = fit(data, at, BYTES)
    start = head(data, at)[2]
    check_all(data, start, end, rule)
    return start, end


def read_message(
    data: bytes, item: int, protected: dict[int, Form], rule: int, fields_of: FieldsOf
) -> Message:
    """The tagged COSE_Sign1 in the byte string at `item`; raises Wrong."""
    start, end = head(data, item)[2], skip(data, item)
    if start >= end or data[start] != 0xD2:
        raise Wrong(start)
    check_all(data, start + 1, end)
    if head(data, start + 1)[:2] != (4, 4):
        raise Wrong(start + 1)
    inner, unprotected_at = inside(data, start + 2)
    header = walk(data, inner, (1, 3), protected, exact=True)
    key_id_at = walk(data, unprotected_at, (4,), {4: KEY_ID}, exact=True)[4]
    payload_at = skip(data, unprotected_at)
    payload, signature_at = inside(data, payload_at, rule)
    fields = fields_of(data, payload)
    fit(data, signature_at, {64})
    return Message(
        data[start:end], data[inner:unprotected_at], number_of(data, header[1]),
        key_id_at, content(data, key_id_at), payload_at, data[payload:signature_at],
        fields, content(data, signature_at),
    )  # fmt: skip


class Statement(NamedTuple):
    """What a terminal signed about a batch."""

    raw: bytes
    keys: list[Key]  # of the unit
    unit: str
    batch: int
    first: int
    last: int
    root: bytes
    root_at: int
    previous: bytes
    damaged: list[tuple[int, int]]

    def due(self) -> Iterator[int]:
        """The numbers of the records it covers."""
        number = self.first
        for low, high in [*self.damaged, (self.last + 1, 0)]:
            yield from range(number, low)
            number = high + 1

    def place_of(self, number: int) -> int:
        """Where a record that it covers stands among them, from 0."""
        lost = sum(high - low + 1 for low, high in self.damaged if low < number)
        return number - self.first - lost


def ranges_in(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    for pair in elements(data, at):
        low, high = (number_of(data, each) for each in elements(data, pair))
        yield low, high


def statement_fields(data: bytes, at: int) -> dict[int, int]:
    """The fields of a statement whose numbers are possible; raises Wrong."""
    found = walk(data, at, tuple(STATEMENT), STATEMENT)
    batch, first, last = (number_of(data, found[key]) for key in (2, 3, 4))
    before = first - 1
    for key, possible in ((2, batch >= 1), (3, first >= 1), (4, 0 <= last - first < MAX_COVERED)):
        if not possible:
            raise Wrong(found[key])
    for low, high in ranges_in(data, found[8]):
        if not before < low <= high < last:
            raise Wrong(found[8])
        before = high
    return found


def read_statement(data: bytes, item: int, keys: Keys) -> Statement:
    """The verified statement in the byte string at `item` (checks 2, 3 and 4); raises Offence."""
    try:
        message = read_message(data, item, STATEMENT_TYPE, STRICT, statement_fields)
    except Wrong as wrong:
        raise Offence("statement", "file", wrong.at) from None
    found = message.fields
    unit = text_of(data, found[1])
    if unit not in keys.units:
        raise Offence("stranger", "file", found[1])
    batch, first, last = (number_of(data, found[key]) for key in (2, 3, 4))
    offence = Offence("statement-signature", "file", head(data, item)[2])
    message.verify(keys.units[unit], first, last, offence)
    return Statement(
        message.raw, keys.units[unit], unit, batch, first, last, content(data, found[5]),
        found[5], content(data, found[6]), list(ranges_in(data, found[8])),
    )  # fmt: skip


# --- Packed records.


class Row(NamedTuple):
    """A record that was found right."""

    number: int
    kind: int
    leaf: bytes
    digest: bytes
    previous: bytes
    follows: bool | None  # None: the record before is not in the batch


def record_fields(data: bytes, at: int) -> dict[int, int]:
    """The fields of a record's payload, its body seen through; raises Wrong."""
    found = walk(data, at, tuple(ENVELOPE_KEYS), ENVELOPE_KEYS)
    kind = number_of(data, found[6])
    if kind in KINDS:
        walk(data, found[9], KINDS[kind][1], BODY_KEYS)
    return found


def row_of(raw: bytes, payload: bytes, found: dict[int, int], follows: bool | None) -> Row:
    number, kind = number_of(payload, found[2]), number_of(payload, found[6])
    previous = content(payload, found[8])
    return Row(number, kind, sha256(LEAF, raw), sha256(raw), previous, follows)


class Head(NamedTuple):
    """What several packed records have in common."""

    protected: bytes
    algorithm: int
    key_id: bytes
    key_id_at: int


class Part(NamedTuple):
    """One record as it stands among the packed ones."""

    head: Head
    at: int  # of the payload's item
    start: int  # of the payload's content
    gap: int  # the place where `previous` was left out; 0: nowhere
    signature: bytes


def read_packed(data: bytes) -> tuple[int, list[Part]]:
    """The place of the payloads, and the records (check 6); raises Wrong."""
    check_all(data, 0, len(data))
    if head(data, 0)[:2] != (4, 5):
        raise Wrong(0)
    heads_at, which_at, whole_at, payloads_at, signatures_at = elements(data, 0)
    heads = heads_of(data, heads_at)
    fit(data, which_at, BYTES)
    which = content(data, which_at)
    if not which or max(which) >= len(heads):
        raise Wrong(which_at)
    whole = whole_positions(data, whole_at, len(which))
    fit(data, payloads_at, (BYTES,) * len(which))
    fit(data, signatures_at, {64 * len(which)})
    signatures, parts = content(data, signatures_at), []
    for number, at in enumerate(elements(data, payloads_at)):
        start, gap = head(data, at)[2], 0
        if not whole[number]:
            gap = data.find(BEFORE_PREVIOUS, start, skip(data, at)) + len(BEFORE_PREVIOUS)
            if gap < len(BEFORE_PREVIOUS):
                raise Wrong(at)
        signature = signatures[64 * number : 64 * number + 64]
        parts.append(Part(heads[which[number]], at, start, gap, signature))
    return payloads_at, parts


def heads_of(data: bytes, at: int) -> list[Head]:
    major, count, _ = head(data, at)
    if major != 4 or not 1 <= count <= 255:
        raise Wrong(at)
    heads: dict[bytes, Head] = {}
    for place in elements(data, at):
        if head(data, place)[:2] != (4, 2):
            raise Wrong(place)
        protected_at, key_id_at = elements(data, place)
        inner, end = inside(data, protected_at)
        algorithm_at = walk(data, inner, (1, 3), RECORD_TYPE, exact=True)[1]
        pair = data[place : fit(data, key_id_at, KEY_ID)]
        if pair in heads:
            raise Wrong(place)
        algorithm = number_of(data, algorithm_at)
        heads[pair] = Head(data[inner:end], algorithm, content(data, key_id_at), key_id_at)
    return [*heads.values()]


def whole_positions(data: bytes, at: int, records: int) -> bytearray:
    """By position: 1 if the payload is given whole; raises Wrong."""
    flags, due = bytearray(records), 0
    major, count, _ = head(data, at)
    if major != 4 or not count:
        raise Wrong(at)
    for place in elements(data, at):
        major, position, _ = head(data, place)
        if major or not due <= position < records or (due == 0 and position):
            raise Wrong(place)
        flags[position], due = 1, position + 1
    return flags


def read_records(
    statement: Statement, data: bytes, payloads_at: int, parts: list[Part]
) -> Iterator[Row]:
    """Checks 7 to 11, record by record; raises Offence."""
    due, before, last = statement.due(), b"", 0
    for part in parts:
        number = next(due, None)

        def offence(kind: str, at: int, number: int | None = number) -> Offence:
            return Offence(kind, "packed", at, number)

        def place(offset: int, part: Part = part) -> int:
            """Where in `data` the byte of the payload stands."""
            at = part.start + offset
            return max(part.gap, at - 32) if 0 < part.gap < at else at

        payload = content(data, part.at)
        if part.gap:
            gap = part.gap - part.start
            payload = payload[:gap] + before + payload[gap:]
        opening = b"\xd2\x84" + bstr(part.head.protected) + b"\xa1\x04\x48" + part.head.key_id
        raw = opening + bstr(payload) + b"\x58\x40" + part.signature
        if len(raw) > MAX_RECORD:
            raise offence("record", part.at)
        try:
            check_all(payload, 0, len(payload), ENVELOPE)
            found = record_fields(payload, 0)
            if text_of(payload, found[1]) != statement.unit:
                raise Wrong(found[1])
        except Wrong as wrong:
            raise offence("record", place(wrong.at)) from None
        if number is None:
            raise offence("numbers", payloads_at)
        if number_of(payload, found[2]) != number:
            raise offence("numbers", place(found[2]))
        key = fitting(statement.keys, part.head.key_id, part.head.algorithm, number, number)
        if key is None:
            raise offence("stranger", part.head.key_id_at)
        if not key.verifies(part.head.protected, payload, part.signature):
            raise offence("record-signature", part.at)
        follows = content(payload, found[8]) == before if last and number == last + 1 else None
        if follows is False:
            raise offence("chain", place(found[8]))
        row = row_of(raw, payload, found, follows)
        before, last = row.digest, number
        yield row
    if next(due, None) is not None:
        raise Offence("numbers", "packed", payloads_at)


# --- Receipts (RFC 9942), batch files and proof files.


class Receipt(NamedTuple):
    """The office's word that a statement stands in its tree."""

    tree: str
    size: int
    root: bytes
    before: tuple[int, list[bytes]] | None  # an older size, and the path from there


def read_path(data: bytes, at: int) -> tuple[int, int, list[bytes]]:
    """[number, number, path], encoded in the only byte string of the array at `at`."""
    start, _ = inside(data, next(elements(data, at)))
    fit(data, start, (UINT, UINT, [DIGEST]))
    one, two, path = elements(data, start)
    steps = [content(data, each) for each in elements(data, path)]
    return number_of(data, one), number_of(data, two), steps


def read_receipt(data: bytes, statement: Statement, office: list[Key]) -> Receipt:
    """The verified receipt of a statement (check 13); raises Wrong wherever it is wrong."""
    if not 0 < len(data) <= MAX_RECEIPT or data[0] != 0xD2:
        raise Wrong(0)
    check_all(data, 1, len(data), BODY)
    fit(data, 1, (BYTES, MAP, {b"\xf6"}, {64}))
    protected_at, unprotected_at, _, signature_at = elements(data, 1)
    start, end = inside(data, protected_at)
    header = walk(data, start, (1, 4, 15, 395), RECEIPT_KEYS, exact=True)
    claims = walk(data, header[15], (1, 2, 6), {1: TEXT, 2: TEXT, 6: UINT}, exact=True)
    proofs_at = walk(data, unprotected_at, (396,), {396: MAP}, exact=True)[396]
    proofs = walk(data, proofs_at, (), {-1: (BYTES,), -2: (BYTES,)}, exact=True)
    about, time_s = text_of(data, claims[2]), number_of(data, claims[6])
    if about != f"{statement.unit}/{statement.batch}" or time_s >= MAX_TIME_S or -1 not in proofs:
        raise Wrong(0)
    size, index, path = read_path(data, proofs[-1])
    root = root_by_inclusion(sha256(LEAF, statement.raw), index, size, path)
    key = fitting(office, content(data, header[4]), number_of(data, header[1]), 1, 1)
    if not root or not key or not key.verifies(data[start:end], root, content(data, signature_at)):
        raise Wrong(0)
    before = None
    if -2 in proofs:
        old_size, new_size, steps = read_path(data, proofs[-2])
        if new_size != size or not 0 < old_size <= size:
            raise Wrong(0)
        before = old_size, steps
    return Receipt(text_of(data, claims[1]), size, root, before)


class Verdict:
    """What was found in one file, up to its first offence."""

    def __init__(self, name: str):
        self.name = name
        self.offence: Offence | None = None
        self.statement: Statement | None = None
        self.rows: list[Row] = []
        self.included = False
        self.receipt: Receipt | None = None

    def object(self) -> dict[str, Any]:
        """One object for --json."""
        wrong = self.offence or Offence(None, None, None)
        return {
            "file": self.name, "ok": self.offence is None, "class": wrong.kind,
            "space": wrong.space, "offset": wrong.at, "record": wrong.record,
            "records": len(self.rows),
        }  # fmt: skip


def container(data: bytes, form: Form, rule: int) -> Iterator[int]:
    """The places of the elements of the array that a file is (check 1); raises Offence."""
    try:
        if len(data) > MAX_FILE:
            raise Wrong(MAX_FILE)
        check_all(data, 0, len(data), rule)
        fit(data, 0, form)
    except Wrong as wrong:
        raise Offence("container", "file", wrong.at) from None
    return elements(data, 0)


def unpack(data: bytes, codec_at: int, at: int) -> bytes:
    """The packed records (check 5); raises Offence."""
    codec, out = number_of(data, codec_at), content(data, at)
    if codec > 1:
        raise Offence("codec", "file", codec_at)
    ended = True
    if codec == 1:
        inflate = zlib.decompressobj()
        try:
            out = inflate.decompress(out, MAX_PACKED + 1)
            ended = inflate.eof and not inflate.unused_data
        except zlib.error:
            ended = False
    if not ended or len(out) > MAX_PACKED:
        raise Offence("codec", "file", head(data, at)[2])
    return out


def verify_batch(data: bytes, receipt: bytes | None, keys: Keys, verdict: Verdict) -> None:
    """All checks of a batch file, in their order; raises Offence at the first that fails."""
    _, statement_at, codec_at, packed_at = container(data, BATCH, STRICT)
    statement = verdict.statement = read_statement(data, statement_at, keys)
    packed = unpack(data, codec_at, packed_at)
    try:
        payloads_at, parts = read_packed(packed)
    except Wrong as wrong:
        raise Offence("packed", "packed", wrong.at) from None
    for row in read_records(statement, packed, payloads_at, parts):
        verdict.rows.append(row)
    if root_of([row.leaf for row in verdict.rows]) != statement.root:
        raise Offence("root", "file", statement.root_at)
    verdict.included = True
    verify_receipt(receipt, statement, keys, verdict, 0)


def verify_receipt(
    receipt: bytes | None, statement: Statement, keys: Keys, verdict: Verdict, at: int
) -> None:
    if receipt is not None:
        try:
            verdict.receipt = read_receipt(receipt, statement, keys.office)
        except Wrong:
            raise Offence("receipt", "file", at) from None


def verify_proof(data: bytes, keys: Keys, verdict: Verdict) -> None:
    """All checks of a proof of one record; raises Offence, every place in the file."""
    _, record_at, statement_at, index_at, path_at, receipt_at = container(data, PROOF, BODY)
    if data[receipt_at] != 0xF6 and data[receipt_at] >> 5 != BYTES:
        raise Offence("container", "file", receipt_at)
    statement = verdict.statement = read_statement(data, statement_at, keys)
    raw = content(data, record_at)
    try:
        if len(raw) > MAX_RECORD:
            raise Wrong(record_at)
        message = read_message(data, record_at, RECORD_TYPE, ENVELOPE, record_fields)
        found = message.fields
        if text_of(data, found[1]) != statement.unit:
            raise Wrong(found[1])
    except Wrong as wrong:
        raise Offence("record", "file", wrong.at) from None
    number, index = number_of(data, found[2]), number_of(data, index_at)
    if number not in statement.due():
        raise Offence("numbers", "file", found[2], number)
    offence = Offence("record-signature", "file", message.payload_at, number)
    message.verify(statement.keys, number, number, offence)
    if index != statement.place_of(number):
        raise Offence("numbers", "file", index_at, number)
    path = [content(data, each) for each in elements(data, path_at)]
    size = statement.place_of(statement.last) + 1
    if root_by_inclusion(sha256(LEAF, raw), index, size, path) != statement.root:
        raise Offence("root", "file", path_at, number)
    verdict.rows.append(row_of(raw, data, found, None))
    verdict.included = True
    receipt = None if data[receipt_at] == 0xF6 else content(data, receipt_at)
    verify_receipt(receipt, statement, keys, verdict, receipt_at)


# --- Files and folders.


def read(path: Path, limit: int) -> bytes:
    """At most limit + 1 bytes of a file."""
    with path.open("rb") as file:
        return file.read(limit + 1)


def verify_file(path: Path, name: str, keys: Keys) -> Verdict:
    """The verdict on one file; never raises."""
    verdict = Verdict(name)
    try:
        data = read(path, MAX_FILE)
        if path.suffix == ".proof":
            verify_proof(data, keys, verdict)
        else:
            beside = path.with_suffix(".receipt")
            receipt = read(beside, MAX_RECEIPT) if beside.is_file() else None
            verify_batch(data, receipt, keys, verdict)
    except Offence as offence:
        verdict.offence = offence
    except OSError:
        verdict.offence = Offence("unreadable", "file", 0)
    return verdict


def files_under(path: Path) -> list[tuple[Path, str]]:
    """(file, name) of every batch and proof that `path` is or holds, by name."""
    if not path.is_dir():
        return [(path, path.name)]
    files = [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
    mine = [file for file in files if file.suffix in (".batch", ".proof") and file.is_file()]
    return sorted((file, file.relative_to(path).as_posix()) for file in mine)


Link = tuple[Statement, Verdict]  # a batch that was found right


def findings_of(verdicts: list[Verdict]) -> Iterator[dict[str, Any]]:
    """What only several right batches of a unit together show."""
    units: dict[str, list[Link]] = {}
    for each in verdicts:
        if each.statement is not None:
            units.setdefault(each.statement.unit, []).append((each.statement, each))
    for unit, chain in sorted(units.items()):
        chain.sort(key=lambda link: (link[0].batch, link[1].name))
        by_digest = {sha256(link[0].raw): link for link in chain}
        trees = {(r.tree, r.size): r.root for _, each in chain if (r := each.receipt)}
        lower: Link | None = None  # the newest one with a lower number
        for one, two in itertools.pairwise([None, *chain]):
            assert two is not None
            if one and one[0].batch < two[0].batch:
                lower = one
            faults = [*fork(one, two), *gap(by_digest.get(two[0].previous), lower, two)]
            for finding, text in (*faults, *tree_faults(two[1], trees)):
                yield {
                    "finding": finding, "unit": unit, "batch": two[0].batch,
                    "in": two[1].name, "text": text,
                }  # fmt: skip


def fork(one: Link | None, two: Link) -> Iterator[tuple[str, str]]:
    """Whether the one before has the same number and is another."""
    if one and one[0].batch == two[0].batch and one[0].raw != two[0].raw:
        yield "batch-chain", f"{one[1].name} has this number too: a fork"


def gap(before: Link | None, lower: Link | None, two: Link) -> Iterator[tuple[str, str]]:
    """What is wrong between a batch and the one that it names, or else the one below it."""
    b, rows = two[0], two[1].rows
    if before:
        a, name, last = before[0], before[1].name, before[1].rows[-1]
        if a.batch >= b.batch or b.first != a.last + 1:
            yield "batch-chain", f"begins at record {b.first}, {name} ends at {a.last}"
        elif rows[0].number == b.first and rows[0].previous != last.digest:
            yield "record-chain", f"record {b.first} does not follow the last one of {name}"
    elif lower and b.batch == lower[0].batch + 1:
        yield "batch-chain", f"does not follow {lower[1].name}"
    elif lower and b.previous != bytes(32):  # zeros: a rebuilt journal, far above, begins anew
        yield "batch-gap", f"the batches {lower[0].batch + 1}..{b.batch - 1} are not here"


def tree_faults(verdict: Verdict, trees: dict[tuple[str, int], bytes]) -> Iterator[tuple[str, str]]:
    """Whether a receipt's tree grew out of the older one that it names, if that is known."""
    if (receipt := verdict.receipt) is not None:
        if trees[receipt.tree, receipt.size] != receipt.root:
            yield "tree", f"there are two trees of size {receipt.size}"
        old_size, path = receipt.before or (0, [])
        old = trees.get((receipt.tree, old_size))
        if old and not grew(old_size, old, receipt.size, receipt.root, path):
            yield "tree", f"size {receipt.size} did not grow out of size {old_size}"


# --- The command.

TABLE = "%-28s %-16s %6s %15s  %s"
RECORD_TABLE = "    %10s  %-16s signature %-6s chain %-6s inclusion %-6s receipt %s"


def printable(text: str) -> str:
    """Text of a stranger, harmless on a screen."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def line_of(verdict: Verdict) -> str:
    """A row of the table."""
    statement, wrong = verdict.statement, verdict.offence
    about: tuple[Any, ...] = ("", "", "")
    if statement is not None:
        about = statement.unit, statement.batch, f"{statement.first}..{statement.last}"
    state = "right, receipted" if verdict.receipt else "right, no receipt"
    if wrong is not None:
        record = f", record {wrong.record}" if wrong.record is not None else ""
        state = f"WRONG: {wrong.kind}, byte {wrong.at} of the {wrong.space}{record}"
    return printable(TABLE % (verdict.name, *about, state))


def lines_of_records(verdict: Verdict, as_json: bool) -> Iterator[str]:
    """What is known of each record up to the first offence; null or -: not known."""
    for row in verdict.rows:
        kind = KINDS[row.kind][0] if row.kind in KINDS else str(row.kind)
        known = (True, row.follows, verdict.included or None, bool(verdict.receipt) or None)
        if as_json:
            names = ("in", "record", "kind", "signature", "chain", "inclusion", "receipt")
            values = (verdict.name, row.number, kind, *known)
            yield json.dumps(dict(zip(names, values, strict=True)))
        else:
            yield RECORD_TABLE % (row.number, kind, *("right" if each else "-" for each in known))


def run(files: list[tuple[Path, str]], keys: Keys, as_json: bool, records: bool) -> int:
    """Prints a verdict for each file and the findings between them; the exit status."""
    right: list[Verdict] = []
    rows, wrong, said = 0, 0, time.monotonic()
    if not as_json:
        print(TABLE % ("file", "unit", "batch", "records", "verdict"))
    for done, (path, name) in enumerate(files, 1):
        verdict = verify_file(path, name, keys)
        print(json.dumps(verdict.object()) if as_json else line_of(verdict))
        for line in lines_of_records(verdict, as_json) if records else ():
            print(line)
        rows += len(verdict.rows)
        wrong += verdict.offence is not None
        if verdict.offence is None and path.suffix == ".batch":
            verdict.rows[1:-1] = []  # what `between` needs no more
            right.append(verdict)
        if time.monotonic() - said >= 2:
            said = time.monotonic()
            print(f"{done} of {len(files)} files", file=sys.stderr, flush=True)
    findings = list(findings_of(right))
    for each in findings:
        line = "{finding}: {unit}, {in}: {text}".format(**each)
        print(json.dumps(each) if as_json else printable(line))
    if not as_json:
        print(f"files {len(files)}, wrong {wrong}, records right {rows}, findings {len(findings)}")
    return 1 if wrong or findings else 0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    parser.add_argument("--keys", type=Path, help="keys.json; if not given, the one in PATH")
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--records", action="store_true", help="a line for each record too")
    options = parser.parse_args(argv)
    keys_path = options.keys or options.paths[0] / "keys.json"
    for path in [keys_path, *options.paths]:
        if not path.exists():
            print(f"{path} is not there", file=sys.stderr)
            return 3
    try:
        keys = read_keys(keys_path)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    files = [each for path in options.paths for each in files_under(path)]
    if not files:
        print("no batch and no proof to verify", file=sys.stderr)
        return 2
    return run(files, keys, options.json, options.records)


if __name__ == "__main__":
    try:
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        sys.exit(main())
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(1)
