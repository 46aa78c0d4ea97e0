"""COSE_Sign1 over deterministic CBOR: the one place that knows cbor2.

Encoding is RFC 8949 4.2.1 (shortest forms, definite lengths, map keys in bytewise order) of int,
bool, None, bytes, str, list and dict; floats, tags and big integers have no place in a record.
Decoding is canonical or rejected: what does not encode back to the same bytes is no value.
A message is the tagged COSE_Sign1 of RFC 9052 4.2 with exactly the headers of docs/records.md; its
algorithm is one of algorithms.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from mmap import mmap
from typing import Any, NamedTuple, NoReturn

import cbor2

from firmware.journal import algorithms
from firmware.journal.algorithms import (
    KEY_ID_LENGTH,
    SEED_LENGTH,
    AlgorithmError,
    Ed25519Signer,
    Signer,
    key_id,
    new_seed,
)

__all__ = ["KEY_ID_LENGTH", "SEED_LENGTH", "Ed25519Signer", "Signer", "key_id", "new_seed"]

HEADER_ALGORITHM = 1  # RFC 9052 3.1
HEADER_CONTENT_TYPE = 3
HEADER_KEY_ID = 4
TAG_SIGN1 = 0xD2  # tag 18 as its one byte
SIGNATURE_LENGTH = 2 + 64  # as a byte string

MAX_DEPTH = 8
MAX_MESSAGE = 4 * 1024 * 1024  # bytes; a stop list is the largest


class CoseError(ValueError):
    """Bytes that are not canonical CBOR, not our COSE_Sign1, or not signed by the key named."""


# --- deterministic CBOR ---


def encode(obj: object) -> bytes:
    """RFC 8949 4.2.1; raises CoseError for anything a record may not hold."""
    return cbor2.dumps(_ordered(obj, 0))


def _ordered(obj: object, depth: int) -> object:
    """obj with every map's keys in bytewise order of their encodings."""
    if depth > MAX_DEPTH:
        raise CoseError(f"more than {MAX_DEPTH} levels")
    kind = type(obj)
    if kind is bytes or kind is str or kind is bool or obj is None:
        return obj
    if kind is int:
        if -(1 << 64) <= obj < (1 << 64):  # type: ignore[operator]
            return obj
        raise CoseError("an integer of more than 64 bits")
    if kind is dict:
        return {key: _ordered(obj[key], depth + 1) for key in _sorted_keys(obj)}  # type: ignore[index, arg-type]
    if kind is list or kind is tuple:
        return [_ordered(each, depth + 1) for each in obj]  # type: ignore[attr-defined]
    raise CoseError(f"{kind.__name__} has no place in a record")


def _sorted_keys(obj: dict[Any, object]) -> list[Any]:
    kinds = set(map(type, obj))
    if kinds == {int} and min(obj) >= 0:
        return sorted(obj)  # for these the numeric order is the bytewise one
    if kinds - {int, str}:
        raise CoseError("a map key is an integer or a text")
    return sorted(obj, key=cbor2.dumps)


def decode(raw: bytes, limit: int = MAX_MESSAGE) -> Any:
    """The value of `raw`; raises CoseError unless it is canonical and at most `limit` bytes."""
    if len(raw) > limit:
        raise CoseError(f"{len(raw)} bytes, more than {limit}")
    try:
        obj = cbor2.loads(
            raw,
            max_depth=MAX_DEPTH + 1,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            semantic_decoders=_NO_TAGS,
        )
        again = encode(obj)
    except CoseError:
        raise
    except (cbor2.CBORError, ValueError, OverflowError, MemoryError, RecursionError) as error:
        raise CoseError(f"not CBOR: {type(error).__name__}") from None
    if again != raw:
        raise CoseError("not in canonical form, or followed by other bytes")
    return obj


