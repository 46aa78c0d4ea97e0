"""One record: its bytes once and for ever.

A record is encoded and signed once; `Record.raw` is what is stored, chained, batched, shown and
verified.  The tables below are docs/records.md in code (a test compares them).  Writing is strict:
a known kind, its keys, their types.  Reading is tolerant of kinds and keys of a later release, and
of nothing else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from firmware.journal import cose
from firmware.journal.cose import CoseError, Signer
from firmware.journal.kinds import (
    ABSENT_FROM_INTENT,
    ENVELOPE,
    KEY_ACCOUNT_FEN,
    KEY_AMOUNTS_SENT,
    KEY_POOLED_FEN,
    KEY_SELF_FEN,
    KEY_TIME7,
    KEY_YEAR,
    KEYS,
    KIND_NAMES,
    KINDS,
)

CONTENT_TYPE = "application/ssc-record+cbor"
MAX_RECORD = 3072  # bytes: a record lies whole inside one page of the store
NO_PREVIOUS = bytes(32)


class RecordError(ValueError):
    """A record that cannot be built, or bytes that are no sound record."""


# --- types ---


def _is_uint(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 64


def _is_map(value: object, is_key: Callable[[Any], bool], is_value: Callable[[Any], bool]) -> bool:
    return isinstance(value, dict) and all(is_key(k) and is_value(v) for k, v in value.items())


def _is_text(value: object) -> bool:
    return type(value) is str


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "text": _is_text,
    "uint": _is_uint,
    "bool": lambda value: type(value) is bool,
    "bytes": lambda value: type(value) is bytes,
    "32 or 65 bytes": lambda value: type(value) is bytes and len(value) in (32, 65),
    "map": lambda value: _is_map(value, _is_uint, lambda _: True),
    "{text: any}": lambda value: _is_map(value, _is_text, lambda _: True),
    "{uint: uint}": lambda value: _is_map(value, _is_uint, _is_uint),
    "[text, ...]": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "[uint, uint, uint]": lambda v: isinstance(v, list) and len(v) == 3 and all(map(_is_uint, v)),
}


def _check_of(type_name: str) -> Callable[[Any], bool]:
    sized = re.fullmatch(r"(\d+) bytes", type_name)
    if sized is None:
        return _CHECKS[type_name]
    length = int(sized[1])
    return lambda value: type(value) is bytes and len(value) == length


_KEY_CHECKS = {key: _check_of(type_name) for key, (_, type_name) in KEYS.items()}
_ENVELOPE_CHECKS = {key: _check_of(type_name) for key, (_, type_name) in ENVELOPE.items()}

# --- the record ---


def digest_of(raw: bytes) -> bytes:
    """SHA-256, 32 bytes."""
    return hashlib.sha256(raw).digest()


@dataclass(frozen=True, slots=True)
class Record:
    """One sound record.  raw: the COSE_Sign1 as stored; body: key -> value, unknown keys kept."""

    unit: str
    number: int
    boot: int
    time_ms: int
    trust: int
    kind: int
    profile: int
    previous: bytes
    body: dict[int, Any]
    raw: bytes

    @property
    def digest(self) -> bytes:
        """SHA-256 of raw, 32 bytes: the next record's `previous`."""
        return digest_of(self.raw)

    @property
    def kind_name(self) -> str:
        return KIND_NAMES.get(self.kind, f"KIND {self.kind}")


def build(
    kind: int,
    body: Mapping[int, Any],
    *,
    unit: str,
    number: int,
    boot: int,
    time_ms: int,
    trust: int,
    profile: int,
    previous: bytes,
    signer: Signer,
) -> Record:
    """A new record, signed; raises RecordError on an unknown kind, key or type, or over 3072 B."""
    if kind not in KINDS:
        raise RecordError(f"kind {kind} is not known")
    unknown = set(body) - KINDS[kind].required - KINDS[kind].optional
    if unknown:
        raise RecordError(f"{KINDS[kind].name} holds no {_names(unknown)}")
    own = dict(body)
    _check_body(kind, own)
    fields = (unit, number, boot, time_ms, trust, kind, profile, previous, own)
    envelope = dict(enumerate(fields, 1))
    _check_envelope({**envelope, 9: {}})  # the body was checked, key by key
    try:
        raw = cose.sign1(cose.encode(envelope), signer, CONTENT_TYPE)
    except CoseError as error:
        raise RecordError(str(error)) from None
    if len(raw) > MAX_RECORD:
        raise RecordError(f"{len(raw)} bytes; a record has at most {MAX_RECORD}")
    return Record(*fields, raw)


