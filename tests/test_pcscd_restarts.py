"""Issue 6.8: the card loop, in real time, over a real pcscd that goes and comes back.

Nothing is restarted but pcscd.  Meanwhile the screen says what is missing, and nothing is doubled.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.authorize import psamwatch
from firmware.authorize.jobs import Answer
from firmware.drivers.pcsc import PcscReader
from firmware.journal import kinds as rec
from simulator import vpcd
from simulator.slot import AFTER, LOST, Cut
from simulator.vpcd import Plug
from tests import pcscd_rig, rig
from tests.loop_rig import Loop, name_of
from tests.waiting import SOON_S, until

pytestmark = pytest.mark.pcscd

DEBIT, SELECT, INIT_SAM, CREDIT_SAM = 0x2C, 0xA4, 0x70, 0x72
VERIFY, UPDATE_RECORD = 0x20, 0xDC
BALANCE_FEN, PRICE_FEN = 100_000, 1000
TAP = "SSC Contactless Tap"


class RealTime(rig.Hands):
    """Time passes by itself."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        super().__init__()

    @property
    def now_s(self) -> float:
        return time.monotonic() - self._started

    @now_s.setter
    def now_s(self, value: float) -> None:
        pass

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)


class Site:
    """A running card loop whose card and PSAM sit in two readers of the pcscd of this process."""

    def __init__(
        self,
        folder: Path,
        slot: str = "user",
        user: str = pcscd_rig.USER_READER,
        exchange_s: float = 20,
    ):
        """exchange_s: short where a test waits for a silence."""
        self.pcscd = pcscd_rig.shared()
        edit = {
            "exchange_s = 20": f"exchange_s = {exchange_s}",
            "card_wait_s = 2": "card_wait_s = 60",
        }
        self.loop = loop = Loop(folder, edit=edit)
        loop.rig.psam()
        self.slot = loop.world.slot(slot)
        self.psam_slot = loop.world.slot("psam")
        self._plugs = [
            Plug(self.slot, self.pcscd.user_port),
            Plug(self.psam_slot, self.pcscd.psam_port),
        ]
        for plug in self._plugs:
            plug.start()
        self.readers = [PcscReader(f"{user} 00 00"), PcscReader(pcscd_rig.PSAM_READER + " 00 00")]
        until(lambda: self.readers[1].cards_in_reach() == 1)
        loop.rig.attach(self.readers[0], self.readers[1])
        loop.start()
        self._thread = threading.Thread(target=loop.terminal.run, daemon=True)
        self._thread.start()
        self.shows("READY")

    @property
    def last(self) -> str:
        current = self.loop.display.current
        return "" if current is None else current.id

    def shows(self, message_id: str) -> None:
        until(lambda: self.last == message_id)

    def issue(self, **how: Any) -> Any:
        card = self.loop.rig.region.issue_card(1, **{"balance_fen": BALANCE_FEN, **how})
        self.insert = lambda: self.loop.world.insert(self.slot.name, card.label)
        return card

    def pays(self, order_no: str, name: str = "APPROVED") -> None:
        """With the card in, or put in when it is asked for."""
        answer = self.begin(order_no)
        until(answer.done)
        assert name_of(answer) == name

    def begin(self, order_no: str) -> Answer:
        self.loop.hands.wall_offset_s += 1
        self.loop.world.holder.type_pin("123456")
        answer = self.loop.ask(order_no)
        if not self.slot.cards:
            self.shows("INSERT_CARD")
            self.insert()
        return answer

    def refused(self) -> str:
        """Why an order begun now is."""
        answer = self.loop.ask(f"R-{time.monotonic()}")
        until(answer.done)
        return name_of(answer)

    def kinds(self) -> list[str]:
        """Of payments."""
        about = ("INTENT", "DONE", "VOID", "UNCERTAIN", "SUSPECT", "DECLINED")
        return [each for each in self.loop.rig.kinds() if each in about]

    def stop(self) -> None:
        self.loop.terminal.stop()
        self._thread.join(SOON_S)
        for plug in self._plugs:
            plug.stop()
        self.loop.unit.journal.close()
        for reader in self.readers:
            until(lambda reader=reader: reader.cards_in_reach() == 0)
            reader.close()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Site]]:
    monkeypatch.setattr(rig, "Hands", RealTime)
    monkeypatch.setattr(psamwatch, "LOOK_S", 1.0)
    monkeypatch.setattr(vpcd, "MUTE_S", 3.0)  # its reader loses patience later than we do
    made: list[Site] = []

    def make(**how: Any) -> Site:
        made.append(Site(tmp_path, **how))
        return made[-1]

    yield make
    if pcscd_rig.shared()._process.poll() is not None or pcscd_rig.shared().user_name is None:
        pcscd_rig.shared().start_again()
    for each in made:
        each.stop()
    if pcscd_rig.shared().user_name != pcscd_rig.USER_READER:
        pcscd_rig.shared().start_again()


def test_a_reader_that_is_gone_is_told_and_pays_when_it_is_back(site: Callable[..., Site]) -> None:
    at = site()
    at.issue()
    at.pcscd.start_again(user_name=None)
    at.shows("READER_MISSING")
    until(lambda: at.refused() == "READER_MISSING")  # once pcscd has found the PSAM again

    at.pcscd.start_again()

    at.shows("READY")
    at.pays("A-1")


@pytest.mark.parametrize("card_is_in", [False, True], ids=["idle", "card in"])
def test_pcscd_killed_at_rest_is_told_and_all_is_well_when_it_is_back(
    site: Callable[..., Site], card_is_in: bool
) -> None:
    at = site()
    card = at.issue()
    if card_is_in:
        at.insert()
        at.shows("CARD_READ")
    at.pcscd.kill()
    at.shows("READER_MISSING")

    at.pcscd.start_again()

    at.shows("CARD_READ" if card_is_in else "READY")
    at.pays("A-1")
    assert card.memory.balance_fen == BALANCE_FEN - PRICE_FEN


