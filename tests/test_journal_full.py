"""A full disk (issue, bad input): payments stop before it is full, what has begun is finished."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from journal_maker import done_body, intent_body, open_journal, purchase, totals_body

from firmware.journal import kinds, room
from firmware.journal.kinds import KIND_DONE, KIND_INTENT, KIND_TAMPER, KIND_TOTALS
from firmware.journal.room import CEILING, RESERVE, Ceiling
from firmware.journal.schema import JournalError, JournalFullError

TAMPER = {kinds.KEY_DETAIL: "x" * 2000}


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A disk of 4 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.call(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)]
    ):
        pytest.skip("a file system of its own needs root")
    yield folder
    subprocess.check_call(["umount", "--lazy", str(folder)])


def fill(folder: Path) -> None:
    """Leave no block free."""
    with open(folder / "others-data", "wb", buffering=0) as handle:
        for block in (1 << 16, 1 << 12, 1):
            try:
                while handle.write(bytes(block)) == block:
                    pass
            except OSError:
                continue


def test_an_outcome_fits_on_a_disk_that_is_full(small_disk):
    journal = open_journal(small_disk)
    journal.checkpoint()
    intent = journal.append(KIND_INTENT, intent_body("order-1"))
    head = journal.head()
    fill(small_disk)
    with pytest.raises(JournalFullError, match="0 MiB free"):
        journal.append(KIND_INTENT, intent_body("order-2"))
    assert not journal.has_room
    assert journal.head() == head
    done = None
    for turn in range(20):  # until the log has to grow
        made = journal.append(
            KIND_DONE if done is None else KIND_TOTALS,
            (done_body(intent.number) if done is None else totals_body(intent.number)),
        )
        done = done or made
        assert made.number == 2 + turn
    assert not (small_disk / RESERVE).exists()
    journal.close()
    again = open_journal(small_disk)
    assert again.outcome_of(intent.number) == done
    assert again.damaged_ranges() == []
    (small_disk / "others-data").unlink()
    again.checkpoint()
    assert (small_disk / RESERVE).stat().st_size == room.RESERVE_BYTES
    assert again.has_room
    purchase(again, "order-2")
    again.close()


def test_a_disk_full_to_the_last_byte_refuses_and_loses_nothing(small_disk):
    journal = open_journal(small_disk)
    journal.checkpoint()
    made = [journal.append(KIND_TAMPER, TAMPER)]
    riding = journal.append(KIND_TAMPER, TAMPER, ride=True)
    fill(small_disk)
    refused = False
    for _ in range(2000):
        try:
            made.append(journal.append(KIND_TAMPER, TAMPER))
        except JournalFullError:
            refused = True
            break
        fill(small_disk)
    assert refused
    number, digest = journal.head()
    (small_disk / "others-data").unlink()
    later = journal.append(KIND_TAMPER, TAMPER)
    assert (later.number, later.previous) == (number + 1, digest)
    journal.close()
    again = open_journal(small_disk)
    stored = [each for page in range(0, number + 1, 500) for each in again.records(page, 500)]
    expected = [made[0], riding, *made[1:], later]
    assert stored == expected
    again.close()


def test_a_start_on_a_full_disk(small_disk):
    journal = open_journal(small_disk)
    journal.checkpoint()
    intent = journal.append(KIND_INTENT, intent_body("order-1"))
    journal.close()
    fill(small_disk)
    again = open_journal(small_disk)
    assert [each.number for each in again.open_intents()] == [intent.number]
    again.append(KIND_DONE, done_body(intent.number))
    again.close()


# --- without root: SQLite's own limit, and a broken disk ---


def test_sqlite_full_leaves_number_and_riders_as_they_were(tmp_path):
    journal = open_journal(tmp_path)
    journal.append(KIND_TAMPER, TAMPER)
    rider = journal.append(KIND_TAMPER, TAMPER, ride=True)
    pages = journal._writer.ask("PRAGMA page_count")[0]
    journal._writer.ask(f"PRAGMA max_page_count = {pages}")
    refused = None
    for _ in range(100):
        head = journal.head()
        try:
            journal.append(KIND_TAMPER, TAMPER)
        except JournalFullError as error:
            refused = error
            break
    assert "free space" in str(refused)
    assert journal.head() == head
    journal._writer.ask("PRAGMA max_page_count = 1000000")
    later = journal.append(KIND_TAMPER, TAMPER)
    assert later.number == head[0] + 1
    assert journal.get(rider.number) == rider
    journal.close()


class Broken:
    """A connection whose commits fail, as when fdatasync reports an error."""

    def __init__(self, connection: sqlite3.Connection):
        self._connection = connection

    def execute(self, sql: str, *values: object):
        if sql == "COMMIT":
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error
        return self._connection.execute(sql, *values)

    def __getattr__(self, name: str):
        return getattr(self._connection, name)


def test_an_io_error_is_told_and_rolled_back(tmp_path):
    journal = open_journal(tmp_path)
    first = journal.append(KIND_TAMPER, TAMPER)
    whole = journal._writer._connection
    journal._writer._connection = Broken(whole)
    with pytest.raises(JournalError, match="disk I/O error") as caught:
        journal.append(KIND_TAMPER, TAMPER)
    assert not isinstance(caught.value, JournalFullError)
    journal._writer._connection = whole
    assert journal.records() == [first]
    assert journal.append(KIND_TAMPER, TAMPER).number == 2
    journal.close()


def test_below_the_margin_no_payment_begins(tmp_path):
    journal = open_journal(tmp_path, min_free_mb=1 << 40)
    assert not journal.has_room
    assert journal.free_mb() > 0
    with pytest.raises(JournalFullError, match="needed"):
        journal.append(KIND_INTENT, intent_body())
    journal.append(KIND_TAMPER, TAMPER)
    journal.close()


# --- the ceiling ---


def test_the_ceiling_is_raised_before_it_is_reached(tmp_path):
    journal = open_journal(tmp_path)
    for _ in range(600):
        journal.append(KIND_TAMPER, {kinds.KEY_DETAIL: "x"}, ride=True)
    journal.flush()
    assert Ceiling(tmp_path).value >= 600
    journal.close()


def test_between_cards_the_ceiling_is_kept_ahead(tmp_path):
    """So that no purchase pays for it."""
    journal = open_journal(tmp_path)
    for _ in range(10):
        for _ in range(100):
            journal.append(KIND_TAMPER, {kinds.KEY_DETAIL: "x"}, ride=True)
        journal.checkpoint()
        assert Ceiling(tmp_path).value >= journal.head()[0] + room.CEILING_STEP // 2
    journal.close()


@pytest.mark.parametrize("line", [b"", b"512", b"512 00000000\n", b"x\n", b"\xff\xfe 1\n"])
def test_a_damaged_ceiling_is_not_believed(tmp_path, line):
    (tmp_path / CEILING).write_bytes(line)
    assert Ceiling(tmp_path).value == 0
    journal = open_journal(tmp_path)
    assert Ceiling(tmp_path).value == room.CEILING_STEP + 1
    journal.close()
