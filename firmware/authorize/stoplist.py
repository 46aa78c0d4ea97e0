"""The stop list: cards and PSAMs that may not be served (SPEC-P8: two kinds of card entries)."""

from __future__ import annotations


class StopList:
    """number: of the signed file, 0 = none yet.  Empty by default."""

    def __init__(self, number: int = 0, body: object = None):
        """body: {1: [[card id 16, card number], ...], 2: [[from, to], ...], 3: [terminal 6, ...]}.

        A key that is absent names nothing, an unknown one is for a later release; without a body
        the list is empty.  Raises ValueError when it has another shape.
        """
        self.number = number
        body = {} if body is None and number == 0 else body
        if not isinstance(body, dict):
            raise ValueError("a stop list is a map")
        self._cards = {_card(row) for row in _rows(body, 1)}
        self._ranges = [_range(row) for row in _rows(body, 2)]
        self._psams = {_terminal(row) for row in _rows(body, 3)}

    def names_card(self, card_id: bytes, card_number: str) -> bool:
        if (card_id, card_number) in self._cards:
            return True
        return any(
            len(first) == len(card_number) and first <= card_number <= last
            for first, last in self._ranges
        )

    def names_psam(self, terminal: bytes) -> bool:
        return terminal in self._psams

    def __len__(self) -> int:
        return len(self._cards) + len(self._ranges) + len(self._psams)


def _rows(body: dict[object, object], key: int) -> list[object]:
    rows = body.get(key, [])
    if not isinstance(rows, list):
        raise ValueError(f"key {key} of a stop list is an array")
    return rows


def _card(row: object) -> tuple[bytes, str]:
    match row:
        case [bytes() as card_id, str() as number] if len(card_id) == 16:
            return card_id, number
    raise ValueError("a card of a stop list is [card id of 16 bytes, card number]")


def _range(row: object) -> tuple[str, str]:
    match row:
        case [str() as first, str() as last] if len(first) == len(last) and first <= last:
            return first, last
    raise ValueError("a range of a stop list is [from, to], two card numbers of one length")


def _terminal(row: object) -> bytes:
    if not isinstance(row, bytes) or len(row) != 6:
        raise ValueError("a PSAM of a stop list is a terminal number of 6 bytes")
    return row
