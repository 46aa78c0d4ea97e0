"""Issue 6.3: the payment of a 3.0 card through `pn532:`, an emulated chip at the other end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.drivers import pn532_link
from firmware.drivers.pn532_reader import open_pn532
from simulator.pn532_device import LEAVE, NO_ANSWER, Misdeed, Pn532
from simulator.pn532_lines import SerialPn532
from simulator.region import Region
from simulator.slot import Cut
from simulator.world import World
from tests.rig import Rig
from tests.test_daemon import Stand, purchase, told
from tests.waiting import SOON_S

DEBIT = 0x2C
EXCHANGE = 0x40
CARD_EXCHANGES, PSAM_EXCHANGES = 26, 19  # as over sim: (test_purchase_counts.py)


class Tap(Rig):
    """A terminal whose only reader is a PN532 on a pty; its PSAM stays in the simulator's slot."""

    def __init__(self, folder: Path, kind: str = "A"):
        super().__init__(folder, edit={"exchange_s = 20": "exchange_s = 1.5"})
        self.end = SerialPn532(Pn532(self.world.slot("contactless"), kind))
        self.chip = self.end.chip
        self.tap = open_pn532(self.end.device)
        self.attach(self.tap, self.psam_reader)
        self.psam()

    def stop(self) -> None:
        self.unit.journal.close()
        self.tap.close()
        self.end.stop()

    def debits(self) -> int:
        """DEBIT commands that the chip was given."""
        return sum(1 for each in self.chip.commands if each[:1] == b"\x40" and each[3:4] == b"\x2c")


@pytest.fixture(autouse=True)
def on_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulated chip is a thread: here it may take longer to its ACK than a real one."""
    monkeypatch.setattr(pn532_link, "ACK_S", 8.0)


@pytest.fixture
def tap(tmp_path: Path) -> Iterator[Tap]:
    rig = Tap(tmp_path)
    yield rig
    rig.stop()


def test_m14_a_3_0_card_pays_in_as_many_exchanges_as_over_sim(tap: Tap) -> None:
    card = tap.card(slot="contactless", generation="3.0", contactless=True)
    tap.unit.psam.start()
    tap.world.slot("contactless").reset_counters()
    tap.world.slot("psam").reset_counters()

    assert tap.pay().name == "APPROVED"

    assert tap.world.slot("contactless").counters.exchanges == CARD_EXCHANGES
    assert tap.world.slot("psam").counters.exchanges == PSAM_EXCHANGES
    assert tap.debits() == 1
    assert card.memory.balance_fen == 100_000 - 1000
    assert tap.kinds()[-3:] == ["INTENT", "DONE", "TOTALS"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_m14_a_card_that_leaves_at_debit_is_settled_when_it_comes_back(tap: Tap, when: str) -> None:
    card = tap.card(slot="contactless", generation="3.0", contactless=True)
    tap.world.slot("contactless").arm(Cut(DEBIT, 1, when))
    tap.hands.later(1, lambda: tap.world.insert("contactless", card.label))

    result = tap.pay()

    assert result.name == ("APPROVED_FOUND_LATER" if when == "after" else "NOT_TAKEN")
    assert tap.debits() == 1
    paid = 1000 if when == "after" else 0
    assert card.memory.balance_fen == 100_000 - paid


def test_m14_an_answer_lost_between_chip_and_terminal_is_found_by_evidence(tap: Tap) -> None:
    card = tap.card(slot="contactless", generation="3.0", contactless=True)
    assert tap.pay().name == "APPROVED"
    before = [each[:1] for each in tap.chip.commands].count(b"\x40")
    at = next(n for n, each in enumerate(exchanges(tap), 1) if each[3:4] == b"\x2c")
    assert before == CARD_EXCHANGES
    tap.chip.misbehave(Misdeed(NO_ANSWER, EXCHANGE, at))

    assert tap.pay().name == "APPROVED_FOUND_LATER"

    assert tap.debits() == 2  # one a payment
    assert card.memory.balance_fen == 100_000 - 2000


@pytest.mark.parametrize("at", range(1, CARD_EXCHANGES + 1))
def test_m14_an_answer_that_stays_away_at_any_exchange_is_paid_once_or_not_at_all(
    tap: Tap, at: int
) -> None:
    """The card has executed the command; the chip never says so.  It is never said again."""
    card = tap.card(slot="contactless", generation="3.0", contactless=True)
    tap.chip.misbehave(Misdeed(NO_ANSWER, EXCHANGE, at))

    result = tap.pay()

    journal = tap.unit.journal
    paid = "DONE" in tap.kinds()
    assert paid == (result.name in ("APPROVED", "APPROVED_FOUND_LATER"))
    assert card.memory.balance_fen == 100_000 - (1000 if paid else 0)
    assert tap.debits() == (1 if "INTENT" in tap.kinds() else 0)
    assert list(journal.open_intents()) == []
    assert tap.pay().name == "APPROVED"  # the reader goes on


def exchanges(tap: Tap) -> list[bytes]:
    return [each for each in tap.chip.commands if each[:1] == b"\x40"]


def test_m14_a_card_that_left_before_it_was_asked_pays_nothing(tap: Tap) -> None:
    tap.card(slot="contactless", generation="3.0", contactless=True)
    tap.chip.misbehave(Misdeed(LEAVE, EXCHANGE, 3))
    assert tap.pay().name == "CARD_REMOVED"
    assert tap.kinds()[-1] == "DECLINED"


def test_two_cards_in_the_field_are_counted_and_neither_is_powered(tap: Tap) -> None:
    for serial in (1, 2):
        tap.card(serial, slot="contactless", generation="3.0", contactless=True)
    assert tap.unit.cards_in_reach() == [tap.tap, tap.tap]
    assert tap.pay().name == "READER_MISSING"  # the loop says TWO_CARDS before it comes to this
    assert exchanges(tap) == []


def test_a_card_of_type_b_is_read_and_cannot_pay_without_historical_bytes(tmp_path: Path) -> None:
    rig = Tap(tmp_path, "B")
    try:
        rig.card(slot="contactless", generation="3.0", contactless=True)
        assert rig.tap.cards_in_reach() == 1
        assert rig.pay().name == "CARD_UNREADABLE"
    finally:
        rig.stop()


def test_m14_the_daemon_pays_through_the_address_in_its_board(tmp_path: Path) -> None:
    world = World(Region("510100"))  # the keys are those of the simulator process
    card = world.region.issue_card(
        2, balance_fen=100_000, generation="3.0", contactless=True, pin="123456"
    )
    end = SerialPn532(Pn532(world.slot("contactless")))
    stand = Stand(tmp_path, reader=f"pn532:{end.device}")
    try:
        control = stand.start_simulator()
        daemon = stand.start_daemon()
        stand.shows("READY")
        control.type_pin(digits="123456")
        paying = purchase(stand)
        stand.shows("INSERT_CARD")
        world.insert("contactless", card.label)
        assert told(paying)["state"] == "DONE"
        assert card.memory.balance_fen == 100_000 - 1000
        stand.shows("APPROVED")
        world.slot("contactless").remove()
        stand.shows("READY")
        end.stop()
        stand.shows("READER_MISSING")
        daemon.terminate()
        assert daemon.wait(SOON_S) == 0
    finally:
        stand.end()
