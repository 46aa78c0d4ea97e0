"""The words of a record: its envelope, the keys of its body and its kinds, as tables.

They are docs/records.md in code (a test compares).  A number is never used again: what is retired
stays in the table, and no kind holds it any more.
"""

from __future__ import annotations

from typing import NamedTuple

PROFILE_DEVELOPMENT = 1
PROFILE_PRODUCTION = 2

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
KEY_KEY_NO = 62
KEY_WRAPPED = 63
KEY_SIGNING_ALGORITHM = 64
KEY_VERDICT = 65
KEY_ACT = 70
KEY_ITEMS = 71
KEY_BEFORE = 72
KEY_AFTER = 73
KEY_REQUEST_NO = 74
KEY_STATEMENT = 75
KEY_SEALED = 76
KEY_SECOND = 80
KEY_ID_KIND = 81
KEY_ID_TAIL = 82
KEY_CASE = 90
KEY_CASE_SEEN = 91

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
    KEY_PUBLIC_KEY: ("public_key", "32 or 65 bytes"),
    KEY_FIRMWARE: ("firmware", "text"),
    KEY_BOOT_ID: ("boot_id", "16 bytes"),
    KEY_WHAT: ("what", "text"),
    KEY_DIGEST: ("digest", "32 bytes"),
    KEY_FIRST: ("first", "uint"),
    KEY_LAST: ("last", "uint"),
    KEY_OLD_TIME: ("old_time", "uint"),
    KEY_NEW_TIME: ("new_time", "uint"),
    KEY_KEY_NO: ("key_no", "uint"),
    KEY_WRAPPED: ("wrapped", "bytes"),
    KEY_SIGNING_ALGORITHM: ("signing_algorithm", "uint"),
    KEY_VERDICT: ("verdict", "uint"),
    KEY_ACT: ("act", "text"),
    KEY_ITEMS: ("items", "[text, ...]"),
    KEY_BEFORE: ("before", "32 bytes"),
    KEY_AFTER: ("after", "32 bytes"),
    KEY_REQUEST_NO: ("request_no", "text"),
    KEY_STATEMENT: ("statement", "32 bytes"),
    KEY_SEALED: ("sealed", "bytes"),
    KEY_SECOND: ("second", "text"),
    KEY_ID_KIND: ("id_kind", "text"),
    KEY_ID_TAIL: ("id_tail", "text"),
    KEY_CASE: ("case", "uint"),
    KEY_CASE_SEEN: ("case_seen", "uint"),
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
KIND_DAY_KEY = 23
KIND_KEY_CHANGE = 24
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
    KIND_INTENT: Kind(
        "INTENT",
        frozenset({*range(1, 8), 11, 12, *range(15, 20), 22, 23, 24}),
        frozenset({8, 9, 10, 13, 14, 20, 21, 25, 28}),
    ),
    KIND_DONE: _SETTLED._replace(name="DONE"),
    KIND_VOID: _WITHOUT_TAC._replace(name="VOID"),
    KIND_SUSPECT: _SETTLED._replace(name="SUSPECT"),
    KIND_UNCERTAIN: _WITHOUT_TAC._replace(name="UNCERTAIN"),
    KIND_RULED: Kind("RULED", frozenset({30, 2, 50}), frozenset({65})),
    KIND_TOTALS: Kind("TOTALS", frozenset({30, 44}), frozenset({42, 43, 45, 50})),
    KIND_DECLINED: Kind("DECLINED", frozenset({1, 2, 22, 23, 24, 36}), frozenset({5, 6, 50})),
    KIND_LOAD_INTENT: Kind("LOAD_INTENT", _LOAD),
    KIND_LOAD_DONE: Kind("LOAD_DONE", frozenset({30, 34, 35, 36}), frozenset({31, 37})),
    KIND_LOAD_VOID: _WITHOUT_TAC._replace(name="LOAD_VOID"),
    KIND_LOAD_UNCERTAIN: _WITHOUT_TAC._replace(name="LOAD_UNCERTAIN"),
    KIND_START: Kind("START", frozenset({53, 54, 55})),
    KIND_PSAM_SEEN: Kind("PSAM_SEEN", frozenset({3, 4, 41}), frozenset({8, 50})),
    KIND_CLOCK: Kind("CLOCK", frozenset({60, 61})),
    KIND_TAMPER: Kind("TAMPER", frozenset({50}), frozenset({2, 90, 91})),
    KIND_SERVICE: Kind(
        "SERVICE", frozenset({2, 50, 36}), frozenset({5, 6, 62, 70, 71, 74, 75, 76, 80, 81})
    ),
    KIND_DAMAGE: Kind("DAMAGE", frozenset({58, 59, 50})),
    KIND_APPLIED: Kind("APPLIED", frozenset({56, 57, 59})),
    KIND_DAY_KEY: Kind("DAY_KEY", frozenset({62, 63})),
    KIND_KEY_CHANGE: Kind("KEY_CHANGE", frozenset({53, 64})),
    KIND_SHIFT_OPEN: Kind("SHIFT_OPEN", frozenset({2})),
    KIND_SHIFT_CLOSE: Kind("SHIFT_CLOSE", frozenset({2, 51, 52})),
    KIND_RECEIPT_PRINTED: Kind("RECEIPT_PRINTED", frozenset({30, 2})),
    KIND_REPRINT: Kind("REPRINT", frozenset({30, 2})),
    KIND_REFUND_REQUEST: Kind("REFUND_REQUEST", frozenset({30, 38, 2})),
}
ABSENT_FROM_INTENT = {
    KEY_ALGORITHM: 1,
    KEY_KEY_INDEX: 1,
    KEY_KEY_VERSION: 1,
    KEY_TYPE: 0x32,
    KEY_MAPPING: 1,
}
"""What an INTENT means that does not hold these keys; 13 and 20 follow from others (record.py)."""

KIND_NAMES = {number: kind.name for number, kind in KINDS.items()}
