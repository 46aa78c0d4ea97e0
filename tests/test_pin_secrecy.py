"""M1: no log, record, file, transcript, exception, repr, screen or host answer has a PIN of a day.

The issue: a test searches logs, journal, traces, exception texts and host answers for every PIN
the tests used.  As digits, as BCD in hex, and as the BCD bytes themselves.
"""

from __future__ import annotations

import io
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.authorize.jobs import Job
from firmware.authorize.pin import PinBuffer
from firmware.authorize.request import Request
from firmware.authorize.service import Desk, ServiceCall
from firmware.authorize.visit import begin
from firmware.card import commands
from firmware.drivers.keyed import KeyedPad
from firmware.drivers.pad import Pad
from firmware.drivers.recorder import Transcript
from firmware.outcome import Fault
from firmware.secret import Pin
from simulator.slot import AFTER, BEFORE, LOST, Cut
from tests.loop_rig import DEBIT, Loop, name_of

CITIZEN = "51010119900307123X"  # invented
INITIAL = "03071231"  # its last 8, X as 1
FIRST, SECOND, THIRD, ODD, WRONG = "80427196", "46802975", "57913064", "135792468", "97531864"
PINS = (INITIAL, FIRST, SECOND, THIRD, ODD, WRONG)
CHANGE_PIN = 0x5E


def traces(found: bytes) -> list[str]:
    """The PINs, and the citizen number, that can be read in these bytes."""
    shown = found.lower()
    seen = []
    for each in (*PINS, CITIZEN):
        forms = [each.lower().encode(), " ".join(each).lower().encode()]
        if each != CITIZEN:
            packed = bytes.fromhex(each + "f" * (len(each) % 2))
            forms += [packed, packed.hex(" ").encode(), repr(packed).encode()[2:-1].lower()]
        if any(form in shown or form in found for form in forms):
            seen.append(each)
    return seen


class Day:
    """A loop whose every act ends in `said`: what left the unit, by where it was found."""

    def __init__(self, folder: Path, policy: str):
        section = f'[initial_pin]\npolicy = "{policy}"\nrules = ["last_8"]\n'
        section += "[pin_change]\nallow_set = true\nallow_remove = true\n[clock]"
        self.loop = Loop(folder, edit={"[clock]": section})
        self.loop.rig.psam()
        self.folder = folder
        self.open_transcript, self.hidden_transcript = io.StringIO(), io.StringIO()
        self.said: list[str] = []
        self.orders = 0
        self.starred: Callable[[int], object] = lambda stars: None
        self._record()

    def _record(self) -> None:
        hidden = Transcript(self.hidden_transcript)
        open_ = Transcript(self.open_transcript, keep_secrets=True)

        def both(command: bytes, answer: bytes) -> None:
            hidden.recorder(command, answer)
            open_.recorder(command, answer)

        self.loop.unit.recorder = both
        self.loop.unit.typed = self._typed

    def _typed(self, stars: int, left_s: float) -> None:
        self.starred(stars)
        self.loop.display.typed(stars, left_s)

    def issue(self, serial: int, pin: str | None, **how: Any) -> Any:
        return self.loop.rig.region.issue_card(
            serial, pin=pin, citizen_number=CITIZEN, balance_fen=100_000, **how
        )

    def serve(self, card: Any, work: str, *typed: str, cut: Cut | None = None) -> str:
        """One job with that card: "pay" or a service; the outcome's name."""
        loop = self.loop
        loop.world.holder.forget()
        for each in typed:
            loop.world.holder.type_pin(each)
        loop.world.holder.cancel()
        self.orders += 1
        asked: Request | ServiceCall = Request(f"O-{self.orders}", "clerk-07", 1000, 0, 0)
        if work != "pay":
            asked = ServiceCall(work, {"operator": "clerk-07"})
        loop.restart()
        self._record()
        self.said += [repr(Job(asked)), repr(loop.unit)]
        answer = loop.jobs.submit(asked)
        assert answer is not None
        loop.plan(0.5, loop.insert(card.label))
        if cut is not None:
            loop.plan(0.4, lambda: loop.rig.user.arm(cut))
            loop.plan(1.5, lambda: self._put_back(card))
        loop.plan(6, loop.remove())
        loop.run(7)
        loop.rig.user.disarm()
        result, told = answer.result(timeout=0)
        self.said += [json.dumps(told), repr(result), repr(loop.desk)]
        self.said += [json.dumps(loop.desk.status()), repr(loop.fields)]
        self.said.append(json.dumps(loop.desk.records(0, 200)))
        return name_of(answer)

    def _put_back(self, card: Any) -> None:
        if self.loop.world.slot_of(card.label) is None:
            self.loop.world.insert("user", card.label)

    def written(self) -> Iterator[tuple[str, bytes]]:
        """Every file the unit keeps, but board.toml, which holds no PIN here either."""
        self.loop.unit.journal.flush()
        for path in sorted(each for each in self.folder.rglob("*") if each.is_file()):
            yield path.name, path.read_bytes()


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


