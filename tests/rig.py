"""A whole terminal in one process, for tests: simulated cards, real journal, a clock that obeys."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from firmware import board as boards
from firmware.authorize.inbox import Inbox
from firmware.authorize.purchase import check_before_card, purchase
from firmware.authorize.request import Request
from firmware.authorize.result import result_of
from firmware.authorize.unit import Unit
from firmware.card import region as region_tables
from firmware.card.region import RegionTable
from firmware.channel import Reader, open_channel
from firmware.clock import Clock
from firmware.drivers.pad import Pad
from firmware.journal import kinds as rec
from firmware.journal.devicekey import DeviceKey
from firmware.journal.store import Journal
from firmware.outcome import Outcome
from firmware.psam.session import PsamSession
from simulator.region import Region
from simulator.slot import SimulatedSlot
from simulator.world import World
from tests.board_text import PAYS

START_S = 1_795_320_000.0  # 2026-11-22T04:00:00Z, noon in China
TERMINAL = "510100000001"

BOARD = (
    """
[unit]
id = "TEST-UNIT"
profile = "development"
region = "510100"
data_dir = "data"
[[reader]]
name = "contact"
address = "sim:inprocess:test#user"
kind = "contact"
[[reader]]
name = "contactless"
address = "sim:inprocess:test#contactless"
kind = "contactless"
[psam]
address = "sim:inprocess:test#psam"
terminal_number = "510100000001"
[pad]
address = "sim:inprocess:test#pad"
[journal]
min_free_mb = 1
[timing]
exchange_s = 20
card_wait_s = 2
pin_s = 1
removal_s = 3
"""
    + PAYS
)


class Hands:
    """Time that passes only when somebody waits, and things that happen meanwhile."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.wall_offset_s = START_S
        self.plans: list[tuple[float, Any]] = []

    def wall(self) -> float:
        return self.wall_offset_s + self.now_s

    def monotonic(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        due = [plan for plan in self.plans if plan[0] <= self.now_s]
        self.plans = [plan for plan in self.plans if plan[0] > self.now_s]
        for _, act in due:
            act()

    def later(self, seconds: float, act: Any) -> None:
        """Do it once that much time has been waited."""
        self.plans.append((self.now_s + seconds, act))


class Rig:
    """One terminal.  `restart()` is a power cut: everything is built anew on the same files."""

    def __init__(
        self, folder: Path, region: Region | None = None, edit: dict[str, str] | None = None
    ):
        self.folder = folder
        self.region = region or Region("510100", seed="TEST")
        self.world = World(self.region)
        self.hands = Hands()
        self.shown: list[str] = []
        text = BOARD
        for old, new in (edit or {}).items():
            assert old in text, old
            text = text.replace(old, new)
        (folder / "data").mkdir(exist_ok=True)
        (folder / "board.toml").write_text(text)
        self.board = boards.load(folder / "board.toml")
        self.exchanges: list[tuple[bytes, bytes]] = []
        self.psam_exchanges: list[tuple[bytes, bytes]] = []
        self.random_seed = 7
        self.readers: list[Reader] = [self.world.slot("user"), self.world.slot("contactless")]
        self.psam_reader: Reader = self.world.slot("psam")
        self.orders = 0
        self.unit = self._build()

    # -- building --------------------------------------------------------------------------------

    def _build(self) -> Unit:
        dice = random.Random(self.random_seed)
        clock = Clock(
            has_rtc=self.board.clock.rtc,
            trust_h=48,
            wall=self.hands.wall,
            monotonic=self.hands.monotonic,
        )
        self.key = DeviceKey.load_or_create(self.board.unit.data_dir / "device.key")
        journal = Journal.open(
            self.board.unit.data_dir / "journal.db",
            signer=self.key,
            unit=self.board.unit.id,
            profile=rec.PROFILE_DEVELOPMENT,
            clock=clock,
            min_free_mb=1,
        )
        psam_slot = self.psam_reader

        def power_psam() -> Any:
            psam_slot.power_on()
            return open_channel(
                psam_slot,
                self.board.timing.exchange_s,
                lambda command, answer: self.psam_exchanges.append((command, answer)),
            )

        unit = Unit(
            board=self.board,
            journal=journal,
            clock=clock,
            readers=self.readers,
            psam=PsamSession(power_psam),
            pad=Pad(self.world.holder),
            show=self._show,
            random=dice.randbytes,
            monotonic=self.hands.monotonic,
            wait=self.hands.wait,
            region=self._region(),
            recorder=lambda command, answer: self.exchanges.append((command, answer)),
        )
        self.inbox = Inbox(unit)
        return unit

    def _region(self) -> RegionTable:
        path = self.board.purchase.region_table
        return RegionTable() if path is None else region_tables.load(path)

    def _show(self, message_id: str, **fields: str) -> None:
        self.shown.append(message_id)
        self.fields = fields

    def attach(self, user: Reader, psam: Reader) -> None:
        """Other readers than the simulator's slots: pcscd, a transcript."""
        self.unit.journal.close()
        self.readers, self.psam_reader = [user], psam
        self.unit = self._build()

    def restart(self) -> None:
        """Power cut and start: volatile state is gone, files and cards stay."""
        self.unit.journal.close()
        for slot in self.world.slots.values():
            slot.power_off()
        self.hands.now_s += 5
        self.unit = self._build()

    # -- acting ----------------------------------------------------------------------------------

    @property
    def user(self) -> SimulatedSlot:
        return self.world.slot("user")

    def psam(self, **how: Any) -> Any:
        """Issue a PSAM and put it into its slot."""
        psam = self.region.issue_psam(**{"terminal_number": TERMINAL, **how})
        self.world.insert("psam", psam.label)
        return psam

    def card(self, serial: int = 1, *, slot: str = "user", **how: Any) -> Any:
        """Issue a card with 1000.00 yuan and put it in."""
        card = self.region.issue_card(serial, **{"balance_fen": 100_000, **how})
        self.world.insert(slot, card.label)
        return card

    def pay(
        self,
        account_fen: int = 1000,
        self_fen: int = 200,
        pooled_fen: int = 300,
        *,
        pin: str | None = "123456",
        order_no: str | None = None,
        special: str | None = None,
    ) -> Outcome:
        """One purchase with what is in the slots; the clock moves on a second first."""
        self.hands.wall_offset_s += 1
        self.orders += 1
        if pin is not None:
            self.world.holder.type_pin(pin)
        self.order_no = order_no or f"ORDER-{self.orders}"
        request = Request(self.order_no, "clerk-07", account_fen, self_fen, pooled_fen, special)
        refused = check_before_card(self.unit, request)
        if refused is not None:
            return refused
        cards = self.unit.cards_in_reach()
        return purchase(self.unit, cards[0], request)

    # -- looking ---------------------------------------------------------------------------------

    def kinds(self, after: int = 0) -> list[str]:
        self.unit.journal.flush()
        return [each.kind_name for each in self.unit.journal.records(after, 1000)]

    def result(self, order_no: str | None = None) -> dict[str, Any]:
        found = result_of(self.unit.journal.by_order(order_no or self.order_no))
        assert found is not None
        return found
