"""The methods a host may call: status, purchase, balance, records, cancel."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import asdict
from typing import Any, Protocol

from firmware.authorize.request import Request
from firmware.authorize.result import amounts_of, result_of
from firmware.authorize.unit import Unit
from firmware.display.messages import message
from firmware.display.screen import Display, Shown
from firmware.host.rpc import Method, RpcError
from firmware.journal import record as rec
from firmware.journal.record import Record
from firmware.journal.schema import JournalDamagedError
from firmware.outcome import Outcome, outcome, outcomes

MAX_RECORDS = 200
ORDER_MISMATCH = -32001
BUSY = -32002
DAMAGED = -32003
_MARGIN_S = 30.0

_OUTCOMES = {each.number: each for each in outcomes()}


Answer = Future[tuple[Outcome, dict[str, Any]]]


class CardLoop(Protocol):
    """What the desk needs of firmware.terminal.Terminal."""

    def submit(self, request: Request | None) -> Answer | None: ...
    def cancel(self) -> None: ...
    def status(self) -> dict[str, Any]: ...


class Desk:
    def __init__(self, unit: Unit, terminal: CardLoop, display: Display, version: str):
        self._unit = unit
        self._terminal = terminal
        self._display = display
        self._version = version
        timing = unit.board.timing
        waits_s = timing.card_wait_s + timing.removal_s
        self._answer_s = waits_s + timing.pin_s * unit.board.purchase.pin_attempts + _MARGIN_S

    def methods(self) -> dict[str, Method]:
        return {
            "status": self.status,
            "purchase": self.purchase,
            "balance": self.balance,
            "records": self.records,
            "cancel": self.cancel,
        }

    def status(self, shown_after: int = 0) -> dict[str, Any]:
        """shown_after: counter of the last screen the caller has seen."""
        return {
            "firmware": self._version,
            **self._terminal.status(),
            "display": _screen(self._display.current),
            "shown": [_screen(each) for each in self._display.since(shown_after)],
        }

    def purchase(self, order_no: str, amounts: dict[str, int], operator: str) -> dict[str, Any]:
        """amounts: account_fen, self_fen, pooled_fen (0 where absent).

        A repeated order_no answers the first result and debits nothing.
        """
        request = _request(order_no, amounts, operator)
        told = self._known(request)
        if told is not None:
            return told | {"repeated": True}
        result, _ = self._wait(self._terminal.submit(request))
        told = self._known(request)
        if told is None:  # the journal could not take it: nothing has happened
            return {"order_no": order_no, "state": "REFUSED", **_outcome(result)}
        return told

    def _known(self, request: Request) -> dict[str, Any] | None:
        try:
            found = self._unit.journal.by_order(request.order_no)
        except JournalDamagedError as error:
            damaged = _outcome(outcome("JOURNAL_DAMAGED"))
            raise RpcError(DAMAGED, str(error), damaged) from None
        told = result_of(found)
        if told is None:
            return None
        if amounts_of(found) != (request.account_fen, request.self_fen, request.pooled_fen):
            raise RpcError(
                ORDER_MISMATCH,
                "this order number was used with other amounts",
                _outcome(outcome("ORDER_MISMATCH")),
            )
        return told | _outcome(_OUTCOMES[told["outcome"]])

    def balance(self) -> dict[str, Any]:
        result, told = self._wait(self._terminal.submit(None))
        return _outcome(result) | told

    def records(self, after: int = 0, limit: int = 100) -> dict[str, Any]:
        """Journal records in the clear, oldest first."""
        if type(after) is not int or type(limit) is not int or after < 0:
            raise ValueError("after and limit are whole numbers")
        found = self._unit.journal.records(after, max(1, min(limit, MAX_RECORDS)))
        return {"records": [_shown(each) for each in found]}

    def cancel(self) -> dict[str, Any]:
        self._terminal.cancel()
        return {"cancelled": True}

    def _wait(self, answer: Answer | None) -> tuple[Outcome, dict[str, Any]]:
        if answer is None:
            raise RpcError(BUSY, "the terminal is busy", _outcome(outcome("BUSY")))
        return answer.result(timeout=self._answer_s * 4)


def _request(order_no: str, amounts: dict[str, int], operator: str) -> Request:
    if not isinstance(amounts, dict) or not isinstance(order_no, str):
        raise ValueError("purchase takes order_no, amounts {account_fen, self_fen, pooled_fen}")
    if not isinstance(operator, str):
        raise ValueError("operator is a text")
    unknown = set(amounts) - {"account_fen", "self_fen", "pooled_fen"}
    if unknown:
        raise ValueError(f"amounts has no {', '.join(sorted(unknown))}")
    return Request(
        order_no,
        operator,
        amounts.get("account_fen", 0),
        amounts.get("self_fen", 0),
        amounts.get("pooled_fen", 0),
    )


def _outcome(result: Outcome) -> dict[str, Any]:
    """The outcome with its texts, as every answer carries it."""
    return {
        "outcome": {
            "number": result.number,
            "name": result.name,
            "actor": result.actor,
            **_texts(result.name),
        }
    }


def _texts(name: str) -> dict[str, str]:
    """What is and what to do next; fields such as the amount stand in the answer itself."""
    found = message(name)
    return {
        "zh": found.zh,
        "en": found.en,
        "zh_next": found.zh_next,
        "en_next": found.en_next,
    }


def _screen(shown: Shown | None) -> dict[str, Any] | None:
    return None if shown is None else asdict(shown)


def _shown(record: Record) -> dict[str, Any]:
    """A record as JSON: names instead of keys, hex instead of bytes."""
    return {
        "number": record.number,
        "kind": record.kind_name,
        "boot": record.boot,
        "time_ms": record.time_ms,
        "trust": record.trust,
        "body": {_key_name(key): _plain(value) for key, value in record.body.items()},
        "digest": record.digest.hex(),
    }


def _key_name(key: int) -> str:
    return rec.KEYS[key][0] if key in rec.KEYS else str(key)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value