def check(day: Day, caplog: pytest.LogCaptureFixture, used: set[str]) -> None:
    """used: the PINs that crossed the card's wire, as a transcript without redaction shows."""
    assert used <= set(traces(day.open_transcript.getvalue().encode()))
    assert traces(day.hidden_transcript.getvalue().encode()) == []
    found = dict(day.written())
    assert "journal.db" in found
    found |= {f"said {at}": each.encode() for at, each in enumerate(day.said)}
    found["log"] = caplog.text.encode()
    assert {name: traces(each) for name, each in found.items() if traces(each)} == {}


def test_m1_payments_changes_and_torn_ones_leave_no_pin_anywhere(
    tmp_path: Path, heard: pytest.LogCaptureFixture
) -> None:
    day = Day(tmp_path, "force_change")
    card = day.issue(1, FIRST)
    assert day.serve(card, "pay", WRONG, FIRST) == "APPROVED"
    assert day.serve(card, "balance", FIRST) == "SERVED"
    assert day.serve(card, "pin.change", FIRST, SECOND, SECOND) == "SERVED"
    assert day.serve(card, "pay", SECOND, cut=Cut(DEBIT, 1, AFTER)) == "APPROVED_FOUND_LATER"
    torn = {BEFORE: SECOND, AFTER: THIRD, LOST: ODD}
    typed = {BEFORE: (SECOND, THIRD), AFTER: (SECOND, THIRD), LOST: (THIRD, ODD)}
    for when, holds in torn.items():
        old, new = typed[when]
        cut = Cut(CHANGE_PIN, 1, when)
        assert day.serve(card, "pin.change", old, new, new, cut=cut) == "PIN_CHANGE_UNCERTAIN"
        assert card.memory.pin.hex().rstrip("f") == holds
    assert day.serve(card, "pin.remove", ODD) == "SERVED"
    assert day.serve(card, "pin.change", FIRST, FIRST) == "SERVED"
    assert day.serve(card, "pay", WRONG, WRONG, WRONG) == "PIN_WRONG"
    initial = day.issue(2, INITIAL)
    assert day.serve(initial, "pay", INITIAL, INITIAL, SECOND, SECOND) == "APPROVED"
    check(day, heard, set(PINS))


@pytest.mark.parametrize("policy", ["warn", "refuse"])
def test_m2_neither_pin_nor_citizen_number_nor_rule_is_told(
    tmp_path: Path, heard: pytest.LogCaptureFixture, policy: str
) -> None:
    day = Day(tmp_path, policy)
    card = day.issue(1, INITIAL, generation="3.0")
    name = "APPROVED" if policy == "warn" else "PIN_IS_INITIAL"
    assert day.serve(card, "pay", INITIAL, INITIAL) == name
    assert day.serve(card, "pay", INITIAL, WRONG) == "PIN_IS_INITIAL"
    check(day, heard, {INITIAL})
    assert "last_8" not in "".join(day.said).replace(repr(day.loop.rig.board), "")


