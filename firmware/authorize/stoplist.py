"""The stop list: cards and PSAMs that may not be served (SPEC-P8: two kinds of card entries)."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from firmware.journal.stoprows import MAX_ROWS, NO_STATE, Rows, key_of

STATES = {
    0: ("未发放", "stored, not issued"),
    1: ("正常", "normal"),
    2: ("挂失", "reported lost"),
    3: ("应用锁定", "application locked"),
    4: ("临时挂失", "temporarily reported lost"),
    9: ("注销", "cancelled"),
}
"""Life states of a card, as back offices number them: Chinese and English."""


@dataclass(frozen=True)
class Table:
    """What a list says of its rows.  base: number of the list they are a difference to, 0: whole.

    removed, added: how many keys and rows follow the message; rows, digest: of what results.
    """

    base: int
    removed: int
    added: int
    rows: int
    digest: bytes  # 32


class StopList:
    """number: of the signed file, 0 = none yet.  Empty by default."""

    def __init__(self, number: int = 0, body: object = None, issued_ms: int | None = None):
        """body: {1: [[card id 16, card number, state], ...], 2: [[from, to, state], ...],
        3: [terminal 6, ...], 4: [base, removed, added, rows, SHA-256]}; a state may be left out.

        A key that is absent names nothing, an unknown one is for a later release; without a body
        the list is empty.  `rows`, of which key 4 speaks, are set by who keeps them.  Raises
        ValueError when the body has another shape.
        """
        self.number = number
        self.issued_ms = issued_ms
        body = {} if body is None and number == 0 else body
        if not isinstance(body, dict):
            raise ValueError("a stop list is a map")
        self._cards = dict(_card(row) for row in _rows(body, 1))
        self._ranges = _Ranges([_range(row) for row in _rows(body, 2)])
        self._psams = {_terminal(row) for row in _rows(body, 3)}
        self.table = _table(body.get(4)) if 4 in body else None
        self.rows = Rows()

    def names_card(self, card_id: bytes, card_number: str) -> bool:
        return self.state_of(card_id, card_number) is not None

    def state_of(self, card_id: bytes, card_number: str) -> int | None:
        """The card's life state, NO_STATE where the list tells none; None: it is not named."""
        for number in (card_number, ""):
            key = key_of(card_id, number)
            for found in (self._cards.get(key), self.rows.state_of(key)):
                if found is not None:
                    return found
        return self._ranges.state_of(card_number)

    def names_psam(self, terminal: bytes) -> bool:
        return terminal in self._psams

    def __len__(self) -> int:
        few = len(self._cards) + len(self._ranges) + len(self._psams)
        return few + len(self.rows)


def state_text(state: int) -> str:
    """For the journal and the host, "2 挂失 reported lost"; empty where none is told."""
    if state == NO_STATE:
        return ""
    zh, en = STATES.get(state, ("未知状态", "unknown state"))
    return f"{state} {zh} {en}"


class _Ranges:
    """Card numbers [first, last], which may overlap; numbers of one length compare as text."""

    def __init__(self, ranges: list[tuple[str, str, int]]):
        self._firsts: list[tuple[int, str]] = []
        self._reach: list[tuple[int, str, int]] = []  # the highest end so far, and its state
        for first, last, state in sorted(ranges, key=lambda each: (len(each[0]), each)):
            reach = (len(last), last, state)
            self._firsts.append((len(first), first))
            self._reach.append(max(reach, self._reach[-1]) if self._reach else reach)

    def __len__(self) -> int:
        return len(self._firsts)

    def state_of(self, number: str) -> int | None:
        at = bisect_right(self._firsts, (len(number), number)) - 1
        if at < 0:
            return None
        length, last, state = self._reach[at]
        return state if length == len(number) and number <= last else None


def _rows(body: dict[object, object], key: int) -> list[object]:
    rows = body.get(key, [])
    if not isinstance(rows, list):
        raise ValueError(f"key {key} of a stop list is an array")
    return rows


def _card(row: object) -> tuple[bytes, int]:
    match row:
        case [bytes() as card_id, str() as number, *rest] if len(card_id) == 16:
            return key_of(card_id, number), _state(rest)
    raise ValueError("a card of a stop list is [card id of 16 bytes, card number, state]")


def _range(row: object) -> tuple[str, str, int]:
    match row:
        case [str() as first, str() as last, *rest] if len(first) == len(last) and first <= last:
            return first, last, _state(rest)
    raise ValueError("a range of a stop list is [from, to, state], card numbers of one length")


def _state(rest: list[object]) -> int:
    match rest:
        case []:
            return NO_STATE
        case [int() as state] if type(state) is int and 0 <= state <= 9:
            return state
    raise ValueError("a state in a stop list is a number 0 to 9")


def _terminal(row: object) -> bytes:
    if not isinstance(row, bytes) or len(row) != 6:
        raise ValueError("a PSAM of a stop list is a terminal number of 6 bytes")
    return row


def _table(row: object) -> Table:
    match row:
        case [int() as base, int() as removed, int() as added, int() as rows, bytes() as digest]:
            counts = (base, removed, added, rows)
            fits = all(type(each) is int and each >= 0 for each in counts)
            if fits and max(removed, added, rows) <= MAX_ROWS and len(digest) == 32:
                return Table(base, removed, added, rows, digest)
    raise ValueError("key 4 of a stop list is [base, removed, added, rows, SHA-256]")
