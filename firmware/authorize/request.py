"""What the host asks for: one payment."""

from __future__ import annotations

from dataclasses import dataclass

from firmware.card.codes import TABLES
from firmware.card.settlement import amounts_bytes

LITERAL = 1
NATIONAL = 2
MAPPINGS = {"literal": LITERAL, "national": NATIONAL}
MAX_FEN = 0xFFFFFFFF  # b 4 in the commands
MAX_ORDER_NO = 64
MAX_OPERATOR = 32
SPECIAL_CLASSES = tuple(TABLES["special"])


@dataclass(frozen=True)
class Request:
    """order_no: the host's, 1 to 64 characters, never used twice.  Amounts in fen.

    special: the class of a special settlement, one of SPECIAL_CLASSES; None for a usual one.
    """

    order_no: str
    operator: str
    account_fen: int
    self_fen: int
    pooled_fen: int
    special: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError when a field is out of its bounds."""
        for amount in (self.account_fen, self.self_fen, self.pooled_fen):
            if not isinstance(amount, int) or isinstance(amount, bool) or amount < 0:
                raise ValueError("an amount is a whole number of fen, 0 or more")
        if not 0 < self.total_fen <= MAX_FEN:
            raise ValueError("the total is more than 0 and at most 42949672.95 yuan")
        if not 1 <= len(self.order_no) <= MAX_ORDER_NO or not self.order_no.isprintable():
            raise ValueError(f"order_no has 1 to {MAX_ORDER_NO} printable characters")
        check_operator(self.operator)

        if self.special is not None and self.special not in SPECIAL_CLASSES:
            raise ValueError(f"special is one of {', '.join(SPECIAL_CLASSES)}")

    @property
    def total_fen(self) -> int:
        return self.account_fen + self.self_fen + self.pooled_fen

    def amounts_sent(self, mapping: int) -> bytes:
        """The three amounts as the card takes them, 12 bytes.

        Literal: account, self-pay, pooled.  National: 0, the total, account and pooled together;
        then no balance falls and the yearly totals carry the sums (SPEC-P7, national driver).
        """
        if mapping == NATIONAL:
            return amounts_bytes(0, self.total_fen, self.account_fen + self.pooled_fen)
        return amounts_bytes(self.account_fen, self.self_fen, self.pooled_fen)


def check_operator(operator: str) -> None:
    """Raises ValueError."""
    if not 1 <= len(operator) <= MAX_OPERATOR or not operator.isprintable():
        raise ValueError(f"operator has 1 to {MAX_OPERATOR} printable characters")