def glance(raw: bytes) -> Any:
    """The value of bytes whose signer answers for their form; raises CoseError for no CBOR."""
    try:
        return cbor2.loads(raw, max_depth=MAX_DEPTH + 1, semantic_decoders=_NO_TAGS)
    except (cbor2.CBORError, ValueError, OverflowError, MemoryError, RecursionError) as error:
        raise CoseError(f"not CBOR: {type(error).__name__}") from None


def _refuse_tag(decoder: object) -> NoReturn:
    raise CoseError("a tag has no place in a record")


# The tags cbor2 would turn into dates, fractions, expressions, shared references and the like.
_TAGS = (0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 100, 256, 258, 260, 261, 1004, 43000, 55799)
_NO_TAGS = dict.fromkeys(_TAGS, _refuse_tag)

# --- COSE_Sign1 ---


class Unverified(NamedTuple):
    """What a message says of itself before anybody checked its signature."""

    content_type: str
    key_id: bytes
    payload: bytes


@lru_cache(maxsize=32)
def _protected(algorithm: int, content_type: str) -> bytes:
    return encode({HEADER_ALGORITHM: algorithm, HEADER_CONTENT_TYPE: content_type})


def algorithm_of(protected: bytes, content_type: str) -> int:
    """The algorithm that a protected header names, of those known; raises CoseError."""
    found = _algorithms(content_type, algorithms.known()).get(protected)
    if found is None:
        raise CoseError(
            f"the protected header is not that of {content_type} under a known algorithm"
        )
    return found


@lru_cache(maxsize=32)
def _algorithms(content_type: str, known: tuple[int, ...]) -> dict[bytes, int]:
    return {_protected(each, content_type): each for each in known}


def to_be_signed(protected: bytes, payload: bytes) -> bytes:
    """Sig_structure of RFC 9052 4.4, no external data."""
    return cbor2.dumps(["Signature1", protected, b"", payload])


def sign1(payload: bytes, signer: Signer, content_type: str) -> bytes:
    """The tagged COSE_Sign1 of `payload`."""
    protected = _protected(signer.algorithm, content_type)
    signature = signer.sign(to_be_signed(protected, payload))
    unprotected = {HEADER_KEY_ID: key_id(signer.public_key)}
    return bytes([TAG_SIGN1]) + cbor2.dumps([protected, unprotected, payload, signature])


def verify1(raw: bytes, public_key: bytes, content_type: str) -> bytes:
    """The payload, once headers, key id and signature are right; raises CoseError."""
    protected, unprotected, payload, signature = parts1(raw)
    algorithm = algorithm_of(protected, content_type)
    if unprotected[HEADER_KEY_ID] != key_id(public_key):
        raise CoseError("signed by another key")
    check_signature(algorithm, public_key, signature, to_be_signed(protected, payload))
    return payload


def check_signature(algorithm: int, public_key: bytes, signature: bytes, data: bytes) -> None:
    """Raises CoseError unless `signature` is the key's over `data` by that COSE algorithm."""
    try:
        is_right = algorithms.verify(algorithm, public_key, signature, data)
    except AlgorithmError as error:
        raise CoseError(str(error)) from None
    if not is_right:
        raise CoseError("the signature is wrong")


def sign_detached(
    payload: bytes, signer: Signer, protected: Mapping[int, Any], unprotected: Mapping[int, Any]
) -> bytes:
    """The tagged COSE_Sign1 of a payload that is not in it (RFC 9052 4.1); alg and kid are added.

    Here the key id is protected, as RFC 9942 has it of receipts.
    """
    headers = {HEADER_ALGORITHM: signer.algorithm, HEADER_KEY_ID: key_id(signer.public_key)}
    head = encode({**headers, **protected})
    signature = signer.sign(to_be_signed(head, payload))
    return bytes([TAG_SIGN1]) + encode([head, dict(unprotected), None, signature])


class Detached(NamedTuple):
    """A message without its payload, nothing verified; protected as bytes and as a map."""

    raw_protected: bytes
    protected: dict[Any, Any]
    unprotected: dict[Any, Any]
    signature: bytes


