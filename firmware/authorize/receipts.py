"""Paper of a payment: after DONE, or when a host asks; the records that say so.

Paper never stops or changes a payment: what fails is told as a hint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from firmware.authorize.request import MAX_ORDER_NO, check_operator
from firmware.authorize.result import result_of
from firmware.journal import kinds as rec
from firmware.journal.record import Record, whole_intent
from firmware.outcome import Outcome, outcome

if TYPE_CHECKING:
    from firmware.authorize.unit import Unit

# A receipt takes 1 to 3 s; a printer that is stuck is told after this.
PATIENCE_S = 15.0
_POLL_S = 0.1
_PRINTED = (rec.KIND_RECEIPT_PRINTED, rec.KIND_REPRINT)


class Print(Protocol):
    @property
    def is_over(self) -> bool: ...
    @property
    def trouble(self) -> str | None: ...


class Printer(Protocol):
    """is_automatic: after every payment, not only when asked."""

    is_automatic: bool

    def submit(self, paid: Mapping[str, Any], is_copy: bool) -> Print:
        """Returns at once."""


class _Due(NamedTuple):
    """A receipt on its way, and what its record will say.  until: then it is late, and the clerk is
    told; if it comes out after all, its record is still written."""

    receipt: Print
    kind: int
    intent: int
    operator: str
    until: float
    is_late: bool = False


class Receipts:
    """Used by the card loop alone.  printer: None where the unit has none."""

    def __init__(self, unit: Unit, printer: Printer | None):
        self._unit = unit
        self._printer = printer
        self._due: list[_Due] = []
        self._is_trouble = False  # that nobody was told of

    def after(self, order_no: str) -> None:
        """What was paid just now, where board.toml wants its receipt.  Raises JournalError."""
        if self._printer is not None and self._printer.is_automatic:
            found = self._unit.journal.by_order(order_no)
            told = result_of(found)
            if told is not None and not _has_paper(found):
                self._submit(found, told["operator"])

    def print(self, order_no: str, operator: str) -> Outcome:
        """What a host asked for; waits for the paper, unless cancelled.  Raises JournalError: the
        record of paper that is out is written later."""
        if self._printer is None:
            return outcome("PRINTER_NOT_READY")
        due = self._submit(self._unit.journal.by_order(order_no), operator)
        if due is None:
            return outcome("NO_RECEIPT")
        while not due.receipt.is_over and self._unit.monotonic() < due.until:
            if self._unit.is_cancelled():
                break
            self._unit.wait(_POLL_S)
        if not due.receipt.is_over:
            self._due[self._due.index(due)] = due._replace(is_late=True)
            return outcome("PRINTER_NOT_READY")
        return outcome("PRINTER_NOT_READY") if self._record(due) else outcome("SERVED")

    def settle(self, may_tell: bool) -> bool:
        """Write the records of what came out.  True: there was trouble, and the clerk is to be told
        now; may_tell: whether that is possible, else it is kept."""
        now = self._unit.monotonic()
        for due in list(self._due):
            if due.receipt.is_over:
                self._is_trouble |= self._record(due) and not due.is_late
            elif not due.is_late and now >= due.until:
                self._due[self._due.index(due)] = due._replace(is_late=True)
                self._is_trouble = True
        is_told = self._is_trouble and may_tell
        self._is_trouble &= not is_told
        return is_told

    def _submit(self, found: list[Record], operator: str) -> _Due | None:
        """None: no payment that was taken."""
        assert self._printer is not None
        told = result_of(found)
        if told is None or told["state"] != "DONE":
            return None
        intent = next(each for each in reversed(found) if each.kind == rec.KIND_INTENT)
        is_copy = _has_paper(found) or any(due.intent == intent.number for due in self._due)
        due = _Due(
            self._printer.submit(told | _sums(told, intent), is_copy),
            rec.KIND_REPRINT if is_copy else rec.KIND_RECEIPT_PRINTED,
            intent.number,
            operator,
            self._unit.monotonic() + PATIENCE_S,
        )
        self._due.append(due)
        return due

    def _record(self, due: _Due) -> bool:
        """Whether there was trouble; a receipt that came out is journaled, and only then no longer
        due.  Raises JournalError."""
        if due.receipt.trouble is None:
            body = {rec.KEY_INTENT: due.intent, rec.KEY_OPERATOR: due.operator}
            self._unit.journal.append(due.kind, body, ride=True)
        self._due.remove(due)
        return due.receipt.trouble is not None


def _has_paper(found: list[Record]) -> bool:
    return any(each.kind in _PRINTED for each in found)


def _sums(told: Mapping[str, Any], intent: Record) -> dict[str, int]:
    """The account falls by the first amount that was sent to the card."""
    sent = int.from_bytes(whole_intent(intent.body)[rec.KEY_AMOUNTS_SENT][:4], "big")
    return {
        "total_fen": told["account_fen"] + told["self_fen"] + told["pooled_fen"],
        "balance_after_fen": told["balance_before_fen"] - sent,
    }


def receipt_print(unit: Unit, params: Mapping[str, Any]) -> tuple[Outcome, dict[str, Any]]:
    """order_no, operator.  The first receipt of a payment, a copy from the second on."""
    result = unit.receipts.print(params["order_no"], params["operator"])
    if result.name != "SERVED":
        unit.show(result.name)
    return result, {}


def check_receipt(params: Mapping[str, Any]) -> None:
    """Raises ValueError."""
    if not 1 <= len(params["order_no"]) <= MAX_ORDER_NO:
        raise ValueError(f"order_no has 1 to {MAX_ORDER_NO} characters")
    check_operator(params["operator"])
