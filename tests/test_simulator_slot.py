"""The simulated slot: cuts, holds, two cards, counters (issue A; M14)."""

from __future__ import annotations

import threading
import time

import pytest

from firmware.outcome import TransportError
from simulator.holder import Holder
from simulator.misbehaviour import Silence
from simulator.pace import Pace, characters
from simulator.region import Region
from simulator.slot import AFTER, BEFORE, LOST, Cut, SimulatedSlot
from tests.waiting import SOON_S

DEBIT = bytes.fromhex("B02C010000")
INITIALIZE = bytes.fromhex("B02A010000")
OK = b"\x90\x00"
# Generous: passes at once, and only a broken slot waits so long.


class CountingCard:
    """Executes whatever it is told and remembers it."""

    def __init__(self, contactless: bool = False):
        self.contactless = contactless
        self.version = 0
        self.executed: list[bytes] = []
        self.is_powered = False
        self.is_mute = False

    def power_on(self) -> bytes:
        if self.is_mute:
            raise Silence
        self.is_powered = True
        return b"\x3b\x00"

    def power_off(self) -> None:
        self.is_powered = False

    def transmit(self, command: bytes) -> bytes:
        assert self.is_powered
        if self.is_mute:
            raise Silence
        self.executed.append(command)
        if command == DEBIT:
            self.version += 1
        return OK


def powered(card: CountingCard) -> SimulatedSlot:
    slot = SimulatedSlot("user")
    slot.insert(card)
    assert slot.power_on() == b"\x3b\x00"
    return slot


def fault_of(slot: SimulatedSlot, command: bytes, deadline_s: float = SOON_S) -> str:
    with pytest.raises(TransportError) as caught:
        slot.exchange(command, deadline_s)
    return caught.value.kind


@pytest.mark.parametrize(
    ("when", "kind", "executed", "left"),
    [
        (BEFORE, "removed", [INITIALIZE], 0),
        (AFTER, "removed", [INITIALIZE, DEBIT], 0),
        (LOST, "silent", [INITIALIZE, DEBIT], 1),
    ],
)
def test_a_cut_strikes_around_its_command_only(when, kind, executed, left):
    """Issue A: "a card can be pulled out at any point, before or after the command took effect"."""
    card = CountingCard()
    slot = powered(card)
    slot.arm(Cut(ins=0x2C, when=when))
    assert slot.exchange(INITIALIZE) == OK
    assert fault_of(slot, DEBIT) == kind
    assert card.executed == executed
    assert slot.cards_in_reach() == left
    assert card.is_powered is (when == LOST)


def test_a_cut_waits_for_its_nth_command_and_strikes_once():
    card = CountingCard()
    slot = powered(card)
    slot.arm(Cut(nth=3, when=LOST))
    assert slot.exchange(DEBIT) == slot.exchange(INITIALIZE) == OK
    assert fault_of(slot, DEBIT) == "silent"
    assert slot.exchange(DEBIT) == OK
    slot.arm(Cut(when=BEFORE))
    slot.disarm()
    assert slot.exchange(DEBIT) == OK


@pytest.mark.parametrize("wrong", [{"when": "during"}, {"nth": 0}])
def test_a_cut_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=r"nth|when"):
        Cut(**wrong)


def test_a_removed_card_says_removed_until_it_is_powered_again():
    """As PC/SC does: a handle from before the removal never reaches the card that came after it."""
    first, second = CountingCard(), CountingCard()
    slot = powered(first)
    slot.remove()
    assert fault_of(slot, DEBIT) == "removed"
    slot.insert(second)
    assert fault_of(slot, DEBIT) == "removed"
    slot.power_on()
    assert slot.exchange(DEBIT) == OK
    assert (first.executed, second.executed) == ([], [DEBIT])
    slot.power_off()
    assert fault_of(slot, DEBIT) == "reader"


