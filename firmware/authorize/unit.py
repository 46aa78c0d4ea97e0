"""The parts of one terminal, as `__main__` put them together and `authorize` uses them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from firmware.authorize.officekeys import OfficeKeys
from firmware.authorize.operators import Operators
from firmware.authorize.receipts import Printer, Receipts
from firmware.authorize.sessions import Sessions
from firmware.authorize.stoplist import StopList
from firmware.board import Board
from firmware.card.region import RegionTable
from firmware.channel import Reader, Recorder
from firmware.clock import Clock
from firmware.journal.sealed import Sealer
from firmware.journal.store import Journal
from firmware.outcome import Outcome, outcome
from firmware.psam.session import PsamSession
from firmware.secret import Pin

Typed = Callable[[int, float], None]
"""(digits typed so far, seconds left)."""


class Pad(Protocol):
    def read_pin(
        self, timeout_s: float, cancelled: Callable[[], bool], typed: Typed
    ) -> Pin | Outcome:
        """The digits, or PIN_CANCELLED, or PIN_NOT_ENTERED."""

    def key(self, timeout_s: float, interrupted: Callable[[], bool]) -> str | None:
        """The next key while no PIN is asked for, one of board_keys.KEY_NAMES; None: none in that
        time, or interrupted() is true.  Raises OSError."""


class Menu(Protocol):
    """firmware/menu.py::Menu: the keys a person may press between and before cards."""

    @property
    def is_open(self) -> bool: ...
    def rest(self, seconds: float) -> None: ...
    def is_cancel_pressed(self, seconds: float) -> bool: ...
    def make_way(self) -> None: ...


class Tamper(Protocol):
    """The switch of the case (tamper.py)."""

    @property
    def refused(self) -> Outcome | None:
        """Why nothing may be taken, as of the last look."""

    def look(self) -> Outcome | None:
        """`refused`, after asking the switch.  Raises JournalError."""

    def clear(self, operator: str) -> Outcome:
        """SERVED, or why it stands.  Raises JournalError."""


class Show(Protocol):
    def __call__(self, message_id: str, **fields: str) -> None: ...


AskHost = Callable[[str, Mapping[str, Any], float], Mapping[str, Any] | Outcome]
"""(order number, what the host is told, deadline in s) -> its reply, or HOST_SILENT, CANCELLED."""


@dataclass(frozen=True, slots=True)
class UnitStop:
    """The office stopped this unit, or took that back.  number: of the signed file."""

    number: int
    is_stopped: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Update:
    """A release the office announced.  digest: SHA-256 of its bundle; size in bytes."""

    number: int
    version: str
    digest: bytes
    size: int


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
    sealer: Sealer = field(init=False)
    """Appends the records that hold personal values."""
    office_keys: OfficeKeys = field(init=False)
    """The newest one verifies what comes down; none where board.toml names none."""
    stop: UnitStop | Outcome | None = None
    """What the office said of this unit; an Outcome where its word is gone."""
    parameters: int = 0
    """Number of the parameters file whose values `board` holds, 0 = board.toml alone."""
    update: Update | None = None
    region: RegionTable = field(default_factory=RegionTable)
    """What the region adds to the standard: files, keys, its level-2 factor (M7)."""
    sessions: Sessions = field(init=False)
    typed: Typed = lambda stars, left_s: None
    """Puts stars and the time left on the message that stands."""
    printer: Printer | None = None
    receipts: Receipts = field(init=False)
    is_cancelled: Callable[[], bool] = lambda: False
    ask_host: AskHost = lambda order_no, told, timeout_s: outcome("HOST_SILENT")
    recorder: Recorder | None = None
    tamper: Tamper | None = None
    """None: no switch is wired."""
    held_until: float = 0.0
    """By `monotonic`: an update holds payments back until then."""
    last_moment: tuple[bytes, bytes] | None = None
    """Card id and time7 of the newest payment."""

    def __post_init__(self) -> None:
        self.receipts = Receipts(self, self.printer)
        self.sessions = Sessions(self.monotonic, self.board.operators)
        key = self.board.office.public_key
        first = OfficeKeys(chain=(key.signing,), sealing=key.sealing) if key else OfficeKeys()
        self.office_keys = first
        self.sealer = Sealer(self.journal, lambda: self.office_keys.sealing)

    def look_at_case(self) -> Outcome | None:
        """Why nothing may be taken and no card be spoken to: the case.  Raises JournalError."""
        return None if self.tamper is None else self.tamper.look()

    @property
    def is_held(self) -> bool:
        """No card is spoken to, for an update is about to restart the unit."""
        return self.monotonic() < self.held_until

    @property
    def is_stopped(self) -> bool:
        """By the office's signed word, or because that word was here and is gone."""
        return isinstance(self.stop, Outcome) or (self.stop is not None and self.stop.is_stopped)

    def cards_in_reach(self) -> list[Reader]:
        """One entry for each card in the field of any reader."""
        found: list[Reader] = []
        for reader in self.readers:
            found += [reader] * reader.cards_in_reach()
        return found


def yuan(amount_fen: int) -> str:
    """123456 -> "1234.56"."""
    return f"{amount_fen // 100}.{amount_fen % 100:02d}"
