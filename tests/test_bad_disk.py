"""A full disk, a slow disk, and a clock that was set back or lost, through the whole unit.

Issue part 1: "full disk: stops taking payments before it is full, says so on the display, loses
nothing; clock set back or lost: order is kept by number and boot count"; bad input: "a slow disk".
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from firmware.clock import TRUST_NONE
from firmware.journal import batch
from firmware.journal import kinds as rec
from firmware.outcome import outcome
from tests.loop_rig import Loop, issue, name_of
from tests.test_journal_full import fill

DEBIT = 0x2C
SLOW_S = 4.0


@pytest.fixture(params=["tmpfs", "ext4"])
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A disk of its own of some megabytes."""
    folder, image = tmp_path / "small", tmp_path / "image"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("a file system of its own needs root")
    if request.param == "tmpfs":
        subprocess.check_call(["mount", "-t", "tmpfs", "-o", "size=5m", "none", str(folder)])
    else:
        image.write_bytes(b"")
        os.truncate(image, 12 << 20)
        made = subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], capture_output=True)
        mount = ["mount", "-o", "loop", str(image), str(folder)]
        if made.returncode or subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("an ext4 of its own needs a loop device")
        (folder / "lost+found").rmdir()
    yield folder
    subprocess.check_call(["umount", "--lazy", str(folder)])


def loop_on(folder: Path) -> Loop:
    loop = Loop(folder)
    loop.rig.psam()
    return loop


def pays(loop: Loop, order_no: str, card: Any, seconds: float = 20) -> str:
    """One customer: the host asks, the card comes, the PIN is typed, the card goes."""
    answer = loop.ask(order_no)
    loop.plan(0.5, loop.insert(card.label))
    loop.plan(seconds - 4, loop.remove())
    loop.world.holder.type_pin("123456")
    loop.last_shown = loop.run(seconds)
    loop.world.holder.forget()
    loop.start()
    return name_of(answer)


# --- full ---


def test_a_full_disk_stops_payments_says_so_and_loses_nothing(small_disk: Path) -> None:
    loop = loop_on(small_disk)
    card = issue(loop)
    assert pays(loop, "A-1", card) == "APPROVED"
    fill(small_disk)
    balance = card.balance_fen
    assert pays(loop, "A-2", card) == "DISK_FULL"
    assert loop.run(2) == ["DISK_FULL"]  # at rest, too
    assert card.balance_fen == balance
    (small_disk / "others-data").unlink()
    loop.start()
    assert pays(loop, "A-3", card) == "APPROVED"
    found = loop.unit.journal.records(limit=1000)
    assert [each.number for each in found] == list(range(1, loop.unit.journal.head()[0] + 1))
    done = [each for each in found if each.kind == rec.KIND_DONE]
    assert len(done) == 2
    assert 100_000 - card.balance_fen == 2 * 1000
    loop.unit.journal.close()


