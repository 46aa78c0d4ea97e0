"""PSAM (docs/architecture.md): its serial is journaled; one swapped, missing or mute is noticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware.authorize.psamwatch import PsamWatch, note_serial
from firmware.journal import kinds as rec
from firmware.psam.session import PsamFault
from simulator.slot import AFTER, BEFORE, LOST, Cut
from simulator.switches import BY_NAME, Switches
from tests.loop_rig import Loop, issue, name_of
from tests.rig import TERMINAL, Rig

DEBIT, CREDIT = 0x2C, 0x72


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def seen(rig: Rig) -> list[tuple[int, bool]]:
    """(serial, explained) of each PSAM_SEEN, oldest first."""
    rig.unit.journal.flush()
    return [
        (int.from_bytes(each.body[rec.KEY_TERMINAL_SERIAL], "big"), each.body[rec.KEY_EXPLAINED])
        for each in rig.unit.journal.records(0, 1000)
        if each.kind == rec.KIND_PSAM_SEEN
    ]


def test_the_serial_is_journaled_at_start_and_not_at_every_look(rig: Rig) -> None:
    rig.psam()
    watch = PsamWatch(rig.unit)
    for _ in range(3):
        assert watch.look() is None
    assert len(seen(rig)) == 1
    assert seen(rig)[0][1], "nothing was known of it before"


def test_the_serial_is_journaled_after_a_torn_purchase(rig: Rig) -> None:
    rig.psam()
    card = rig.card()
    rig.user.arm(Cut(DEBIT, 1, AFTER))
    rig.hands.later(0.5, lambda: rig.world.insert("user", card.label))
    assert rig.pay().name == "APPROVED_FOUND_LATER"
    assert [explained for _, explained in seen(rig)] == [True]


@pytest.mark.parametrize("moves", BY_NAME["psam_serial_moves"].values)
@pytest.mark.parametrize("ends", ["paid", "torn"])
def test_wherever_the_serial_moves_a_gap_of_one_is_explained(
    tmp_path: Path, moves: str, ends: str
) -> None:
    rig = Rig(tmp_path)
    rig.psam(switches=Switches(psam_serial_moves=moves))
    rig.card()
    if ends == "torn":
        rig.user.arm(Cut(DEBIT, 1, BEFORE))
    rig.pay()
    rig.restart()
    PsamWatch(rig.unit).look()
    assert all(explained for _, explained in seen(rig))


@pytest.mark.parametrize(("steps", "explained"), [(0, True), (1, True), (2, False), (-1, False)])
def test_a_larger_gap_is_not_explained(rig: Rig, steps: int, explained: bool) -> None:
    psam = rig.psam()
    psam.memory.serial = 1000
    PsamWatch(rig.unit).look()
    rig.restart()
    psam.memory.serial = 1000 + steps
    PsamWatch(rig.unit).look()
    assert seen(rig) == [(1000, True), (1000 + steps, explained)]
    last = rig.unit.journal.records(0, 100)[-1]
    assert (rec.KEY_DETAIL in last.body) is not explained


def test_the_serial_wraps(rig: Rig) -> None:
    psam = rig.psam()
    psam.memory.serial = 0xFFFFFFFF
    PsamWatch(rig.unit).look()
    rig.restart()
    psam.memory.serial = 0
    PsamWatch(rig.unit).look()
    assert seen(rig)[-1] == (0, True)


def test_a_psam_that_left_and_came_back_is_journaled_again(rig: Rig) -> None:
    psam = rig.psam()
    watch = PsamWatch(rig.unit)
    watch.look()
    rig.world.slot("psam").remove()
    assert watch.look().name == "PSAM_MISSING"
    assert watch.look().name == "PSAM_MISSING"
    rig.world.insert("psam", psam.label)
    assert watch.look() is None
    assert len(seen(rig)) == 2


def test_a_psam_swapped_while_running_is_refused_and_journaled(rig: Rig) -> None:
    psam = rig.psam()
    watch = PsamWatch(rig.unit)
    watch.look()
    other = rig.region.issue_psam(terminal_number="510100000002")
    rig.world.slot("psam").remove()
    rig.world.insert("psam", other.label)
    for _ in range(3):
        assert watch.look().name == "PSAM_SWAPPED"
    assert len(seen(rig)) == 2, "once each"
    rig.world.slot("psam").remove()
    rig.world.insert("psam", psam.label)
    assert watch.look() is None


def test_m9_without_a_bound_number_another_psam_of_the_region_serves(tmp_path: Path) -> None:
    rig = Rig(tmp_path, edit={f'terminal_number = "{TERMINAL}"\n': ""})
    rig.psam()
    watch = PsamWatch(rig.unit)
    watch.look()
    other = rig.region.issue_psam(terminal_number="510100000002")
    rig.world.slot("psam").remove()
    rig.world.insert("psam", other.label)
    assert watch.look() is None
    rig.card()
    assert rig.pay().name == "APPROVED"
    assert rig.result()["terminal"] == "510100000002"


@pytest.mark.parametrize(
    ("how", "name"),
    [({"expiry": "20261121"}, "PSAM_OUT_OF_DATE"), ({"start": "20270101"}, "PSAM_OUT_OF_DATE")],
)
def test_a_psam_out_of_date_is_refused(rig: Rig, how: dict[str, Any], name: str) -> None:
    rig.psam(**how)
    assert PsamWatch(rig.unit).look().name == name


def test_a_mute_psam_is_silent_and_heard_again(rig: Rig) -> None:
    psam = rig.psam()
    watch = PsamWatch(rig.unit)
    rig.world.slot("psam").remove()
    rig.world.misbehave(psam.label, "mute_before")
    rig.world.insert("psam", psam.label)
    assert watch.look().name == "PSAM_SILENT"
    rig.world.slot("psam").remove()
    rig.world.misbehave(psam.label, None)
    rig.world.insert("psam", psam.label)
    assert watch.look() is None


@pytest.mark.parametrize("when", [BEFORE, AFTER, LOST])
def test_a_psam_mute_after_debit_leaves_done_unchecked(rig: Rig, when: str) -> None:
    rig.psam()
    card = rig.card()
    rig.world.slot("psam").arm(Cut(CREDIT, 1, when))
    assert rig.pay().name == "APPROVED_UNCHECKED"
    assert card.balance_fen == 99_000
    done = rig.unit.journal.by_order(rig.order_no)[1]
    assert (done.kind_name, done.body[rec.KEY_MAC2_STATE]) == ("DONE", 3)


def test_a_psam_that_has_lost_its_way_is_powered_up_anew(rig: Rig, monkeypatch: Any) -> None:
    """It answers, but with an error: a glitch of its supply, or another card of the same kind."""
    rig.psam()
    watch = PsamWatch(rig.unit)
    watch.look()

    def lost(algorithm: int) -> None:
        monkeypatch.undo()
        raise PsamFault("SELECT answered 6F00", "PSAM_REFUSED")

    monkeypatch.setattr(rig.unit.psam, "select", lost)
    assert watch.look() is None
    assert len(seen(rig)) == 2


def test_a_missing_psam_journals_nothing_and_raises_nothing(rig: Rig) -> None:
    note_serial(rig.unit)
    assert PsamWatch(rig.unit).look().name == "PSAM_MISSING"
    assert rig.kinds() == []


def test_the_loop_shows_a_missing_psam_and_serves_when_it_comes(tmp_path: Path) -> None:
    """... and nobody has to restart the terminal."""
    loop = Loop(tmp_path)
    psam = loop.rig.region.issue_psam(terminal_number=TERMINAL)
    card = issue(loop)
    answers: list[Any] = []
    loop.plan(2, lambda: answers.append(loop.ask("A-1")))
    loop.plan(5, loop.insert(psam.label, "psam"))
    loop.plan(20, lambda: answers.append(loop.ask("A-2")))
    loop.plan(20.5, loop.insert(card.label))
    loop.world.holder.type_pin("123456")
    shown = loop.run(24)
    assert shown[:3] == ["PSAM_MISSING", "PSAM_MISSING", "READY"]
    assert [name_of(each) for each in answers] == ["PSAM_MISSING", "APPROVED"]
