"""Writes batches, receipts and proofs from docs/records.md alone, right ones and any wrong one.

The project's own writer refuses to write nonsense; the tests of the two verifiers need all of it.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, field, replace
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

T0_MS = 1_795_312_800_000
RECORD, BATCH = "application/ssc-record+cbor", "application/ssc-batch+cbor"
MARK = bytes.fromhex("085820")


@dataclass(frozen=True)
class Raw:
    """Bytes that stand where a CBOR item is due, whatever they are."""

    data: bytes


class Pairs(list[tuple[Any, Any]]):
    """A map in the order given, keys twice if they are there twice."""


def head(major: int, value: int) -> bytes:
    for low, bits in enumerate((8, 16, 32, 64), 24):
        if value < 24:
            return bytes([major << 5 | value])
        if value < 1 << bits:
            return bytes([major << 5 | low]) + value.to_bytes(bits // 8, "big")
    raise ValueError("beyond 64 bits")


def cbor(value: Any) -> bytes:
    """Deterministic CBOR, but for Raw and Pairs."""
    if isinstance(value, Raw):
        return value.data
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", True: b"\xf5", False: b"\xf4"}[value]
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, ~value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, Pairs):
        return head(5, len(value)) + b"".join(cbor(each) for pair in value for each in pair)
    if isinstance(value, dict):
        pairs = sorted((cbor(key), cbor(each)) for key, each in value.items())
        return head(5, len(pairs)) + b"".join(key + each for key, each in pairs)
    return head(4, len(value)) + b"".join(map(cbor, value))


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


class Signer:
    """A private key of -8 or -7 made from a seed."""

    def __init__(self, seed: str | bytes, algorithm: int = -8):
        """seed: a text, or the 32 bytes of the key itself."""
        secret = seed if isinstance(seed, bytes) else sha(seed.encode())
        self.algorithm = algorithm
        self._key: Any
        if algorithm in (-8, -19):
            self._key = Ed25519PrivateKey.from_private_bytes(secret)
            form = Encoding.Raw, PublicFormat.Raw
        else:
            self._key = ec.derive_private_key(int.from_bytes(secret, "big") >> 1, ec.SECP256R1())
            form = Encoding.X962, PublicFormat.UncompressedPoint
        self.public = self._key.public_key().public_bytes(*form)
        self.id = sha(self.public)[:8]

    def sign(self, protected: bytes, payload: bytes) -> bytes:
        signed = cbor(["Signature1", protected, b"", payload])
        if self.algorithm in (-8, -19):
            return bytes(self._key.sign(signed))
        chosen = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        r, s = decode_dss_signature(self._key.sign(signed, chosen))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def row(self, first: int = 1, last: int | None = None) -> dict[str, Any]:
        """A row of keys.json."""
        return {
            "algorithm": self.algorithm, "public_key": self.public.hex(),
            "first": first, "last": last,
        }  # fmt: skip


@dataclass(frozen=True)
class Message:
    """A COSE_Sign1 in its parts."""

    protected: bytes
    key_id: bytes
    payload: bytes
    signature: bytes

    @property
    def raw(self) -> bytes:
        parts = [self.protected, {4: self.key_id}, self.payload, self.signature]
        return b"\xd2" + cbor(parts)


def sign(
    signer: Signer, payload: bytes, content_type: str, algorithm: Any = None, **changed: bytes
) -> Message:
    """changed: parts to exchange after signing."""
    written = signer.algorithm if algorithm is None else algorithm
    protected = cbor({1: written, 3: content_type})
    message = Message(protected, signer.id, payload, signer.sign(protected, payload))
    return replace(message, **changed)


@dataclass
class Batch:
    """The records of one batch, who signs, and what stands in the statement."""

    unit: str
    signer: Signer  # of the statement
    records: list[Message]
    first: int
    last: int
    batch: int = 1
    damaged: list[list[int]] = field(default_factory=list)
    previous: bytes = bytes(32)
    time: int = T0_MS

    def statement_fields(self) -> dict[Any, Any]:
        return {
            1: self.unit, 2: self.batch, 3: self.first, 4: self.last, 5: self.root(),
            6: self.previous, 7: self.time, 8: self.damaged,
        }  # fmt: skip

    def root(self) -> bytes:
        return tree_root([sha(b"\0", each.raw) for each in self.records])

    def statement(self) -> Message:
        return sign(self.signer, cbor(self.statement_fields()), BATCH)


def tree_root(leaves: list[bytes]) -> bytes:
    """RFC 9162 2.1.1, as it is written there."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha(b"\1", tree_root(leaves[:split]), tree_root(leaves[split:]))


