"""Batch files that are wrong in one chosen place, for the tests of the verdict."""

from __future__ import annotations

import hashlib

from firmware.journal import batch, cose, merkle, packing, record
from firmware.journal.algorithms import Ed25519Signer
from firmware.journal.kinds import KIND_INTENT, KIND_SHIFT_CLOSE, KIND_TAMPER, KIND_VOID
from firmware.journal.record import build
from office.knownkeys import KnownKey, KnownKeys
from office.verdict import Verdict
from tests.office_rig import T0_MS, Terminal, intent_body

OFFICE = Ed25519Signer(bytes([7] * 32))  # invented
STRANGER = Ed25519Signer(bytes([9] * 32))  # invented
TYPE = "application/ssc-batch+cbor"


def terminal_with_eight() -> Terminal:
    """Two purchases, one void with what recovery saw, one done, a record of another kind."""
    made = Terminal()
    made.purchase("A1", serial=1)
    made.purchase("A2", serial=2)
    intent = made.add(KIND_INTENT, intent_body("A3", serial=3))
    made.add(KIND_VOID, {30: intent, 36: 501, 37: {"log": [None, True, {"-1": -1}], "sw": 0x9000}})
    made.add(KIND_SHIFT_CLOSE, {2: "clerk", 51: {1: 2, 501: 1}, 52: {1: 2500}})
    made.add(KIND_TAMPER, {50: "the case was opened"})
    return made


def of_a_later_release(terminal: Terminal, body: object, **more: object) -> bytes:
    """A batch whose only record has a kind nobody knows yet; more: of the envelope, by name."""
    envelope = {
        1: terminal.unit,
        2: 1,
        3: 1,
        4: 1,
        5: 1,
        6: 99,
        7: 1,
        8: bytes(32),
        9: body,
        **more,
    }
    raw = cose.sign1(cose.encode(envelope), terminal.signer, record.CONTENT_TYPE)
    return sealed(terminal, [raw], {4: 1})


def keys_of(terminal: Terminal, first: int = 1, last: int | None = None) -> KnownKeys:
    own = KnownKey(-8, terminal.signer.public_key, first, last)
    return KnownKeys({terminal.unit: [own]}, [KnownKey(-8, OFFICE.public_key)])


def place(verdict: Verdict) -> tuple[str | None, int | None]:
    return verdict.space, verdict.offset


def parts(raw: bytes) -> tuple[bytes, list]:
    """The statement's bytes and the five packed parts."""
    _, signed, codec, content = cose.decode(raw, batch.MAX_BATCH)
    return signed, cose.decode(packing.decompress(codec, content))


def file_of(signed: bytes, packed: object) -> bytes:
    """The file of packed parts, or of bytes in their place, not compressed."""
    return cose.encode([1, signed, 0, packed if isinstance(packed, bytes) else cose.encode(packed)])


def restated(signed: bytes, change: dict, signer: Ed25519Signer) -> bytes:
    """The statement with other fields, signed again."""
    payload = {**cose.decode(cose.peek1(signed).payload), **change}
    return cose.sign1(cose.encode(payload), signer, TYPE)


def sealed(terminal: Terminal, raws: list[bytes], change: dict | None = None) -> bytes:
    """A batch of these records, whatever they are; change: of the statement."""
    right = {
        1: terminal.unit, 2: 1, 3: 1, 4: len(terminal.records), 6: bytes(32), 7: T0_MS, 8: [],
        5: merkle.root(list(map(merkle.leaf, raws))),
    }  # fmt: skip
    payload = cose.encode({**right, **(change or {})})
    return file_of(cose.sign1(payload, terminal.signer, TYPE), packing.pack(raws))


def remade(terminal: Terminal, place: int, **changed: object) -> list[bytes]:
    """The records with another one in that place, each well signed, the chain going on."""
    raws: list[bytes] = []
    for at, old in enumerate(terminal.records):
        fields = {
            "unit": old.unit, "number": old.number, "boot": 1, "time_ms": T0_MS, "trust": 1,
            "profile": 1, "signer": terminal.signer, "kind": old.kind, "body": old.body,
            "previous": hashlib.sha256(raws[-1]).digest() if raws else bytes(32),
        }  # fmt: skip
        raws.append(build(**{**fields, **(changed if at == place else {})}).raw)
    return raws


def payload_at(raw: bytes, place: int) -> int:
    """Where that payload's item begins in the packed records."""
    heads, which, whole, payloads, _ = parts(raw)[1]
    return len(cose.encode([heads, which, whole])) + len(cose.encode(payloads[:place]))
