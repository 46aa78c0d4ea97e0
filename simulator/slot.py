"""A reader slot of the simulated terminal, and the hand that pulls cards out of it.

`SimulatedSlot` is a `Reader` as firmware/channel.py wants it.  Beside it stands what only a test or
a demo may do: put cards in and take them out, arm a `Cut` (the card leaves, or the answer is lost,
around one chosen command), hold a command back, read the counters.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from firmware.outcome import TransportError
from simulator.misbehaviour import Silence
from simulator.pace import Pace, characters

BEFORE = "before"  # the command never reached the card
AFTER = "after"  # the card executed it, the answer was not seen
LOST = "lost"  # executed, the answer was lost on the way, the card stays

_POLL_S = 0.02  # how often a held command looks whether its client is still there


class Card(Protocol):
    """What sits in a slot: a SimulatedCard or a SimulatedPsam."""

    label: str
    contactless: bool
    version: int  # moves with every change of what survives power-off

    def power_on(self) -> bytes: ...
    def power_off(self) -> None: ...
    def transmit(self, command: bytes) -> bytes: ...


@dataclass(frozen=True)
class Cut:
    """The nth command with this INS (None: any) goes wrong once: BEFORE, AFTER or LOST."""

    ins: int | None = None
    nth: int = 1
    when: str = AFTER

    def __post_init__(self) -> None:
        if self.when not in (BEFORE, AFTER, LOST):
            raise ValueError(f"when is {BEFORE}, {AFTER} or {LOST}, not {self.when!r}")
        if self.nth < 1:
            raise ValueError("nth counts from 1")


@dataclass
class Counters:
    """Since the last reset: exchanges, bytes to and from the card, time inside it in ns."""

    exchanges: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    inside_ns: int = 0


def _never() -> bool:
    return False


def _nothing() -> None:
    pass


class SimulatedSlot:
    """One slot.  Every method may be called from any thread.

    lock: one for all slots of a region, held while a card works and while it is saved.
    save: called under the lock after an exchange that changed the card's lasting state.
    pace: how long contact characters take on the line; None, as at first: no time at all.
    """

    def __init__(
        self, name: str, lock: threading.RLock | None = None, save: Callable[[], None] = _nothing
    ):
        self.name = name
        self.counters = Counters()
        self.pace: Pace | None = None
        self._save = save
        self._changed = threading.Condition(lock)
        self._cards: list[Card] = []
        self._powered: Card | None = None
        self._changes = 0
        self._powered_at = 0
        self._session = 0  # moves when power comes or goes
        self._seen = 0
        self._cut: Cut | None = None
        self._cut_left = 0
        self._hold: tuple[int, str] | None = None
        self._is_held = False

    # --- the hand: what a test, the demo or a person does

    def insert(self, card: Card) -> None:
        """Put a card in, or one more into the field.  Raises ValueError when it is in already."""
        with self._changed:
            if any(each is card for each in self._cards):
                raise ValueError(f"the card is in slot {self.name} already")
            self._cards.append(card)
            self._note_change()

    def remove(self) -> None:
        """Take out whatever is in; quietly when nothing is."""
        with self._changed:
            self._take_out()

    @property
    def cards(self) -> list[Card]:
        """What is in reach, in the order it came."""
        with self._changed:
            return list(self._cards)

    def arm(self, cut: Cut) -> None:
        """The next matching exchange meets the cut; a cut armed before is forgotten."""
        with self._changed:
            self._cut, self._cut_left = cut, cut.nth

    def disarm(self) -> None:
        """Forget a cut or a hold that has not happened yet."""
        with self._changed:
            self._cut = self._hold = None

    def hold(self, ins: int, when: str = BEFORE) -> None:
        """Stop the next command of that INS BEFORE or AFTER the card executes it.

        It stays until release(), or until its client is gone or its deadline over: then it is
        dropped (BEFORE: never executed) and the card loses power.
        """
        if when not in (BEFORE, AFTER):
            raise ValueError(f"a command is held {BEFORE} or {AFTER}, not {when!r}")
        with self._changed:
            self._hold = (ins, when)

    def wait_held(self, timeout_s: float) -> bool:
        """Wait until a command is held; False when the time is over."""
        with self._changed:
            return self._changed.wait_for(lambda: self._is_held, timeout_s)

    def release(self) -> None:
        """Let the held command go on.  Raises ValueError when none is held."""
        with self._changed:
            if not self._is_held:
                raise ValueError(f"no command is held in slot {self.name}")
            self._is_held = False
            self._changed.notify_all()

    def reset_counters(self) -> Counters:
        """The counters until now; they start again from zero."""
        with self._changed:
            before, self.counters = self.counters, Counters()
            return before

    # --- the Reader protocol

    def cards_in_reach(self) -> int:
        with self._changed:
            self._seen = self._changes
            return len(self._cards)

    def wait_change(self, timeout_s: float) -> None:
        """Returns at once when something changed since cards_in_reach() was last asked."""
        _, self._seen = self.wait_beyond(self._seen, timeout_s)

    def wait_beyond(self, seen: int, timeout_s: float) -> tuple[int, int]:
        """Wait until the count of changes is not `seen`; (cards in reach, count of changes)."""
        with self._changed:
            self._changed.wait_for(lambda: self._changes != seen, timeout_s)
            return len(self._cards), self._changes

    def power_on(self) -> bytes:
        """Cold reset.  Raises TransportError: removed when empty, reader when two cards collide."""
        with self._changed:
            self._power_down()
            if not self._cards:
                raise TransportError(f"no card in slot {self.name}", "removed")
            if len(self._cards) > 1:
                raise TransportError(f"{len(self._cards)} cards in slot {self.name}", "reader")
            card = self._cards[0]
            try:
                with self._inside(card):
                    answer = card.power_on()
            except Silence:
                raise TransportError(f"no answer to reset in slot {self.name}", "silent") from None
            self._powered, self._powered_at = card, self._changes
            self._session += 1
        self._take_time(card, len(answer))
        return answer

    def power_off(self) -> None:
        with self._changed:
            self._power_down()

    @property
    def is_block_protocol(self) -> bool:
        """True for a contactless card (T=CL), False for T=0; as the powered card says."""
        card = self._powered
        return card is not None and card.contactless

    def exchange(
        self,
        command: bytes,
        deadline_s: float = math.inf,
        is_abandoned: Callable[[], bool] = _never,
    ) -> bytes:
        """One exchange.

        A mute card raises TransportError "silent" at once: in this process the deadline is not
        slept away (a client behind a socket or pcscd does wait for it).
        is_abandoned: asked while the command is held; True drops it.
        """
        with self._changed:
            card = self._powered
            if card is None:
                has_left = not self._cards or self._changes != self._powered_at
                kind = "removed" if has_left else "reader"
                raise TransportError(f"no powered card in slot {self.name}", kind)
            due = self._due_cut(command)
            self._stop_if_held(command, BEFORE, deadline_s, is_abandoned)
            if due == BEFORE:
                self._pull(command)
            answer = self._run(card, command)
            self._stop_if_held(command, AFTER, deadline_s, is_abandoned)
            if due == AFTER:
                self._pull(command)
            if due == LOST:
                raise self._lost(command)
        self._take_time(card, characters(command, answer))
        return answer

    def close(self) -> None:
        self.power_off()

    def _take_time(self, card: Card, count: int) -> None:
        """Without the lock: another slot, or the hand, need not wait for these characters."""
        if self.pace is not None and not card.contactless:
            self.pace.passes(count)

    # --- inside; the lock is held

    def _run(self, card: Card, command: bytes) -> bytes:
        self.counters.exchanges += 1
        self.counters.bytes_out += len(command)
        try:
            with self._inside(card):
                answer = card.transmit(command)
        except Silence:
            raise self._lost(command) from None
        self.counters.bytes_in += len(answer)
        return answer

    @contextmanager
    def _inside(self, card: Card) -> Iterator[None]:
        """The card works: its time is counted, and what it must not forget is saved."""
        version = card.version
        started = time.perf_counter_ns()
        try:
            yield
        finally:
            if card.version != version:
                self._save()
            self.counters.inside_ns += time.perf_counter_ns() - started

    def _due_cut(self, command: bytes) -> str | None:
        cut = self._cut
        if cut is None or cut.ins not in (None, command[1]):
            return None
        self._cut_left -= 1
        if self._cut_left:
            return None
        self._cut = None
        return cut.when

    def _stop_if_held(
        self,
        command: bytes,
        when: str,
        deadline_s: float,
        is_abandoned: Callable[[], bool],
    ) -> None:
        if self._hold != (command[1], when):
            return
        self._hold = None
        self._is_held = True
        self._changed.notify_all()
        session = self._session
        ends = time.monotonic() + deadline_s
        try:
            while True:
                if self._session != session:
                    raise self._gone(command)
                if is_abandoned() or time.monotonic() >= ends:
                    self._power_down()
                    raise self._lost(command)
                if not self._is_held:
                    return
                self._changed.wait(_POLL_S)
        finally:
            self._is_held = False

    def _pull(self, command: bytes) -> None:
        self._take_out()
        raise self._gone(command)

    def _take_out(self) -> None:
        self._power_down()
        if self._cards:
            self._cards.clear()
            self._note_change()

    def _power_down(self) -> None:
        if self._powered is not None:
            self._powered.power_off()
            self._powered = None
            self._session += 1

    def _note_change(self) -> None:
        self._changes += 1
        self._changed.notify_all()

    def _gone(self, command: bytes) -> TransportError:
        what = f"the card left slot {self.name} at INS {command[1]:02X}"
        return TransportError(what, "removed")

    def _lost(self, command: bytes) -> TransportError:
        return TransportError(f"no answer in slot {self.name} to INS {command[1]:02X}", "silent")
