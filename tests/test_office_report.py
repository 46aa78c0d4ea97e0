"""`sscoffice report`, `resolve` and `export`: what does not fit is found, and nothing else is."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest
from pyarrow import parquet

from firmware.journal.kinds import (
    KIND_CLOCK,
    KIND_DONE,
    KIND_INTENT,
    KIND_LOAD_DONE,
    KIND_LOAD_INTENT,
    KIND_PSAM_SEEN,
    KIND_TAMPER,
    KIND_UNCERTAIN,
    KIND_VOID,
)
from office import folder, resolve
from office.__main__ import main
from office.folder import Folder
from office.report import report
from tests.office_rig import T0_MS, Terminal, done_body, enrol, intent_body, take

NOW_MS = T0_MS + 3_600_000
UNIT_A, UNIT_B = "unit-a", "unit-b"


def paying(order: str, *, serial: int, balance: int, fen: int = 100, **more: Any) -> dict:
    """An INTENT as the card told it: purchase serial, balance and yearly sums before."""
    own, pooled = more.get("own", 0), more.get("pooled", 0)
    sent = b"".join(each.to_bytes(4, "big") for each in (fen, own, pooled))
    return intent_body(order, serial=serial, fen=fen, card=more.get("card", 1)) | {
        4: more.get("psam", serial).to_bytes(4, "big"),
        13: sent,
        17: balance,
        18: more.get("self_before", 0),
        19: more.get("pooled_before", 0),
        20: more.get("year", b"\x20\x26"),
        23: own,
        24: pooled,
    }


def pay(unit: Terminal, order: str, end: int | None = KIND_DONE, **fields: Any) -> int:
    intent = unit.add(KIND_INTENT, paying(order, **fields))
    if end == KIND_DONE:
        unit.add(KIND_DONE, done_body(intent))
    elif end is not None:
        unit.add(end, {30: intent, 36: 501 if end == KIND_VOID else 502})
    return intent


@pytest.fixture
def office(tmp_path):
    folder.init(tmp_path / "office", "Office 1")
    office = Folder(tmp_path / "office")
    yield office
    office.close()


@pytest.fixture
def units(office):
    made = Terminal(UNIT_A, 1), Terminal(UNIT_B, 2)
    for each in made:
        enrol(office, each)
    return made


def store(office: Folder, *units: Terminal, now_ms: int = NOW_MS) -> None:
    for each in units:
        take(office, each.unit, each.batch(), now_ms)


# --- resolving ---

U = {"serial": 5, "balance": 1000, "fen": 100, "own": 20, "pooled": 3}
"""The UNCERTAIN payment: had it been taken, 900 fen, sums 20 and 3 would be found."""
TAKEN = {"balance": 900, "self_before": 20, "pooled_before": 3}
NOT_TAKEN = {"balance": 1000, "self_before": 0, "pooled_before": 0}

# next payments of the card, in order: (fields, end); what the office says
EVIDENCE = {
    "the same serial": ([({"serial": 5} | NOT_TAKEN, KIND_DONE)], "VOID"),
    "one more, and the money went": ([({"serial": 6} | TAKEN, KIND_DONE)], "DONE"),
    "... whatever came of the next": ([({"serial": 6} | TAKEN, KIND_VOID)], "DONE"),
    "... or nothing yet": ([({"serial": 6} | TAKEN, None)], "DONE"),
    "one more, the money did not go": ([({"serial": 6} | NOT_TAKEN, KIND_DONE)], None),
    "one more, another amount": ([({"serial": 6} | TAKEN | {"balance": 899}, KIND_DONE)], None),
    "one more, other sums": ([({"serial": 6} | TAKEN | {"self_before": 0}, KIND_DONE)], None),
    "one more, in the next year": ([({"serial": 6, "year": b"\x20\x27"} | TAKEN, KIND_DONE)], None),
    "two more, one of them unknown": ([({"serial": 7} | TAKEN, KIND_DONE)], None),
    "no payment since": ([], None),
}


@pytest.mark.parametrize(("following", "expected"), EVIDENCE.values(), ids=EVIDENCE.keys())
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "at another unit"])
def test_the_next_payment_of_the_card_decides(office, units, following, expected, elsewhere):
    first, second = units
    intent = pay(first, "A", KIND_UNCERTAIN, **U)
    told_by = second if elsewhere else first
    for _ in range(10):
        told_by.add(32, {2: "clerk"})  # later, by the clock of that unit
    for at, (fields, end) in enumerate(following):
        pay(told_by, f"N{at}", end, **fields)
    store(office, *(each for each in units if each.records))
    made = resolve.resolve(office.store, NOW_MS)
    if expected is None:
        assert made == []
        assert resolve.uncertain(office.store) == [(UNIT_A, intent)]
    else:
        (found,) = made
        outcome = {"DONE": KIND_DONE, "VOID": KIND_VOID}[expected]
        assert (found.intent, found.outcome, found.by_unit) == (intent, outcome, told_by.unit)
        assert resolve.resolve(office.store, NOW_MS) == [], "once"
        assert resolve.resolved(office.store) == made


def test_payments_in_between_that_the_books_hold_are_counted(office, units):
    first, second = units
    pay(first, "A", KIND_UNCERTAIN, **U)
    for _ in range(10):
        second.add(32, {2: "clerk"})
    # The card's serial 6 was used at unit B before the office saw what had come of 5.
    pay(second, "B", KIND_DONE, serial=6, fen=50, **TAKEN)
    store(office, first, second)
    (found,) = resolve.resolve(office.store, NOW_MS)
    assert (found.outcome, found.by_intent) == (KIND_DONE, 11)


def load(unit: Terminal, order: str, fen: int, balance: int, end: int = KIND_LOAD_DONE) -> None:
    body = {k: v for k, v in intent_body(order).items() if k in (*range(1, 4), *range(5, 11), 12)}
    more = {14: 0x31, 15: bytes(7), 16: bytes(4), 17: balance, 26: 1, 27: fen, 32: bytes(4)}
    intent = unit.add(KIND_LOAD_INTENT, body | more)
    outcome = {30: intent, 34: 1, 35: 1, 36: 1} if end == KIND_LOAD_DONE else {30: intent, 36: 511}
    unit.add(end, outcome)


@pytest.mark.parametrize(("end", "expected"), [(KIND_LOAD_DONE, KIND_DONE), (11, None)])
def test_a_load_in_between_is_counted_only_when_it_was_done(office, units, end, expected):
    first, _ = units
    pay(first, "A", KIND_UNCERTAIN, **U)
    load(first, "L", 500, 900, end)
    pay(first, "N", serial=6, **TAKEN | {"balance": 1400})
    store(office, first)
    assert [each.outcome for each in resolve.resolve(office.store, NOW_MS)] == (
        [] if expected is None else [expected]
    )


# --- the report ---


def test_a_sound_day_has_sums_and_no_finding(office, units):
    first, second = units
    pay(first, "A1", serial=1, balance=1000, fen=300, psam=1)
    pay(first, "A2", KIND_VOID, serial=2, balance=700, psam=2)
    pay(second, "B1", serial=2, balance=700, fen=700, own=5, pooled=6, psam=8)
    load(second, "L1", 900, 0)
    store(office, first, second)
    told = report(office.store).to_json()
    assert {name: told[name] for name in told if name not in ("sites", "records")} == {
        "ok": True, "gaps": [], "duplicates": [], "psam": [], "chains": [], "late": [],
        "clock": [], "tampers": [], "uncertain": [],
    }  # fmt: skip
    one, two = told["sites"]
    assert (one["unit"], one["day"], one["done"], one["void"]) == (UNIT_A, "2026-11-22", 1, 1)
    assert (one["account_fen"], one["loaded_fen"]) == (300, 0)
    fens = ("account_fen", "self_fen", "pooled_fen", "loaded_fen")
    assert [two[name] for name in fens] == [700, 5, 6, 900]


def test_gaps_and_duplicates_are_found_over_all_units(office, units):
    first, second = units
    first.purchase("A1", serial=1)
    store(office, first)
    first.purchase("lost", serial=2)
    first.batch()
    first.purchase("A3", serial=3)
    second.purchase("B1", serial=3)
    store(office, first, second)
    told = report(office.store).to_json()
    assert told["gaps"] == [{"unit": UNIT_A, "first": 3, "last": 4}]
    (found,) = told["duplicates"]
    assert (found["unit"], found["number"], found["other_unit"]) == (UNIT_A, 6, UNIT_B)
    assert not told["ok"]
    assert report(office.store, unit=UNIT_B).to_json()["gaps"] == []


def test_a_late_batch_and_a_clock_that_jumps(office, units):
    first, _ = units
    first.purchase("A1", serial=1)
    first.add(KIND_CLOCK, {60: T0_MS, 61: T0_MS + 61_000})
    first.add(KIND_CLOCK, {60: T0_MS, 61: T0_MS + 59_000})
    store(office, first, now_ms=T0_MS + 26 * 3_600_000)
    told = report(office.store).to_json()
    assert [(each["batch"], each["hours"]) for each in told["late"]] == [(1, 26.0)]
    assert told["clock"] == [{"unit": UNIT_A, "number": 3, "what": "set", "step_ms": 61_000}]
    assert told["ok"], "something to look at, nothing lost"
    assert report(office.store, late_h=27).late == []


def test_a_case_that_was_opened_and_who_cleared_it(office, units):
    first, second = units
    first.purchase("A1", serial=1)
    first.add(KIND_TAMPER, {50: "the case was opened", 90: 1, 91: 1})
    first.add(KIND_TAMPER, {50: "cleared", 90: 2, 2: "ann"})
    second.add(KIND_TAMPER, {50: "of a release that knew no more"})
    store(office, first, second)
    told = report(office.store).to_json()
    names = ("unit", "number", "what", "operator")
    assert [tuple(map(each.get, names)) for each in told["tampers"]] == [
        (UNIT_A, 3, "the case was opened", None),
        (UNIT_A, 4, "cleared", "ann"),
        (UNIT_B, 1, "of a release that knew no more", None),
    ]
    assert told["ok"]
    assert len(report(office.store, unit=UNIT_A).tampers) == 2


def test_time_that_runs_backwards_between_records(office, units, monkeypatch):
    first, _ = units
    first.purchase("A1", serial=1)
    monkeypatch.setattr("tests.office_rig.T0_MS", T0_MS - 120_000)
    first.purchase("A2", serial=2)
    store(office, first)
    (found,) = report(office.store).clock
    assert (found["number"], found["what"], found["step_ms"]) == (3, "backwards", -119_000)


@pytest.mark.parametrize(
    ("serials", "found"),
    [
        ((7, 8, 9), []),
        ((7, 9), []),
        ((7, 10), [(10, 7)]),
        ((7, 6), [(6, 7)]),
        ((0xFFFFFFFF, 0), []),
    ],
)
def test_a_psam_serial_may_skip_one_and_no_more(office, units, serials, found):
    first, _ = units
    for at, serial in enumerate(serials):
        pay(first, f"A{at}", KIND_VOID, serial=1, balance=0, fen=0, psam=serial)
    store(office, first)
    assert [(each["serial"], each["before_serial"]) for each in report(office.store).psam] == found


def test_what_the_unit_itself_could_not_explain_of_its_psam(office, units):
    first, _ = units
    for is_explained in (True, False):
        first.add(KIND_PSAM_SEEN, {3: bytes(6), 4: b"\0\0\0\x09", 41: is_explained, 8: 0})
    store(office, first)
    assert [each["number"] for each in report(office.store).psam] == [2]


CHAINS = {
    "taken once": ((KIND_DONE, 100, 2, 900), []),
    "less than was left": ((KIND_DONE, 100, 2, 850), [(900, 850)]),
    "more: loaded at others'": ((KIND_DONE, 100, 2, 950), []),
    "paid at others' in between": ((KIND_DONE, 100, 3, 100), []),
    "VOID, and the money is there": ((KIND_VOID, 100, 1, 1000), []),
    "VOID, and money is gone": ((KIND_VOID, 100, 1, 900), [(1000, 900)]),
    "UNCERTAIN says nothing": ((KIND_UNCERTAIN, 100, 2, 1), []),
}


@pytest.mark.parametrize(("case", "found"), CHAINS.values(), ids=CHAINS.keys())
def test_a_card_never_has_less_than_its_payment_before_left(office, units, case, found):
    end, fen, serial, balance = case
    first, second = units
    pay(first, "A", end, serial=1, balance=1000, fen=fen)
    for _ in range(5):
        second.add(32, {2: "clerk"})
    pay(second, "B", serial=serial, balance=balance, fen=0, psam=1)
    store(office, first, second)
    made = report(office.store)
    assert [(each["left_fen"], each["found_fen"]) for each in made.chains] == found


# --- the commands ---


@pytest.fixture
def run(office, capsys, monkeypatch):
    monkeypatch.setenv("SSCOFFICE_DIR", str(office.path))

    def run(*arguments: object) -> tuple[int, str]:
        status = main([str(each) for each in arguments])
        return status, capsys.readouterr().out

    return run


def test_report_and_resolve_end_with_the_status_of_what_they_found(run, office, units):
    first, _ = units
    assert run("report")[0] == 2
    assert run("report", "--unit", "nobody")[0] == 3
    assert run("report", "--date", "yesterday")[0] != 0
    pay(first, "A", KIND_UNCERTAIN, **U)
    store(office, first)
    assert run("resolve")[0] == 2
    pay(first, "N", serial=6, psam=6, **TAKEN)
    store(office, first)
    status, out = run("resolve", "--json")
    assert (status, json.loads(out)["resolved"][0]["outcome"]) == (0, "DONE")
    status, out = run("report", "--json")
    (found,) = json.loads(out)["uncertain"]
    assert (status, found["resolved"], found["by_intent"]) == (0, "DONE", 3)
    first.purchase("again", serial=6)
    store(office, first)
    assert run("report")[0] == 1
    assert "✗ 重复 duplicates: 1" in run("report")[1]


def test_csv_and_parquet_hold_the_same_rows(run, office, units, tmp_path):
    first, second = units
    pay(first, "A1", serial=1, balance=1000, fen=345)
    pay(second, "B1", serial=1, balance=10, fen=7, card=2)
    store(office, first, second)
    assert run("export", "--csv", tmp_path / "x.csv")[0] == 0
    assert run("export", "--parquet", tmp_path / "x.parquet")[0] == 0
    with (tmp_path / "x.csv").open(encoding="utf-8-sig", newline="") as file:
        texts = list(csv.DictReader(file))
    table = parquet.read_table(tmp_path / "x.parquet").to_pylist()
    assert [each["number"] for each in table] == [int(each["number"]) for each in texts]
    assert [each["order"] for each in table] == [each["order"] for each in texts]
    assert [each["account_fen"] for each in table] == [345, 345, 7, 7]
    assert f"{table[0]['time']:%Y-%m-%d %H:%M:%S}" == texts[0]["time"]
    assert all(each["verified"] for each in table)
    status, out = run("export", "--parquet", tmp_path / "b.parquet", "--unit", UNIT_B, "--json")
    assert (status, json.loads(out)["rows"]) == (0, 2)


def test_an_export_of_nothing_and_one_that_cannot_be_written(run, office, units, tmp_path):
    assert run("export", "--parquet", tmp_path / "x.parquet")[0] == 2
    assert run("export", "--csv", tmp_path / "x.csv", "--unit", "nobody")[0] == 3
    units[0].purchase("A1", serial=1)
    store(office, units[0])
    for form in ("--csv", "--parquet"):
        status, _ = run("export", form, tmp_path / "no folder" / "x")
        assert status not in (0, 2, 3) or status == 2, form
    assert list(tmp_path.glob(".x*")) == []