def read_detached(raw: bytes) -> Detached:
    """Raises CoseError unless it is a canonical tagged COSE_Sign1 with a null payload."""
    if raw[:1] != bytes([TAG_SIGN1]):
        raise CoseError("not a tagged COSE_Sign1")
    match decode(raw[1:]):
        case [bytes() as head, dict() as unprotected, None, bytes() as signature]:
            protected = decode(head)
            if isinstance(protected, dict):
                return Detached(head, protected, unprotected, signature)
    raise CoseError("not the four parts of a COSE_Sign1 with a detached payload")


def peek1(raw: bytes) -> Unverified:
    """What the message claims, to find the key to verify it with; raises CoseError."""
    protected, unprotected, payload, _ = parts1(raw)
    headers = decode(protected)
    if not isinstance(headers, dict):
        raise CoseError("the protected header is no map")
    content_type = headers.get(HEADER_CONTENT_TYPE)
    if not isinstance(content_type, str):
        raise CoseError("no content type")
    return Unverified(content_type, unprotected[HEADER_KEY_ID], payload)


def parts1(raw: bytes) -> tuple[bytes, dict[int, bytes], bytes, bytes]:
    """protected, unprotected {4: key id}, payload, signature; raises CoseError on another shape."""
    if raw[:1] != bytes([TAG_SIGN1]):
        raise CoseError("not a tagged COSE_Sign1")
    parts = decode(raw[1:])
    match parts:
        case [bytes() as protected, {4: bytes() as key} as unprotected, bytes(), bytes()]:
            pass
        case _:
            raise CoseError("not the four parts of a COSE_Sign1")
    if len(unprotected) != 1 or len(key) != KEY_ID_LENGTH:
        raise CoseError("the unprotected header holds one key id and nothing else")
    return protected, unprotected, parts[2], parts[3]


def length1(raw: bytes) -> int:
    """The bytes of the message that `raw` begins with; raises CoseError for another shape."""
    at = 2
    if raw[:at] != bytes([TAG_SIGN1, 0x84]):
        raise CoseError("not a tagged COSE_Sign1")
    at = _end_of_bytes(raw, at)  # protected
    at = _end_of_bytes(raw, at + 1 + 1 + 1 + KEY_ID_LENGTH)  # {4: key id}, payload
    if at + SIGNATURE_LENGTH > len(raw):
        raise CoseError("the message is cut short")
    return at + SIGNATURE_LENGTH


def _end_of_bytes(raw: bytes, at: int) -> int:
    """Where the byte string that begins at `at` ends (RFC 8949 3, major type 2)."""
    head = int.from_bytes(raw[at : at + 1], "big")
    size = {0x58: 1, 0x59: 2, 0x5A: 4}.get(head, 0)
    if not size and not 0x40 <= head <= 0x57:
        raise CoseError("not the four parts of a COSE_Sign1")
    length = int.from_bytes(raw[at + 1 : at + 1 + size], "big") if size else head - 0x40
    return at + 1 + size + length


def carve(data: bytes | mmap, content_type: str) -> Iterator[bytes]:
    """What looks like messages of that type, wherever they lie in a damaged file; unverified.

    A message of this module has one shape: tag, array of four, protected header, key id, payload,
    64-byte signature; only the payload's length differs.
    """
    heads = (cbor2.dumps(_protected(each, content_type)) for each in algorithms.known())
    start = re.escape(bytes([TAG_SIGN1, 0x84])) + b"(?:" + b"|".join(map(re.escape, heads)) + b")"
    pattern = start + rb"\xa1\x04\x48.{8}(?:([\x40-\x57])|\x58(.)|\x59(..))"
    for found in re.finditer(pattern, data, re.DOTALL):
        short, one, two = found.groups()
        length = short[0] - 0x40 if short else int.from_bytes(one or two, "big")
        yield data[found.start() : found.end() + length + SIGNATURE_LENGTH]
