"""The card loop on the rig: hosts, hands and time, all in the thread of the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware.authorize.jobs import Answer, Jobs
from firmware.authorize.request import Request
from firmware.display.screen import Display
from firmware.host.desk import Desk
from firmware.menu import Menu
from firmware.terminal import Terminal
from simulator.slot import AFTER, Cut
from tests.rig import Rig

DEBIT = 0x2C


class Loop:
    """`plan(s, act)`, then `run(s)`: so many simulated seconds of the loop, and a stop."""

    def __init__(self, folder: Path, **how: Any):
        self.rig = Rig(folder, **how)
        self.hands, self.world = self.rig.hands, self.rig.world
        self.start()

    def start(self) -> None:
        self.unit, self.inbox = self.rig.unit, self.rig.inbox
        self.jobs = Jobs()
        self.display = Display([])
        self.fields: list[tuple[str, dict[str, str]]] = []
        self.unit.show = self._show
        self.menu = None
        if self.unit.board.menu is not None:
            self.menu = Menu(self.unit, self.jobs, self._press, self.display.next_language)
        self.looks: list[Callable[[], object]] = []
        self.terminal = Terminal(
            self.unit, self.inbox, self.jobs, self.hands.wait, self.menu, self.looks
        )
        status = self.terminal.status
        self.desk = Desk(self.unit, self.jobs, status, self.display, "test")

    def restart(self) -> None:
        self.rig.restart()
        self.start()

    def _show(self, message_id: str, **fields: str) -> None:
        self.fields.append((message_id, fields))
        self.display.show(message_id, **fields)  # KeyError for an id without a text

    def _press(self, seconds: float, interrupted: Callable[[], bool]) -> str | None:
        key = self.world.holder.key(0, interrupted)
        if key is None:
            self.hands.wait(seconds)
        return key

    @property
    def shown(self) -> list[str]:
        return [name for name, _ in self.fields]

    def plan(self, at_s: float, act: Callable[[], Any]) -> None:
        self.hands.later(at_s, act)

    def ask(self, order_no: str = "A-1", account_fen: int = 1000) -> Answer:
        answer = self.jobs.submit(Request(order_no, "clerk-07", account_fen, 200, 300))
        assert answer is not None
        return answer

    def insert(self, label: str, slot: str = "user") -> Callable[[], None]:
        return lambda: self.world.insert(slot, label)

    def remove(self, slot: str = "user") -> Callable[[], None]:
        return self.world.slot(slot).remove

    def run(self, seconds: float) -> list[str]:
        """What was shown meanwhile, STARTING and STOPPED left out."""
        before = len(self.fields)
        self.plan(seconds, self.terminal.stop)
        self.terminal.run()
        assert self.terminal.state == "stopping"
        return [name for name in self.shown[before:] if name not in ("STARTING", "STOPPED")]


def name_of(answer: Answer) -> str:
    return answer.result(timeout=0)[0].name


def with_psam(folder: Path, **edit: str) -> Loop:
    loop = Loop(folder, edit=edit or None)
    loop.rig.psam()
    return loop


def issue(loop: Loop, serial: int = 1, **how: Any) -> Any:
    return loop.rig.region.issue_card(serial, **{"balance_fen": 100_000, **how})


def open_intent(loop: Loop, card: Any, when: str = AFTER) -> None:
    """A payment torn at DEBIT whose card stays away, then a power cut."""
    loop.world.insert("user", card.label)
    loop.rig.user.arm(Cut(DEBIT, 1, when))
    assert loop.rig.pay().name == "PUT_CARD_BACK"
    loop.restart()
