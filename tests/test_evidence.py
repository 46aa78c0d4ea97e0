"""M14: the evidence table of docs/architecture.md, row by row, as pure data."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from firmware.authorize.evidence import Evidence, decide
from firmware.card.settlement import LogRecord
from firmware.journal import kinds as rec

TERMINAL = bytes.fromhex("510100000001")
ELSEWHERE = bytes.fromhex("510100000002")
TIME = bytes.fromhex("20261122120000")
LATER = bytes.fromhex("20261122130000")
TAC = b"\x01\x02\x03\x04"
SERIAL = 9
BEFORE = (5000, 10, 20)
AFTER = (4000, 210, 320)


class Intent(NamedTuple):
    body: dict[int, Any]


INTENT = Intent(
    {
        rec.KEY_PURCHASE_SERIAL: SERIAL,
        rec.KEY_TERMINAL: TERMINAL,
        rec.KEY_TIME7: TIME,
        rec.KEY_AMOUNTS_SENT: bytes.fromhex("000003e8000000c80000012c"),
        rec.KEY_ACCOUNT_BALANCE_FEN: BEFORE[0],
        rec.KEY_YEARLY_SELF_FEN: BEFORE[1],
        rec.KEY_YEARLY_POOLED_FEN: BEFORE[2],
    }
)


def entry(serial: int, *, kind: int = 0x32, ours: bool = False, **other: Any) -> LogRecord:
    where, when = (TERMINAL, TIME) if ours else (ELSEWHERE, LATER)
    fields = {"terminal": where, "time7": when, "account_fen": 1000, "self_fen": 200}
    return LogRecord(serial=serial, kind=kind, pooled_fen=300, **{**fields, **other})


OURS = entry(SERIAL, ours=True)
OLDER = entry(SERIAL - 1, terminal=TERMINAL, time7=bytes(7))
FULL_OF_OTHERS = tuple(entry(serial) for serial in range(SERIAL + 60, SERIAL + 30, -1))

# (what it shows, serial now, balances now, log newest first, proof) -> (kind, TAC)
ROWS = [
    ("unmoved, nothing", SERIAL, BEFORE, (), None, "VOID", None),
    ("unmoved, older log", SERIAL, BEFORE, (OLDER,), None, "VOID", None),
    ("unmoved, whatever E3 says", SERIAL, BEFORE, (OLDER,), TAC, "VOID", None),
    ("unmoved but balances moved", SERIAL, AFTER, (), None, "UNCERTAIN", None),
    ("unmoved but our record", SERIAL, BEFORE, (OURS,), TAC, "UNCERTAIN", None),
    ("moved, ours newest, proof", SERIAL + 1, AFTER, (OURS, OLDER), TAC, "DONE", TAC),
    ("moved, ours newest, no proof", SERIAL + 1, AFTER, (OURS,), None, "DONE", None),
    ("ours, but the balance stayed", SERIAL + 1, BEFORE, (OURS,), TAC, "UNCERTAIN", None),
    ("ours, then another's", SERIAL + 2, AFTER, (entry(SERIAL + 1), OURS), TAC, "DONE", None),
    ("another's instead", SERIAL + 1, AFTER, (entry(SERIAL), OLDER), TAC, "VOID", None),
    ("another's instead, first ever", SERIAL + 1, AFTER, (entry(SERIAL),), None, "VOID", None),
    (
        "another's, log counts from one on",
        SERIAL + 1,
        AFTER,
        (entry(SERIAL + 1),),
        None,
        "VOID",
        None,
    ),
    ("only a load since", SERIAL, BEFORE, (entry(3, kind=0x31), OLDER), None, "VOID", None),
    (
        "a load is no explanation",
        SERIAL + 1,
        AFTER,
        (entry(9, kind=0x31),),
        None,
        "UNCERTAIN",
        None,
    ),
    ("moved, empty log", SERIAL + 1, AFTER, (), TAC, "UNCERTAIN", None),
    ("wrapped", SERIAL + 61, AFTER, FULL_OF_OTHERS, TAC, "UNCERTAIN", None),
]


@pytest.mark.parametrize(
    ("serial", "balances", "log", "proof", "kind", "tac"),
    [row[1:] for row in ROWS],
    ids=[row[0] for row in ROWS],
)
def test_m14_evidence_table(
    serial: int,
    balances: tuple[int, int, int],
    log: tuple[LogRecord, ...],
    proof: bytes | None,
    kind: str,
    tac: bytes | None,
) -> None:
    finding = decide(INTENT, Evidence(serial, balances, log, proof))  # type: ignore[arg-type]
    assert rec.KIND_NAMES[finding.kind] == kind
    assert finding.tac == tac


def test_the_serial_wraps_at_sixteen_bits() -> None:
    body = INTENT.body | {rec.KEY_PURCHASE_SERIAL: 0xFFFF}
    ours = entry(0xFFFF, ours=True)
    finding = decide(Intent(body), Evidence(0, AFTER, (ours,), TAC))  # type: ignore[arg-type]
    assert finding.kind == rec.KIND_DONE


def test_account_only_records_match_on_the_account_amount_alone() -> None:
    short = entry(SERIAL, ours=True, self_fen=None)
    short = LogRecord(**{**short.__dict__, "pooled_fen": None})
    finding = decide(INTENT, Evidence(SERIAL + 1, AFTER, (short,), TAC))  # type: ignore[arg-type]
    assert finding.kind == rec.KIND_DONE


@pytest.mark.parametrize(
    "other",
    [
        {"terminal": ELSEWHERE},
        {"time7": LATER},
        {"account_fen": 999},
        {"self_fen": 201},
        {"kind": 0x31},
    ],
)
def test_a_log_record_is_ours_only_when_terminal_time_amounts_and_type_agree(other: dict) -> None:
    near = entry(SERIAL, ours=True, **other)
    finding = decide(INTENT, Evidence(SERIAL + 1, AFTER, (near,), TAC))  # type: ignore[arg-type]
    assert finding.kind != rec.KIND_DONE
