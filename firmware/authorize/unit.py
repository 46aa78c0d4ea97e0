"""The parts of one terminal, as `__main__` put them together and `authorize` uses them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from firmware.authorize.operators import Operators
from firmware.authorize.sessions import Sessions
from firmware.authorize.stoplist import StopList
from firmware.board import Board
from firmware.card.region import RegionTable
from firmware.channel import Reader, Recorder
from firmware.clock import Clock
from firmware.journal.store import Journal
from firmware.outcome import Outcome, outcome
from firmware.psam.session import PsamSession
from firmware.secret import Pin


class Pad(Protocol):
    def read_pin(self, timeout_s: float, cancelled: Callable[[], bool]) -> Pin | Outcome:
        """The digits, or PIN_CANCELLED, or PIN_NOT_ENTERED."""


class Show(Protocol):
    def __call__(self, message_id: str, **fields: str) -> None: ...


AskHost = Callable[[str, Mapping[str, Any], float], Mapping[str, Any] | Outcome]
"""(order number, what the host is told, deadline in s) -> its reply, or HOST_SILENT, CANCELLED."""


@dataclass
class Unit:
    board: Board
    journal: Journal
    clock: Clock
    readers: list[Reader]
    psam: PsamSession
    pad: Pad | None
    show: Show
    random: Callable[[int], bytes]
    monotonic: Callable[[], float]
    wait: Callable[[float], None]
    """Sleep that long or until something happened (a cancel, a stop)."""
    stop_list: StopList | Outcome = field(default_factory=StopList)
    """The list in force, or why there is none and nothing may be paid."""
    operators: Operators | Outcome = field(default_factory=Operators)
    """The list in force, or why there is none and nobody can log on."""
    region: RegionTable = field(default_factory=RegionTable)
    """What the region adds to the standard: files, keys, its level-2 factor (M7)."""
    sessions: Sessions = field(init=False)
    is_cancelled: Callable[[], bool] = lambda: False
    ask_host: AskHost = lambda order_no, told, timeout_s: outcome("HOST_SILENT")
    recorder: Recorder | None = None
    last_moment: tuple[bytes, bytes] | None = None
    """Card id and time7 of the newest payment."""

    def __post_init__(self) -> None:
        self.sessions = Sessions(self.monotonic, self.board.operators)

    def cards_in_reach(self) -> list[Reader]:
        """One entry for each card in the field of any reader."""
        found: list[Reader] = []
        for reader in self.readers:
            found += [reader] * reader.cards_in_reach()
        return found


def yuan(amount_fen: int) -> str:
    """123456 -> "1234.56"."""
    return f"{amount_fen // 100}.{amount_fen % 100:02d}"
