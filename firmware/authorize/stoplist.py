"""The stop list: cards and PSAMs that may not be served (SPEC-P8: two kinds of card entries)."""

from __future__ import annotations

from collections.abc import Mapping


class StopList:
    """number: of the signed file, 0 = none yet.  Empty by default."""

    def __init__(self, number: int = 0, body: Mapping[int, object] | None = None):
        """body: {1: [[card id 16, card number], ...], 2: [[from, to], ...], 3: [terminal 6, ...]}.

        Raises ValueError when it has another shape.
        """
        self.number = number
        body = body or {}
        try:
            self._cards = {(_bytes(row[0], 16), str(row[1])) for row in _rows(body.get(1))}
            self._ranges = [(str(row[0]), str(row[1])) for row in _rows(body.get(2))]
            self._psams = {_bytes(row, 6) for row in _rows(body.get(3))}
        except (TypeError, IndexError, KeyError) as error:
            raise ValueError("not a stop list") from error

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


def _rows(value: object) -> list:  # type: ignore[type-arg]
    if value is None:
        return []
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _bytes(value: object, length: int) -> bytes:
    if not isinstance(value, bytes) or len(value) != length:
        raise ValueError(f"not {length} bytes")
    return value