def parse(raw: bytes, public_key: bytes) -> Record:
    """The record of these bytes, its signature verified; raises RecordError."""
    try:
        payload = cose.verify1(raw, public_key, CONTENT_TYPE)
    except CoseError as error:
        raise RecordError(str(error)) from None
    return _record(payload, raw)


def claimed(raw: bytes) -> Record:
    """The same, but for the signature: for bytes that something else vouches for."""
    try:
        said = cose.peek1(raw)
    except CoseError as error:
        raise RecordError(str(error)) from None
    if said.content_type != CONTENT_TYPE:
        raise RecordError(f"not of type {CONTENT_TYPE}")
    return _record(said.payload, raw)


def _record(payload: bytes, raw: bytes) -> Record:
    try:
        envelope = cose.decode(payload, MAX_RECORD)
    except CoseError as error:
        raise RecordError(str(error)) from None
    check_payload(envelope)
    fields: list[Any] = [*(envelope[key] for key in ENVELOPE), raw]
    return Record(*fields)


def read(
    raw: bytes, keys: Mapping[bytes, bytes], ends: Mapping[bytes, int] | None = None
) -> Record:
    """As `parse`, with whichever of the keys it names; keys: key id -> public key.

    ends: key id -> the last record number that a key which was changed is good for.
    """
    if type(raw) is not bytes:  # as a database may answer whose row is damaged
        raise RecordError("it is no byte string")
    try:
        claimed = cose.peek1(raw).key_id
    except CoseError as error:
        raise RecordError(str(error)) from None
    if claimed not in keys:
        raise RecordError(f"signed by the unknown key {claimed.hex()}")
    found = parse(raw, keys[claimed])
    if ends and found.number > ends.get(claimed, found.number):
        raise RecordError(f"the key {claimed.hex()} was changed at record {ends[claimed]}")
    return found


def whole_intent(body: Mapping[int, Any]) -> dict[int, Any]:
    """The body of an INTENT with what it leaves out: docs/records.md, "absent".  Of a LOAD_INTENT,
    which leaves nothing out, the same.

    Raises RecordError where an amount has no room in b 4, which this terminal never writes.
    """
    if KEY_ACCOUNT_FEN not in body:
        return dict(body)
    whole = {**ABSENT_FROM_INTENT, **body}
    whole.setdefault(KEY_YEAR, body[KEY_TIME7][:2])
    if KEY_AMOUNTS_SENT not in body:
        asked_fen = [body[key] for key in (KEY_ACCOUNT_FEN, KEY_SELF_FEN, KEY_POOLED_FEN)]
        if max(asked_fen) >= 1 << 32:
            raise RecordError(f"{max(asked_fen)} fen have no room in 4 bytes")
        whole[KEY_AMOUNTS_SENT] = b"".join(each.to_bytes(4, "big") for each in asked_fen)
    return whole


def short_intent(whole: Mapping[int, Any]) -> dict[int, Any]:
    """As an INTENT is written: without what `whole_intent` puts back."""
    following = (*ABSENT_FROM_INTENT, KEY_YEAR, KEY_AMOUNTS_SENT)
    short = {key: value for key, value in whole.items() if key not in following}
    meant = whole_intent(short)
    return short | {key: whole[key] for key in following if whole[key] != meant[key]}


def check_payload(envelope: Any) -> None:
    """Envelope and body as documented, of what was decoded; raises RecordError."""
    if not isinstance(envelope, dict):
        raise RecordError("the payload is no map")
    _check_envelope(envelope)
    kind, body = envelope[6], envelope[9]
    if kind in KINDS:
        _check_body(kind, body)


def _check_envelope(envelope: dict[int, Any]) -> None:
    for key, is_right in _ENVELOPE_CHECKS.items():
        if key not in envelope or not is_right(envelope[key]):
            raise RecordError("{} is no {}".format(*ENVELOPE[key]))
    if envelope[2] == 0:
        raise RecordError("records are numbered from 1")


def _check_body(kind: int, body: dict[int, Any]) -> None:
    """Required keys are there, known keys have their type."""
    missing = KINDS[kind].required - body.keys()
    if missing:
        raise RecordError(f"{KINDS[kind].name} lacks {_names(missing)}")
    for key, value in body.items():
        if key in _KEY_CHECKS and not _KEY_CHECKS[key](value):
            raise RecordError("{} is no {}".format(*KEYS[key]))


def _names(keys: set[int] | frozenset[int]) -> str:
    return ", ".join(KEYS[key][0] if key in KEYS else f"key {key}" for key in sorted(keys))
