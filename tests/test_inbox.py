"""What leaves and comes down between cards: batches, receipts, the office's time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware.authorize.inbox import ON_ITS_WAY_MS
from firmware.journal import kinds as rec
from firmware.journal import spool
from firmware.journal.batch import parse_batch
from firmware.journal.cose import Ed25519Signer
from firmware.journal.schema import JournalFullError
from tests.receipts import receipt_of
from tests.rig import Rig

OFFICE = Ed25519Signer(b"test office key, invented here!!")
STRANGER = Ed25519Signer(b"a stranger's key, invented also!")


def make_rig(folder: Path, edit: dict[str, str] | None = None) -> Rig:
    (folder / "office.pub").write_text(OFFICE.public_key.hex())
    edit = {"[clock]\n": '[office]\npublic_key = "office.pub"\n[clock]\n'} | (edit or {})
    return Rig(folder, edit=edit)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return make_rig(tmp_path)


def note(rig: Rig, text: str = "something") -> int:
    return rig.unit.journal.append(
        rec.KIND_SERVICE, {rec.KEY_OPERATOR: "test", rec.KEY_DETAIL: text, rec.KEY_OUTCOME: 9}
    ).number


def sealed(rig: Rig) -> list[int]:
    """The batches in out/ after the time for sealing has come."""
    rig.hands.now_s += rig.board.uplink.seal_after_s
    rig.inbox.seal_if_due()
    return [number for number, _ in spool.batches(rig.board.unit.data_dir)]


def put_receipt(rig: Rig, batch: int, time_ms: int | None = None, **changed: Any) -> bytes:
    """What the office answers and the uplink leaves in up/."""
    data_dir = rig.board.unit.data_dir
    out = spool.batch_path(data_dir, changed.pop("of", batch)).read_bytes()
    statement = parse_batch(out, rig.key.public_key).statement
    at_ms = now_ms(rig) if time_ms is None else time_ms
    raw = receipt_of(statement, changed.pop("signer", OFFICE), at_ms, **changed)
    spool.write_atomic(spool.receipt_path(data_dir, batch), raw)
    return raw


def now_ms(rig: Rig) -> int:
    return int(rig.hands.wall() * 1000)


def is_receipted(rig: Rig, batch: int) -> bool:
    row = rig.unit.journal.row("SELECT receipt FROM batches WHERE batch = ?", batch)
    return row[0] is not None


def services(rig: Rig) -> list[tuple[int, str]]:
    """(outcome, detail) of what was refused and journaled."""
    return [
        (each.body[rec.KEY_OUTCOME], each.body[rec.KEY_DETAIL])
        for each in rig.unit.journal.records(0, 1000)
        if each.kind == rec.KIND_SERVICE and each.body[rec.KEY_OPERATOR] == "terminal"
    ]


# -- sealing --------------------------------------------------------------------------------------


def test_a_batch_is_sealed_when_its_oldest_record_is_old_enough(rig: Rig) -> None:
    note(rig)
    rig.hands.now_s += 59
    rig.inbox.seal_if_due()
    assert spool.batches(rig.board.unit.data_dir) == []
    rig.hands.now_s += 1
    rig.inbox.seal_if_due()
    assert [n for n, _ in spool.batches(rig.board.unit.data_dir)] == [1]
    rig.hands.now_s += 600
    rig.inbox.seal_if_due()
    assert [n for n, _ in spool.batches(rig.board.unit.data_dir)] == [1], "nothing new"


def test_a_terminal_that_never_rests_seals_too(rig: Rig) -> None:
    for _ in range(7):
        note(rig)
        rig.inbox.touch()
        rig.hands.now_s += 10
        rig.inbox.seal_if_due()
    assert spool.batches(rig.board.unit.data_dir) != []


def test_the_age_of_a_record_counts_over_restarts(tmp_path: Path) -> None:
    rig = make_rig(tmp_path, {"[clock]\n": "[uplink]\nseal_after_s = 86400\n[clock]\n"})
    note(rig)
    for _ in range(3):
        rig.restart()
        rig.hands.now_s += 8 * 3600
        rig.inbox.seal_if_due()
    assert len(spool.batches(rig.board.unit.data_dir)) == 1


def test_a_batch_is_sealed_when_there_are_records_enough(tmp_path: Path) -> None:
    rig = make_rig(tmp_path, {"[clock]\n": "[uplink]\nbatch_records = 3\n[clock]\n"})
    for count, batches in ((1, 0), (2, 0), (3, 1), (5, 1), (6, 2)):
        while rig.unit.journal.head()[0] < count:
            note(rig)
        rig.inbox.seal_if_due()
        assert len(spool.batches(rig.board.unit.data_dir)) == batches


def test_a_clock_that_was_set_back_does_not_keep_records_here(rig: Rig) -> None:
    note(rig)
    rig.hands.wall_offset_s -= 86_400
    rig.inbox.seal_if_due()
    assert len(spool.batches(rig.board.unit.data_dir)) == 1


def test_a_batch_that_out_could_not_take_goes_out_later(rig: Rig, monkeypatch: Any) -> None:
    note(rig)

    def full(*_: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(spool, "write_atomic", full)
    with pytest.raises(OSError, match="no space"):
        sealed(rig)
    monkeypatch.undo()
    rig.inbox.seal_if_due()
    assert [n for n, _ in spool.batches(rig.board.unit.data_dir)] == [1]


# -- receipts -------------------------------------------------------------------------------------


def test_a_receipt_of_the_office_marks_the_batch(rig: Rig) -> None:
    note(rig)
    assert sealed(rig) == [1]
    put_receipt(rig, 1)
    assert not is_receipted(rig, 1)
    rig.inbox.collect()
    assert is_receipted(rig, 1)
    assert spool.batches(rig.board.unit.data_dir) == []
    assert rig.inbox.status() == {"batches_out": 0}


WRONG = [
    {"signer": STRANGER},
    {"unit": "OTHER-UNIT"},
    {"root": bytes(32)},
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: next(iter(wrong)))
def test_a_wrong_receipt_marks_nothing_and_is_told_once(rig: Rig, wrong: dict[str, Any]) -> None:
    note(rig)
    sealed(rig)
    before = rig.unit.clock.now()
    put_receipt(rig, 1, now_ms(rig) + 3_600_000, **wrong)
    for _ in range(3):
        rig.inbox.collect()
    assert not is_receipted(rig, 1)
    assert [n for n, _ in spool.batches(rig.board.unit.data_dir)] == [1]
    assert rig.shown == ["RECEIPT_REFUSED"]
    assert [number for number, _ in services(rig)] == [605]
    assert rig.unit.clock.now() == before
    put_receipt(rig, 1)
    rig.inbox.collect()
    assert is_receipted(rig, 1), "the right one is still taken"


@pytest.mark.parametrize("raw", [b"", b"\xd2", bytes(5000), b"receipt"])
def test_garbage_in_place_of_a_receipt_is_refused(rig: Rig, raw: bytes) -> None:
    note(rig)
    sealed(rig)
    spool.receipt_path(rig.board.unit.data_dir, 1).write_bytes(raw)
    rig.inbox.collect()
    assert rig.shown == ["RECEIPT_REFUSED"]
    assert not is_receipted(rig, 1)


def test_a_refusal_that_the_journal_could_not_take_is_journaled_later(
    rig: Rig, monkeypatch: Any
) -> None:
    note(rig)
    sealed(rig)
    put_receipt(rig, 1, signer=STRANGER)

    def full(*_: Any, **__: Any) -> None:
        raise JournalFullError("full")

    monkeypatch.setattr(rig.unit.journal, "append", full)
    with pytest.raises(JournalFullError):
        rig.inbox.collect()
    monkeypatch.undo()
    rig.inbox.collect()
    assert len(services(rig)) == 1


def test_without_the_offices_key_no_receipt_counts(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    note(rig)
    sealed(rig)
    put_receipt(rig, 1)
    rig.inbox.collect()
    assert not is_receipted(rig, 1)


# -- the office's time -----------------------------------------------------------------------------


@pytest.fixture
def no_rtc(tmp_path: Path) -> Rig:
    return make_rig(tmp_path, {"rtc = true": "rtc = false"})


def receive(rig: Rig, time_ms: int) -> None:
    """One more batch, and its receipt with that time."""
    note(rig)
    put_receipt(rig, sealed(rig)[-1], time_ms)
    rig.inbox.collect()


def clocks(rig: Rig) -> list[tuple[int, int]]:
    return [
        (each.body[rec.KEY_OLD_TIME], each.body[rec.KEY_NEW_TIME])
        for each in rig.unit.journal.records(0, 1000)
        if each.kind == rec.KIND_CLOCK
    ]


def test_a_receipt_gives_time_to_a_unit_without_rtc(no_rtc: Rig) -> None:
    no_rtc.psam()
    no_rtc.card()
    assert no_rtc.pay().name == "CLOCK_NOT_TRUSTED"
    receive(no_rtc, now_ms(no_rtc) + 5_000_000)
    assert no_rtc.pay().name == "APPROVED"
    assert len(clocks(no_rtc)) == 1


def test_the_offices_time_is_trusted_for_trust_h_and_renewed_by_each_receipt(no_rtc: Rig) -> None:
    """A receipt is always a little behind the clock that runs on from the one before."""
    receive(no_rtc, now_ms(no_rtc))
    for _ in range(3):
        no_rtc.hands.now_s += 40 * 3600
        assert no_rtc.unit.clock.now().trust == 2
        before = no_rtc.unit.clock.now().epoch_ms
        receive(no_rtc, before + 60_000 - 3_000)
        assert no_rtc.unit.clock.now().epoch_ms >= before + 60_000, "never back"
    no_rtc.hands.now_s += 48 * 3600 + 1
    assert no_rtc.unit.clock.now().trust == 0


def test_an_old_receipt_does_not_turn_the_clock_back_nor_renew_trust(no_rtc: Rig) -> None:
    receive(no_rtc, now_ms(no_rtc))
    no_rtc.hands.now_s += 40 * 3600
    before = no_rtc.unit.clock.now().epoch_ms
    receive(no_rtc, before - ON_ITS_WAY_MS)
    assert no_rtc.unit.clock.now().epoch_ms >= before
    no_rtc.hands.now_s += 9 * 3600
    assert no_rtc.unit.clock.now().trust == 0


def test_a_receipt_from_before_the_last_record_gives_no_time(no_rtc: Rig) -> None:
    receive(no_rtc, now_ms(no_rtc))
    note(no_rtc)
    no_rtc.hands.now_s += 49 * 3600
    assert no_rtc.unit.clock.now().trust == 0
    receive(no_rtc, no_rtc.unit.clock.floor_ms - 1)
    assert no_rtc.unit.clock.now().trust == 0
    assert not no_rtc.unit.clock.is_behind


def test_a_late_receipt_never_stops_a_unit_with_an_rtc(rig: Rig) -> None:
    """It is older than the last record: taking its time would mean CLOCK_JUMPED_BACK for days."""
    rig.psam()
    rig.card()
    receive(rig, now_ms(rig) - 3_600_000)
    assert is_receipted(rig, 1)
    assert rig.pay().name == "APPROVED"
    assert clocks(rig) == []


def test_a_receipt_sets_a_slow_rtc_forward_and_is_journaled(rig: Rig) -> None:
    ahead = now_ms(rig) + 7_200_000
    receive(rig, ahead)
    assert rig.unit.clock.now().trust == 2
    assert abs(rig.unit.clock.now().epoch_ms - ahead) < 1000
    assert len(clocks(rig)) == 1


def test_a_right_rtc_stays_the_source(rig: Rig) -> None:
    receive(rig, now_ms(rig) + 60_500)  # sealed() lets 60 s pass first
    assert rig.unit.clock.now().trust == 1
    assert clocks(rig) == []


def test_an_rtc_that_jumped_back_is_mended_by_a_receipt(rig: Rig) -> None:
    rig.psam()
    rig.card()
    note(rig)
    true_ms = now_ms(rig)
    rig.hands.wall_offset_s -= 86_400
    assert rig.pay().name == "CLOCK_JUMPED_BACK"
    receive(rig, true_ms + 60_000)
    assert rig.pay().name == "APPROVED"


def test_a_receipt_that_lay_there_at_start_tells_no_time(no_rtc: Rig) -> None:
    """Nobody knows for how long: a clock without RTC would run late by the time it was off."""
    note(no_rtc)
    put_receipt(no_rtc, sealed(no_rtc)[-1])
    no_rtc.restart()
    no_rtc.inbox.collect()
    assert is_receipted(no_rtc, 1)
    assert no_rtc.unit.clock.now().trust == 0


def test_an_old_receipt_under_the_name_of_a_new_one_is_refused(no_rtc: Rig) -> None:
    note(no_rtc)
    sealed(no_rtc)
    old = put_receipt(no_rtc, 1)
    no_rtc.inbox.collect()
    no_rtc.restart()
    note(no_rtc)
    sealed(no_rtc)
    spool.write_atomic(spool.receipt_path(no_rtc.board.unit.data_dir, 2), old)
    no_rtc.inbox.collect()
    assert no_rtc.unit.clock.now().trust == 0
    assert not is_receipted(no_rtc, 2)
    assert no_rtc.shown[-1] == "RECEIPT_REFUSED"


# -- rest -----------------------------------------------------------------------------------------


def test_what_rides_reaches_the_disk_when_the_unit_rests(rig: Rig) -> None:
    rig.psam()
    rig.card()
    rig.pay()
    rig.inbox.touch()
    rig.inbox.settle()
    kinds = [each.kind_name for each in rig.unit.journal.records(0, 10)]
    assert kinds == ["INTENT", "DONE"]
    rig.hands.now_s += 2
    rig.inbox.settle()
    kinds = [each.kind_name for each in rig.unit.journal.records(0, 10)]
    assert kinds == ["INTENT", "DONE", "TOTALS"]