class OneByOne:
    """The holder at a key matrix: what they type comes key by key."""

    def __init__(self, holder: Any):
        self._holder = holder
        self._keys: list[str] = []

    def key(self, timeout_s: float, interrupted: Any) -> str | None:
        if not self._keys:
            typed = self._holder.digits(timeout_s, interrupted)
            self._keys = ["cancel"] if typed is None else [*typed.decode(), "confirm"]
        return self._keys.pop(0)


def test_m1_keys_of_a_matrix_leave_no_pin_anywhere(
    tmp_path: Path, heard: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stars of every entry are drawn, counted and forgotten with the rest."""
    monkeypatch.setattr("tests.rig.Pad", lambda holder: Pad(KeyedPad(OneByOne(holder), 5.0)))
    day = Day(tmp_path, "ignore")
    stars: list[int] = []
    card = day.issue(1, FIRST)
    for work, typed, name in (
        ("pay", (WRONG, FIRST), "APPROVED"),
        ("pin.change", (FIRST, SECOND, SECOND), "SERVED"),
        ("balance", (SECOND,), "SERVED"),
        ("pay", (WRONG,), "PIN_CANCELLED"),
    ):
        day.starred = stars.append
        assert day.serve(card, work, *typed) == name
        day.said += [repr(vars(day.loop.unit.pad)), repr(vars(day.loop.unit.pad._keys))]
    assert max(stars) == 8
    check(day, heard, {FIRST, SECOND, WRONG})


@pytest.mark.parametrize("ins", [0x20, CHANGE_PIN])
def test_m1_a_driver_that_breaks_at_the_pin_logs_its_trace_without_it(
    tmp_path: Path,
    heard: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    ins: int,
) -> None:
    day = Day(tmp_path, "ignore")
    card = day.issue(1, FIRST)
    exchange = day.loop.rig.user.exchange

    def broken(command: bytes, *how: Any) -> bytes:
        if command[1] == ins and len(command) > 5:
            raise RuntimeError("the driver broke")
        return exchange(command, *how)

    monkeypatch.setattr(day.loop.rig.user, "exchange", broken)
    assert day.serve(card, "pin.change", FIRST, SECOND, SECOND) == "UNIT_FAULT"
    assert "the driver broke" in heard.text
    check(day, heard, set())


def test_m1_what_holds_a_pin_shows_none_of_it(tmp_path: Path) -> None:
    day = Day(tmp_path, "refuse")
    card = day.issue(1, FIRST)
    day.loop.world.insert("user", card.label)
    visit = begin(day.loop.unit, day.loop.rig.user)
    with Pin.from_digits(WRONG) as old, Pin.from_digits(ODD) as new:
        desk = Desk(day.loop.unit, visit, buffer=_buffer(old, new), params={})
        shown = [repr(desk), str(vars(desk.buffer)), repr(old), f"{new}", repr(visit)]
        for command in (commands.verify(old.reveal()), commands.change_pin(b"\1", new.reveal())):
            shown.append(repr(command))
        try:
            visit.session.change_pin(old, new)
        except Fault as fault:
            shown += [str(fault), fault.what, "".join(traceback.format_exception(fault))]
        else:
            pytest.fail("an old PIN that is wrong was taken")
        assert traces("\n".join(shown).encode()) == []


def _buffer(old: Pin, new: Pin) -> PinBuffer:
    buffer = PinBuffer()
    buffer.pin, buffer.initial = old, [new]
    return buffer


@pytest.mark.parametrize("pin", PINS)
def test_the_search_finds_a_pin_in_every_form(pin: str) -> None:
    packed = bytes.fromhex(pin + "f" * (len(pin) % 2))
    forms = [
        f"x{pin}x".encode(),
        b"\0" + packed + b"\0",
        packed.hex().upper().encode(),
        packed.hex(" ").encode(),
        repr(packed).encode(),
        " ".join(pin).encode(),
    ]
    assert [traces(each) for each in forms] == [[pin]] * len(forms)