def test_two_cards_in_the_field_are_counted_and_not_powered():
    """Issue A, bad input: two cards."""
    slot = powered(CountingCard(contactless=True))
    assert slot.is_block_protocol
    slot.insert(CountingCard(contactless=True))
    assert slot.cards_in_reach() == 2
    with pytest.raises(TransportError, match="2 cards"):
        slot.power_on()
    with pytest.raises(ValueError, match="already"):
        slot.insert(slot.cards[0])


def test_a_mute_card_is_silent_at_reset_and_in_an_exchange():
    card = CountingCard()
    slot = powered(card)
    card.is_mute = True
    assert fault_of(slot, DEBIT) == "silent"
    with pytest.raises(TransportError, match="reset"):
        slot.power_on()


def test_wait_change_sees_what_happened_since_the_last_look():
    slot = SimulatedSlot("user")
    assert slot.cards_in_reach() == 0
    slot.insert(CountingCard())
    started = time.monotonic()
    slot.wait_change(SOON_S)  # came before the wait began, and is not missed
    assert slot.cards_in_reach() == 1
    threading.Timer(0.05, slot.remove).start()
    slot.wait_change(SOON_S)
    assert slot.cards_in_reach() == 0
    assert time.monotonic() - started < SOON_S
    slot.wait_change(0.01)  # nothing happens: the time ends it


class Exchange(threading.Thread):
    """One exchange in the background; what came of it."""

    def __init__(self, slot: SimulatedSlot, **how):
        super().__init__(daemon=True)
        self._call = lambda: slot.exchange(DEBIT, **how)
        self.outcome = ""
        self.start()

    def run(self):
        try:
            self.outcome = self._call().hex()
        except TransportError as fault:
            self.outcome = fault.kind

    def end(self) -> str:
        self.join(SOON_S)
        return self.outcome


@pytest.mark.parametrize(("when", "before_release"), [(BEFORE, []), (AFTER, [DEBIT])])
def test_a_held_command_waits_for_its_release(when, before_release):
    card = CountingCard()
    slot = powered(card)
    slot.hold(0x2C, when)
    exchange = Exchange(slot)
    assert slot.wait_held(SOON_S)
    assert card.executed == before_release
    slot.release()
    assert exchange.end() == "9000"
    assert card.executed == [DEBIT]
    with pytest.raises(ValueError, match="no command is held"):
        slot.release()


@pytest.mark.parametrize(("when", "executed"), [(BEFORE, []), (AFTER, [DEBIT])])
def test_a_held_command_is_dropped_when_its_client_is_gone(when, executed):
    """Issue A: the kill -9 of the daemon between INTENT and DEBIT."""
    card = CountingCard()
    slot = powered(card)
    gone = threading.Event()
    slot.hold(0x2C, when)
    exchange = Exchange(slot, is_abandoned=gone.is_set)
    assert slot.wait_held(SOON_S)
    gone.set()
    assert exchange.end() == "silent"
    assert card.executed == executed
    assert not card.is_powered
    assert slot.cards_in_reach() == 1


def test_a_held_command_ends_with_its_deadline_or_with_the_card():
    card = CountingCard()
    slot = powered(card)
    slot.hold(0x2C)
    assert fault_of(slot, DEBIT, deadline_s=0.05) == "silent"
    slot.power_on()
    slot.hold(0x2C)
    exchange = Exchange(slot)
    assert slot.wait_held(SOON_S)
    slot.remove()
    assert exchange.end() == "removed"
    assert card.executed == []
    assert not slot.wait_held(0.0)


def test_only_exchanges_that_changed_the_card_are_saved():
    saves = []
    card = CountingCard()
    slot = SimulatedSlot("user", save=lambda: saves.append(list(card.executed)))
    slot.insert(card)
    slot.power_on()
    slot.exchange(INITIALIZE)
    assert saves == []
    slot.exchange(DEBIT)
    assert saves == [[INITIALIZE, DEBIT]]


