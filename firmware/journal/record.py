"""One record: its kinds and keys as tables, its bytes once and for ever.

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
from typing import Any, NamedTuple

from firmware.journal import cose
from firmware.journal.cose import CoseError, Signer

CONTENT_TYPE = "application/ssc-record+cbor"
MAX_RECORD = 3072  # bytes: a record lies whole inside one page of the store
NO_PREVIOUS = bytes(32)

PROFILE_DEVELOPMENT = 1
PROFILE_PRODUCTION = 2


class RecordError(ValueError):
    """A record that cannot be built, or bytes that are no sound record."""


# --- envelope ---

ENVELOPE = {
    1: ("unit", "text"),
    2: ("number", "uint"),
    3: ("boot", "uint"),
    4: ("time", "uint"),
    5: ("trust", "uint"),
    6: ("kind", "uint"),
    7: ("profile", "uint"),
    8: ("previous", "32 bytes"),
    9: ("body", "map"),
}

# --- body keys ---

KEY_ORDER_NO = 1
KEY_OPERATOR = 2
KEY_TERMINAL = 3
KEY_TERMINAL_SERIAL = 4
KEY_CARD_ID = 5
KEY_CARD_NUMBER = 6
KEY_HISTORICAL = 7
KEY_ALGORITHM = 8
KEY_KEY_INDEX = 9
KEY_KEY_VERSION = 10
KEY_PURCHASE_SERIAL = 11
KEY_CARD_RANDOM = 12
KEY_AMOUNTS_SENT = 13
KEY_TYPE = 14
KEY_TIME7 = 15
KEY_MAC1 = 16
KEY_ACCOUNT_BALANCE_FEN = 17
KEY_YEARLY_SELF_FEN = 18
KEY_YEARLY_POOLED_FEN = 19
KEY_YEAR = 20
KEY_EF06 = 21
KEY_ACCOUNT_FEN = 22
KEY_SELF_FEN = 23
KEY_POOLED_FEN = 24
KEY_MAPPING = 25
KEY_LOAD_SERIAL = 26
KEY_LOAD_FEN = 27
KEY_SPECIAL = 28
KEY_INTENT = 30
KEY_TAC = 31
KEY_MAC2 = 32
KEY_MAC2_STATE = 33
KEY_TAC_STATE = 34
KEY_KNOWN_BY = 35
KEY_OUTCOME = 36
KEY_EVIDENCE = 37
KEY_DONE = 38
KEY_EXPLAINED = 41
KEY_TOTAL_FEN = 42
KEY_COUNT = 43
KEY_TOTALS_STATE = 44
KEY_SPECIAL_STATE = 45
KEY_DETAIL = 50
KEY_COUNTS = 51
KEY_SUMS_FEN = 52
KEY_PUBLIC_KEY = 53
KEY_FIRMWARE = 54
KEY_BOOT_ID = 55
KEY_WHAT = 56
KEY_DIGEST = 57
KEY_FIRST = 58
KEY_LAST = 59
KEY_OLD_TIME = 60
KEY_NEW_TIME = 61
KEY_ACT = 70
KEY_ITEMS = 71
KEY_BEFORE = 72
KEY_AFTER = 73
KEY_REQUEST_NO = 74
KEY_STATEMENT = 75
KEY_SECOND = 80
KEY_ID_KIND = 81
KEY_ID_TAIL = 82

KEYS = {
    KEY_ORDER_NO: ("order_no", "text"),
    KEY_OPERATOR: ("operator", "text"),
    KEY_TERMINAL: ("terminal", "6 bytes"),
    KEY_TERMINAL_SERIAL: ("terminal_serial", "4 bytes"),
    KEY_CARD_ID: ("card_id", "16 bytes"),
    KEY_CARD_NUMBER: ("card_number", "text"),
    KEY_HISTORICAL: ("historical", "13 bytes"),
    KEY_ALGORITHM: ("algorithm", "uint"),
    KEY_KEY_INDEX: ("key_index", "uint"),
    KEY_KEY_VERSION: ("key_version", "uint"),
    KEY_PURCHASE_SERIAL: ("purchase_serial", "uint"),
    KEY_CARD_RANDOM: ("card_random", "4 bytes"),
    KEY_AMOUNTS_SENT: ("amounts_sent", "12 bytes"),
    KEY_TYPE: ("type", "uint"),
    KEY_TIME7: ("time7", "7 bytes"),
    KEY_MAC1: ("mac1", "4 bytes"),
    KEY_ACCOUNT_BALANCE_FEN: ("account_balance_fen", "uint"),
    KEY_YEARLY_SELF_FEN: ("yearly_self_fen", "uint"),
    KEY_YEARLY_POOLED_FEN: ("yearly_pooled_fen", "uint"),
    KEY_YEAR: ("year", "2 bytes"),
    KEY_EF06: ("ef06", "[uint, uint, uint]"),
    KEY_ACCOUNT_FEN: ("account_fen", "uint"),
    KEY_SELF_FEN: ("self_fen", "uint"),
    KEY_POOLED_FEN: ("pooled_fen", "uint"),
    KEY_MAPPING: ("mapping", "uint"),
    KEY_LOAD_SERIAL: ("load_serial", "uint"),
    KEY_LOAD_FEN: ("load_fen", "uint"),
    KEY_SPECIAL: ("special", "text"),
    KEY_INTENT: ("intent", "uint"),
    KEY_TAC: ("tac", "4 bytes"),
    KEY_MAC2: ("mac2", "4 bytes"),
    KEY_MAC2_STATE: ("mac2_state", "uint"),
    KEY_TAC_STATE: ("tac_state", "uint"),
    KEY_KNOWN_BY: ("known_by", "uint"),
    KEY_OUTCOME: ("outcome", "uint"),
    KEY_EVIDENCE: ("evidence", "{text: any}"),
    KEY_DONE: ("done", "uint"),
    KEY_EXPLAINED: ("explained", "bool"),
    KEY_TOTAL_FEN: ("total_fen", "uint"),
    KEY_COUNT: ("count", "uint"),
    KEY_TOTALS_STATE: ("totals_state", "uint"),
    KEY_SPECIAL_STATE: ("special_state", "uint"),
    KEY_DETAIL: ("detail", "text"),
    KEY_COUNTS: ("counts", "{uint: uint}"),
    KEY_SUMS_FEN: ("sums_fen", "{uint: uint}"),
    KEY_PUBLIC_KEY: ("public_key", "32 bytes"),
    KEY_FIRMWARE: ("firmware", "text"),
    KEY_BOOT_ID: ("boot_id", "16 bytes"),
    KEY_WHAT: ("what", "text"),
    KEY_DIGEST: ("digest", "32 bytes"),
    KEY_FIRST: ("first", "uint"),
    KEY_LAST: ("last", "uint"),
    KEY_OLD_TIME: ("old_time", "uint"),
    KEY_NEW_TIME: ("new_time", "uint"),
    KEY_ACT: ("act", "text"),
    KEY_ITEMS: ("items", "[text, ...]"),
    KEY_BEFORE: ("before", "32 bytes"),
    KEY_AFTER: ("after", "32 bytes"),
    KEY_REQUEST_NO: ("request_no", "text"),
    KEY_STATEMENT: ("statement", "32 bytes"),
    KEY_SECOND: ("second", "text"),
    KEY_ID_KIND: ("id_kind", "text"),
    KEY_ID_TAIL: ("id_tail", "text"),
}

# --- kinds ---

KIND_INTENT = 1
KIND_DONE = 2
KIND_VOID = 3
KIND_SUSPECT = 4
KIND_UNCERTAIN = 5
KIND_RULED = 6
KIND_TOTALS = 7
KIND_DECLINED = 8
KIND_LOAD_INTENT = 9
KIND_LOAD_DONE = 10
KIND_LOAD_VOID = 11
KIND_LOAD_UNCERTAIN = 12
KIND_START = 16
KIND_PSAM_SEEN = 17
KIND_CLOCK = 18
KIND_TAMPER = 19
KIND_SERVICE = 20
KIND_DAMAGE = 21
KIND_APPLIED = 22
KIND_SHIFT_OPEN = 32
KIND_SHIFT_CLOSE = 33
KIND_RECEIPT_PRINTED = 34
KIND_REPRINT = 35
KIND_REFUND_REQUEST = 36


class Kind(NamedTuple):
    """name, the body keys it must hold, the body keys it may hold."""

    name: str
    required: frozenset[int]
    optional: frozenset[int] = frozenset()


_SETTLED = Kind("", frozenset({30, 33, 34, 35, 36}), frozenset({31, 32, 37}))
_LOAD = frozenset({1, 2, 3, *range(5, 11), 12, *range(14, 18), 26, 27, 32})
_WITHOUT_TAC = Kind("", frozenset({30, 36}), frozenset({37}))

KINDS = {
    KIND_INTENT: Kind("INTENT", frozenset({*range(1, 21), *range(22, 26)}), frozenset({21, 28})),
    KIND_DONE: _SETTLED._replace(name="DONE"),
    KIND_VOID: _WITHOUT_TAC._replace(name="VOID"),
    KIND_SUSPECT: _SETTLED._replace(name="SUSPECT"),
    KIND_UNCERTAIN: _WITHOUT_TAC._replace(name="UNCERTAIN"),
    KIND_RULED: Kind("RULED", frozenset({30, 2, 50})),
    KIND_TOTALS: Kind("TOTALS", frozenset({30, 44}), frozenset({42, 43, 45, 50})),
    KIND_DECLINED: Kind("DECLINED", frozenset({1, 2, 22, 23, 24, 36}), frozenset({5, 6, 50})),
    KIND_LOAD_INTENT: Kind("LOAD_INTENT", _LOAD),
    KIND_LOAD_DONE: Kind("LOAD_DONE", frozenset({30, 34, 35, 36}), frozenset({31, 37})),
    KIND_LOAD_VOID: _WITHOUT_TAC._replace(name="LOAD_VOID"),
    KIND_LOAD_UNCERTAIN: _WITHOUT_TAC._replace(name="LOAD_UNCERTAIN"),
    KIND_START: Kind("START", frozenset({53, 54, 55})),
    KIND_PSAM_SEEN: Kind("PSAM_SEEN", frozenset({3, 4, 41}), frozenset({8, 50})),
    KIND_CLOCK: Kind("CLOCK", frozenset({60, 61})),
    KIND_TAMPER: Kind("TAMPER", frozenset({50})),
    KIND_SERVICE: Kind(
        "SERVICE", frozenset({2, 50, 36}), frozenset({5, 6, *range(70, 76), 80, 81, 82})
    ),
    KIND_DAMAGE: Kind("DAMAGE", frozenset({58, 59, 50})),
    KIND_APPLIED: Kind("APPLIED", frozenset({56, 57, 59})),
    KIND_SHIFT_OPEN: Kind("SHIFT_OPEN", frozenset({2})),
    KIND_SHIFT_CLOSE: Kind("SHIFT_CLOSE", frozenset({2, 51, 52})),
    KIND_RECEIPT_PRINTED: Kind("RECEIPT_PRINTED", frozenset({30, 2})),
    KIND_REPRINT: Kind("REPRINT", frozenset({30, 2})),
    KIND_REFUND_REQUEST: Kind("REFUND_REQUEST", frozenset({30, 38, 2})),
}
KIND_NAMES = {number: kind.name for number, kind in KINDS.items()}

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
    _check_envelope(envelope)
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
        envelope = cose.decode(cose.verify1(raw, public_key, CONTENT_TYPE), MAX_RECORD)
    except CoseError as error:
        raise RecordError(str(error)) from None
    if not isinstance(envelope, dict):
        raise RecordError("the payload is no map")
    _check_envelope(envelope)
    kind, body = envelope[6], envelope[9]
    if kind in KINDS:
        _check_body(kind, body)
    fields: list[Any] = [*(envelope[key] for key in ENVELOPE), raw]
    return Record(*fields)


def read(raw: bytes, keys: Mapping[bytes, bytes]) -> Record:
    """As `parse`, with whichever of the keys it names; keys: key id -> public key."""
    if type(raw) is not bytes:  # as a database may answer whose row is damaged
        raise RecordError("it is no byte string")
    try:
        claimed = cose.peek1(raw).key_id
    except CoseError as error:
        raise RecordError(str(error)) from None
    if claimed not in keys:
        raise RecordError(f"signed by the unknown key {claimed.hex()}")
    return parse(raw, keys[claimed])


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