def tree_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 9162 2.1.3.1."""
    if len(leaves) < 2:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*tree_path(index, leaves[:split]), tree_root(leaves[split:])]
    return [*tree_path(index - split, leaves[split:]), tree_root(leaves[:split])]


def tree_growth(old: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """RFC 9162 2.1.4.1."""
    if old == len(leaves):
        return [] if whole else [tree_root(leaves)]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if old <= split:
        return [*tree_growth(old, leaves[:split], whole), tree_root(leaves[split:])]
    return [*tree_growth(old - split, leaves[split:], False), tree_root(leaves[:split])]


def without_previous(payload: bytes) -> bytes:
    at = payload.index(MARK) + len(MARK)
    return payload[:at] + payload[at + 32 :]


def pack_parts(records: list[Message], whole: list[int] | None = None) -> list[Any]:
    """[heads, which, whole, payloads, signatures]; `whole` None: the first and what must be."""
    heads: list[list[bytes]] = []
    which, payloads = [], []
    if whole is None:
        whole = [n for n in range(len(records)) if not may_leave_out(records, n)]
    for number, each in enumerate(records):
        pair = [each.protected, each.key_id]
        if pair not in heads:
            heads.append(pair)
        which.append(heads.index(pair))
        payloads.append(each.payload if number in whole else without_previous(each.payload))
    signatures = b"".join(each.signature for each in records)
    return [heads, bytes(which), whole, payloads, signatures]


def may_leave_out(records: list[Message], number: int) -> bool:
    """Whether record `number` is rebuilt the same without its `previous`."""
    at = records[number].payload.find(MARK) + len(MARK)
    before = sha(records[number - 1].raw) if number else b""
    return at >= len(MARK) and number > 0 and records[number].payload[at : at + 32] == before


def taken_apart(data: bytes) -> tuple[dict[int, Any], list[Message]]:
    """(the statement's fields, the records) of a right batch file."""
    _, statement, _, packed = cbor2.loads(data)
    fields = cbor2.loads(cbor2.loads(statement).value[2])
    heads, which, whole, payloads, signatures = cbor2.loads(zlib.decompress(packed))
    records: list[Message] = []
    for number, payload in enumerate(payloads):
        if number not in whole:
            at = payload.index(MARK) + len(MARK)
            payload = payload[:at] + sha(records[-1].raw) + payload[at:]
        signature = signatures[64 * number : 64 * number + 64]
        records.append(Message(*heads[which[number]], payload, signature))
    return fields, records


def file_of(statement: Message | bytes, parts: Any, codec: Any = 1, level: int = 6) -> bytes:
    """A batch file; `parts` as of pack_parts, or bytes that stand for them."""
    packed = parts if isinstance(parts, bytes) else cbor(parts)
    raw = statement if isinstance(statement, bytes) else statement.raw
    return cbor([1, raw, codec, zlib.compress(packed, level) if codec == 1 else packed])


def receipt(
    office: Signer, batch: Batch, leaves: list[bytes], index: int, old: int = 0, **changed: Any
) -> bytes:
    """The office's receipt for leaf `index`; changed: iss, sub, vds, proofs, to make it wrong."""
    claims = {
        1: changed.get("iss", "office"),
        2: changed.get("sub", f"{batch.unit}/{batch.batch}"),
        6: T0_MS // 1000,
    }
    protected = cbor({1: office.algorithm, 4: office.id, 15: claims, 395: changed.get("vds", 1)})
    proofs = {-1: [cbor([len(leaves), index, tree_path(index, leaves)])]}
    if old:
        proofs[-2] = [cbor([old, len(leaves), tree_growth(old, leaves)])]
    signature = office.sign(protected, tree_root(leaves))
    unprotected = {396: changed.get("proofs", proofs)}
    return b"\xd2" + cbor([protected, unprotected, None, signature])


def proof(batch: Batch, index: int, receipt_bytes: bytes | None) -> bytes:
    """A *.proof file for the record at `index`."""
    leaves = [sha(b"\0", each.raw) for each in batch.records]
    statement, record = batch.statement().raw, batch.records[index].raw
    return cbor([1, record, statement, index, tree_path(index, leaves), receipt_bytes])