def test_counters_hold_exchanges_bytes_and_time_inside():
    slot = powered(CountingCard())
    slot.reset_counters()
    slot.exchange(DEBIT)
    slot.exchange(INITIALIZE)
    counted = slot.reset_counters()
    assert (counted.exchanges, counted.bytes_out, counted.bytes_in) == (2, 10, 4)
    assert counted.inside_ns > 0
    assert slot.counters.exchanges == slot.counters.inside_ns == 0


def test_the_holder_types_cancels_or_stays_away():
    """Issue A: PIN from the pad; M1."""
    holder = Holder()
    holder.type_pin("123456")
    holder.cancel()
    assert holder.digits(SOON_S, lambda: False) == b"123456"
    assert holder.digits(SOON_S, lambda: False) is None
    with pytest.raises(TimeoutError):
        holder.digits(0.01, lambda: False)
    assert holder.digits(SOON_S, lambda: True) is None  # the clerk cancelled
    assert holder.times_asked == 4
    with pytest.raises(ValueError, match="digits") as caught:
        holder.type_pin("98a7")
    assert "98a7" not in str(caught.value)
    holder.type_pin("987654")
    assert "987654" not in repr(holder)


# -- the time on the line (issue section 12: 12 etu a character, GET RESPONSE counted) ------------


@pytest.mark.parametrize(
    ("command", "answer", "count"),
    [
        ("00B2012D40", "AA" * 64 + "9000", 5 + 1 + 64 + 2),
        ("0020000003123456", "9000", 5 + 1 + 3 + 2),
        ("0084000008", "6700", 5 + 2),
        ("00A40400", "6700", 5 + 2),
        ("00A4040002ABCD", "6118", 5 + 1 + 2 + 2),
        ("00C0000018", "AA" * 24 + "9000", 5 + 1 + 24 + 2),
    ],
)
def test_characters_of_an_exchange(command, answer, count):
    """ISO 7816-3: header, one procedure byte where data follows, data, status word."""
    assert characters(bytes.fromhex(command), bytes.fromhex(answer)) == count


def test_a_paced_slot_adds_up_every_exchange_and_the_atr():
    card = Region().issue_card(1)
    slot = SimulatedSlot("user")
    slot.pace = Pace(9600, sleep=None)
    assert slot.pace.byte_time_s == 12 / 9600
    slot.insert(card)
    slot.power_on()
    assert slot.pace.characters == 17
    slot.exchange(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"))
    slot.exchange(bytes.fromhex("00C0000018"))
    assert slot.pace.characters == 17 + (5 + 1 + 15 + 2) + (5 + 1 + 24 + 2)
    assert slot.pace.total_s == pytest.approx(72 * 12 / 9600)


def test_a_paced_slot_sleeps_that_long_and_another_slot_need_not_wait():
    slept: list[float] = []
    lock = threading.RLock()
    slot = SimulatedSlot("user", lock)

    def another() -> None:
        slept.append(lock.acquire(timeout=SOON_S))
        lock.release()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        thread = threading.Thread(target=another)
        thread.start()
        thread.join()

    slot.insert(CountingCard())
    slot.power_on()
    slot.pace = Pace(115200, sleep)
    slot.exchange(INITIALIZE)
    assert slept == [7 * 12 / 115200, True]
    began = time.perf_counter()
    slot.pace = Pace(9600)
    slot.exchange(INITIALIZE)
    assert time.perf_counter() - began >= 7 * 12 / 9600


def test_a_sleep_that_was_too_long_is_taken_off_the_next_ones():
    now = 0.0
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds + 0.001

    pace = Pace(12_000, sleep, lambda: now)  # a millisecond a character
    for count in (10, 10, 1, 1):
        pace.passes(count)
    assert slept == pytest.approx([0.010, 0.009, 0.001])
    assert now == pytest.approx(pace.total_s, abs=0.0011)


def test_a_contactless_card_takes_no_contact_time():
    slot = powered(CountingCard(contactless=True))
    slot.pace = Pace(sleep=None)
    slot.exchange(INITIALIZE)
    assert slot.pace.characters == 0
