"""The scrub goes once round a day, in small steps, over restarts (issue part 1)."""

from __future__ import annotations

from pathlib import Path

import pytest
from journal_maker import START_MS, open_journal, purchase
from test_scrub import flip

from firmware.authorize.inbox import SCRUB_RECORDS
from firmware.clock import Clock
from firmware.journal import scrub
from firmware.journal.store import Journal
from tests.rig import Rig

HOUR_MS = 3_600_000


class Wall:
    def __init__(self) -> None:
        self.at_ms = START_MS

    def __call__(self) -> float:
        return self.at_ms / 1000


@pytest.fixture
def wall() -> Wall:
    return Wall()


def reopened(folder: Path, wall: Wall) -> Journal:
    return open_journal(folder, clock=Clock(has_rtc=True, trust_h=24, wall=wall))


def go_round(journal: Journal) -> int:
    """As the unit does: a step while it is due; how many records."""
    count = 0
    while scrub.is_due(journal):
        count += journal.scrub(64)
    return count


def test_one_round_a_day(tmp_path: Path, wall: Wall) -> None:
    journal = reopened(tmp_path, wall)
    for turn in range(50):
        purchase(journal, f"order-{turn}")
    assert go_round(journal) == 150
    for hours, expected in ((1, 0), (22, 0), (1, 150), (23, 0), (1, 150)):
        wall.at_ms += hours * HOUR_MS
        assert go_round(journal) == expected
    journal.close()


def test_a_restart_neither_skips_nor_repeats(tmp_path: Path, wall: Wall) -> None:
    journal = reopened(tmp_path, wall)
    for turn in range(50):
        purchase(journal, f"order-{turn}")
    assert journal.scrub(64) == 64
    journal.close()
    journal = reopened(tmp_path, wall)
    assert go_round(journal) == 86  # it goes on where it was
    journal.close()
    journal = reopened(tmp_path, wall)
    assert go_round(journal) == 0  # and the day's round is done
    wall.at_ms += 24 * HOUR_MS
    assert go_round(journal) == 150
    journal.close()


def test_a_clock_set_back_begins_a_round(tmp_path: Path, wall: Wall) -> None:
    journal = reopened(tmp_path, wall)
    purchase(journal, "order-1")
    journal.flush()
    assert go_round(journal) == 3
    wall.at_ms -= 48 * HOUR_MS
    assert go_round(journal) == 3
    assert go_round(journal) == 0
    journal.close()


def test_what_a_question_stumbled_over_does_not_wait_for_tomorrow(
    tmp_path: Path, wall: Wall
) -> None:
    journal = reopened(tmp_path, wall)
    for turn in range(3):
        purchase(journal, f"order-{turn}")
    journal.flush()
    go_round(journal)
    journal.write("UPDATE records SET raw = x'00' WHERE number = 4")
    assert journal.records() != []
    go_round(journal)
    assert journal.damaged_ranges() == [(4, 4)]
    journal.close()


def test_a_long_round_leaves_its_place_on_the_disk(tmp_path: Path, wall: Wall) -> None:
    """Should no card come all day and the power fail in the night."""
    journal = reopened(tmp_path, wall)
    journal.scrubbed = 3 * scrub.KEPT_EVERY - 10
    journal.floor = 4 * scrub.KEPT_EVERY  # as if they had left
    assert journal.scrub(64) > 0
    assert journal.counter("scrubbed") == 4 * scrub.KEPT_EVERY
    journal.close()


def test_the_unit_finds_yesterdays_damage_by_itself(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    journal = rig.unit.journal
    for turn in range(100):
        purchase(journal, f"order-{turn}")
    journal.flush()
    journal.checkpoint()

    def a_day_of_chores() -> int:
        count = 0
        for _ in range(10):
            before = journal.scrubbed
            rig.inbox.scrub_if_due()
            count += journal.scrubbed != before
        return count

    assert a_day_of_chores() == 300 // SCRUB_RECORDS + 2  # and one step that ends the round
    flip(tmp_path / "data", 20)
    assert a_day_of_chores() == 0
    rig.hands.now_s += 86_400
    a_day_of_chores()
    assert journal.damaged_ranges() == [(20, 20)]
    journal.close()