def test_m14_pcscd_killed_between_intent_and_debit_takes_nothing(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = site()
    card = at.issue()
    append = at.loop.unit.journal.append

    def append_and_kill(kind: int, *how: Any, **more: Any) -> Any:
        found = append(kind, *how, **more)
        if kind == rec.KIND_INTENT:
            at.pcscd.kill()
        return found

    monkeypatch.setattr(at.loop.unit.journal, "append", append_and_kill)
    at.pays("A-1", "PUT_CARD_BACK")
    at.shows("PUT_CARD_BACK")
    monkeypatch.undo()
    monkeypatch.setattr(psamwatch, "LOOK_S", 1.0)
    assert at.kinds() == ["INTENT"]

    at.loop.world.holder.type_pin("123456")
    at.pcscd.start_again()

    at.shows("NOT_TAKEN")
    assert card.memory.balance_fen == BALANCE_FEN
    at.pays("A-2")
    assert at.kinds() == ["INTENT", "VOID", "INTENT", "DONE"]
    assert card.memory.balance_fen == BALANCE_FEN - PRICE_FEN


def test_m14_pcscd_killed_before_intent_takes_nothing(site: Callable[..., Site]) -> None:
    at = site()
    card = at.issue()
    at.slot.hold(VERIFY, AFTER)
    answer = at.begin("A-1")
    assert at.slot.wait_held(SOON_S)
    at.pcscd.kill()
    until(answer.done)
    assert name_of(answer) == "READER_MISSING"
    assert at.kinds() == ["DECLINED"]
    at.pcscd.start_again()
    at.shows("CARD_READ")
    at.pays("A-2")
    assert card.memory.balance_fen == BALANCE_FEN - PRICE_FEN


def test_m14_pcscd_killed_after_done_leaves_the_totals_for_the_next_visit(
    site: Callable[..., Site],
) -> None:
    at = site()
    card = at.issue()
    at.slot.hold(UPDATE_RECORD, AFTER)
    answer = at.begin("A-1")
    assert at.slot.wait_held(SOON_S)
    at.pcscd.kill()
    until(answer.done)
    assert name_of(answer) == "APPROVED"
    assert at.kinds() == ["INTENT", "DONE"]
    assert "TOTALS" not in at.loop.rig.kinds()
    at.pcscd.start_again()
    at.shows("CARD_READ")
    at.pays("A-2")
    assert at.loop.rig.kinds().count("TOTALS") == 2  # the open ones, then its own
    assert card.memory.balance_fen == BALANCE_FEN - 2 * PRICE_FEN


def test_m14_pcscd_killed_during_debit_is_paid_once(site: Callable[..., Site]) -> None:
    at = site()
    card = at.issue()
    at.slot.hold(DEBIT, AFTER)  # the card has executed it, its answer is on the way
    answer = at.begin("A-1")
    assert at.slot.wait_held(SOON_S)
    at.pcscd.kill()
    until(answer.done)
    assert name_of(answer) == "PUT_CARD_BACK"
    assert at.kinds() == ["INTENT"]

    at.loop.world.holder.type_pin("123456")
    at.pcscd.start_again()

    at.shows("APPROVED_FOUND_LATER")
    assert at.kinds() == ["INTENT", "DONE"]
    assert card.memory.balance_fen == BALANCE_FEN - PRICE_FEN
    at.pays("A-2")
    assert card.memory.balance_fen == BALANCE_FEN - 2 * PRICE_FEN


def test_a_psam_that_is_mute_at_rest_is_told_and_serves_when_it_speaks(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vpcd, "MUTE_S", 5.0)  # longer than the driver waits for it to be freed
    at = site(exchange_s=1)
    at.issue()
    at.psam_slot.arm(Cut(SELECT, 1, LOST))
    until(lambda: "PSAM_SILENT" in at.loop.shown)
    told = at.loop.terminal.status()["psam"]
    assert told is None or told["up"] is False
    at.shows("READY")
    assert at.loop.terminal.status()["psam"]["up"] is True
    at.pays("A-1")


@pytest.mark.parametrize(
    ("ins", "name", "kinds"),
    [
        (INIT_SAM, "PSAM_SILENT", ["DECLINED"]),
        (CREDIT_SAM, "APPROVED_UNCHECKED", ["INTENT", "DONE"]),
    ],
)
def test_m14_a_psam_that_goes_mute_inside_a_payment(
    site: Callable[..., Site], ins: int, name: str, kinds: list[str]
) -> None:
    at = site(exchange_s=1)
    card = at.issue()
    at.psam_slot.arm(Cut(ins, 1, LOST))
    at.pays("A-1", name)
    assert at.kinds() == kinds
    at.slot.remove()
    at.shows("READY")
    before = card.memory.balance_fen
    at.pays("A-2")
    assert card.memory.balance_fen == before - PRICE_FEN


def test_m20_a_3_0_card_pays_through_a_contactless_reader_of_pcscd(
    site: Callable[..., Site],
) -> None:
    """Issue 6.3: one reader of that name, its card speaking T=CL."""
    pcscd_rig.shared().start_again(TAP)
    at = site(slot="contactless", user=TAP)
    card = at.issue(generation="3.0", contactless=True)
    at.slot.reset_counters()
    at.pays("A-1")
    assert at.readers[0].is_block_protocol
    assert card.memory.balance_fen == BALANCE_FEN - PRICE_FEN