def test_a_disk_that_fills_in_the_middle_of_a_payment_takes_its_end(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between INTENT and DONE the last block is gone: the reserve is for this moment."""
    loop = loop_on(small_disk)
    card = issue(loop)
    assert pays(loop, "A-1", card) == "APPROVED"
    loop.unit.journal.write("PRAGMA wal_checkpoint(TRUNCATE)")  # the log must grow for each record
    exchange = loop.rig.user.exchange
    filled: list[int] = []

    def fill_at_debit(command: bytes, *more: Any) -> bytes:
        if command[1] == DEBIT:
            fill(small_disk)
            filled.append(loop.unit.journal.free_mb())
        return exchange(command, *more)

    monkeypatch.setattr(loop.rig.user, "exchange", fill_at_debit)
    assert pays(loop, "A-2", card) == "APPROVED"
    assert filled == [0]
    monkeypatch.undo()
    loop.restart()
    kinds = [each.kind for each in loop.unit.journal.by_order("A-2")]
    assert kinds[:2] == [rec.KIND_INTENT, rec.KIND_DONE]
    assert loop.unit.journal.damaged_ranges() == []
    assert 100_000 - card.balance_fen == 2 * 1000
    fill(small_disk)  # what the reserve gave back
    assert pays(loop, "A-3", card) == "DISK_FULL"
    (small_disk / "others-data").unlink()
    loop.unit.journal.close()


# --- slow ---


class Slow:
    """The writing connection on a disk that takes its time over every sync."""

    def __init__(self, connection: Any, at_commit: Callable[[], None]):
        self._connection = connection
        self._at_commit = at_commit

    def execute(self, sql: str, *values: Any) -> Any:
        if sql == "COMMIT":
            self._at_commit()
        return self._connection.execute(sql, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def test_a_slow_disk_holds_the_display_and_breaks_nothing(tmp_path: Path) -> None:
    """Four seconds a sync: nobody is told of a payment before it is on the disk."""
    loop = loop_on(tmp_path)
    card = issue(loop)
    on_screen: list[str] = []
    debits: list[int] = []
    journal = loop.unit.journal

    def sleep() -> None:
        loop.hands.now_s += SLOW_S
        on_screen.append(loop.shown[-1])
        debits.append(sum(command[1] == DEBIT for command, _ in loop.rig.exchanges))

    journal._writer._connection = Slow(journal._writer._connection, sleep)
    assert pays(loop, "A-1", card, 60) == "APPROVED"
    intent, done = journal.by_order("A-1")[:2]
    assert (intent.kind, done.kind) == (rec.KIND_INTENT, rec.KIND_DONE)
    assert done.time_ms - intent.time_ms >= SLOW_S * 1000
    at_intent = debits.index(0)
    assert debits[at_intent : at_intent + 2] == [0, 1]  # DEBIT between the two commits
    assert "APPROVED" not in on_screen[: at_intent + 2]
    assert "TAKE_CARD" not in on_screen[: at_intent + 2]
    shown = loop.last_shown
    assert shown.index("WORKING_LEAVE_CARD") < shown.index("APPROVED")
    assert card.balance_fen == 99_000
    journal.close()


def test_a_payment_that_a_slow_disk_outlasts_is_still_one_payment(tmp_path: Path) -> None:
    """The host gives up after a minute and asks again: it is told the first result."""
    loop = loop_on(tmp_path)
    card = issue(loop)
    journal = loop.unit.journal

    def sleep() -> None:
        loop.hands.now_s += 60

    journal._writer._connection = Slow(journal._writer._connection, sleep)
    assert pays(loop, "A-1", card, 600) == "APPROVED"
    assert pays(loop, "A-1", card, 600) == "APPROVED"
    assert len([r for r in journal.records() if r.kind == rec.KIND_INTENT]) == 1
    assert card.balance_fen == 99_000
    journal.close()


# --- the clock ---


@pytest.mark.parametrize("back_s", [3600.0, 1_795_320_000.0], ids=["an hour", "to 1970"])
def test_the_order_is_that_of_numbers_and_starts_when_the_clock_is_not(
    tmp_path: Path, back_s: float
) -> None:
    loop = loop_on(tmp_path)
    card = issue(loop)
    assert pays(loop, "A-1", card) == "APPROVED"
    before = loop.unit.journal.head()[0]
    loop.hands.wall_offset_s -= back_s
    loop.restart()
    assert pays(loop, "A-2", card) == "CLOCK_JUMPED_BACK"
    assert loop.run(2)[0] in ("CLOCK_JUMPED_BACK", "PSAM_OUT_OF_DATE")  # no READY
    assert card.balance_fen == 99_000
    loop.unit.journal.append(rec.KIND_TAMPER, {rec.KEY_DETAIL: "opened"})
    loop.unit.journal.checkpoint()
    found = loop.unit.journal.records(limit=1000)
    late = [each for each in found if each.number > before]
    assert [each.number for each in found] == list(range(1, len(found) + 1))
    assert {each.boot for each in found if each.number <= before} == {1}
    assert {each.boot for each in late} == {2}
    assert {each.trust for each in late} == {TRUST_NONE}
    assert max(each.time_ms for each in late) < max(each.time_ms for each in found)
    assert all(two.previous == one.digest for one, two in pairwise(found))
    sealed = batch.seal(loop.unit.journal)
    assert sealed is not None
    assert sealed.statement.last == len(found)
    while loop.unit.journal.scrub(64):
        pass
    assert loop.unit.journal.damaged_ranges() == []
    loop.hands.wall_offset_s += back_s + 60
    loop.start()
    assert pays(loop, "A-3", card) == "APPROVED"  # the clock is right again
    assert outcome("CLOCK_JUMPED_BACK").number == 405
    loop.unit.journal.close()
