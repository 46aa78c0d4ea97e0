"""The methods a host may call: status, purchase, records, cancel, and every service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

from firmware.authorize.jobs import Answer, Jobs
from firmware.authorize.load import host_reply
from firmware.authorize.load import result_of as load_result_of
from firmware.authorize.request import Request
from firmware.authorize.result import OUTCOME_BY_NUMBER, amounts_of, outcome_of, result_of
from firmware.authorize.service import ServiceCall
from firmware.authorize.services import SERVICES
from firmware.authorize.unit import Unit, yuan
from firmware.display.screen import Display, Shown
from firmware.host.patience import patience_s
from firmware.host.rpc import INVALID_PARAMS, Method, RpcError
from firmware.host.texts import with_texts
from firmware.journal import kinds as rec
from firmware.journal.record import Record
from firmware.journal.schema import JournalDamagedError, JournalError, OrderSettledError
from firmware.outcome import Outcome, outcome

MAX_RECORDS = 200
MAX_NUMBER = 1 << 62
ORDER_MISMATCH = -32001
BUSY = -32002
DAMAGED = -32003
STILL_SERVING = -32004
NOT_ASKED = -32005

AMOUNTS = ("account_fen", "self_fen", "pooled_fen")


class Desk:
    def __init__(
        self,
        unit: Unit,
        jobs: Jobs,
        status: Callable[[], dict[str, Any]],
        display: Display,
        version: str,
    ):
        """status: of firmware.terminal.Terminal."""
        self._unit = unit
        self._jobs = jobs
        self._status = status
        self._display = display
        self._version = version
        self._patience_s = patience_s(unit.board.timing, unit.board.purchase)

    def methods(self) -> dict[str, Method]:
        return {
            "status": self.status,
            "purchase": self.purchase,
            "records": self.records,
            "cancel": self.cancel,
            **{name: partial(self._service, name) for name in SERVICES},
            "update.lease": self.lease,
            "load": self.load,
            "load.mac2": self.load_mac2,
        }

    def status(self, shown_after: int = 0) -> dict[str, Any]:
        """shown_after: counter of the last screen the caller has seen."""
        _check_number("shown_after", shown_after)
        return {
            "firmware": self._version,
            **self._status(),
            "display": _screen(self._display.current),
            "shown": [_screen(each) for each in self._display.since(shown_after)],
        }

    def purchase(
        self, order_no: str, amounts: dict[str, int], operator: str, special: str | None = None
    ) -> dict[str, Any]:
        """amounts: account_fen, self_fen, pooled_fen (0 where absent).  special: a class of EF15.

        A repeated order_no answers the first result, waiting for it if need be, and debits nothing.
        """
        request = _request(order_no, amounts, operator, special)
        answer = self._jobs.running(order_no)
        is_repeated = answer is not None
        if answer is None:
            told = self._known(request)
            if told is not None:
                return told | {"repeated": True}
            answer = self._jobs.submit(request)
        result, _ = self._wait(answer)
        told = self._known(request)
        if told is None:  # the journal could not take it: nothing has happened
            told = {"order_no": order_no, "state": "REFUSED", **_outcome(result, request)}
        return told | {"repeated": True} if is_repeated else told

    def _known(self, request: Request) -> dict[str, Any] | None:
        """What the journal says of the order; None when it says nothing."""
        found = self._by_order(request.order_no, request)
        told, result = result_of(found), outcome_of(found)
        if not found:
            return None
        same = amounts_of(found) == (request.account_fen, request.self_fen, request.pooled_fen)
        if told is None or result is None or not same:
            raise _mismatch("a load" if told is None else "other amounts", request)
        return told | _outcome(result, request)

    def _by_order(self, order_no: str, request: Request | None = None) -> list[Record]:
        try:
            return self._unit.journal.by_order(order_no)
        except OrderSettledError as error:
            settled = _outcome(outcome("ORDER_SETTLED"), request, {"order_no": order_no})
            raise RpcError(ORDER_MISMATCH, str(error), settled) from None
        except JournalDamagedError as error:
            raise RpcError(DAMAGED, str(error), _outcome(outcome("JOURNAL_DAMAGED"))) from None
        except JournalError as error:
            raise RpcError(DAMAGED, str(error), _outcome(outcome("UNIT_FAULT"))) from None

    def load(self, order_no: str, operator: str, amount_fen: int) -> dict[str, Any]:
        """Answers with step "mac2", and what MAC2 is made of; then `load_mac2` ends the load.

        A repeated order_no answers the result, and credits nothing.
        """
        params = {"order_no": order_no, "operator": operator, "amount_fen": amount_fen}
        call = _checked_call("load", params)
        known = self._known_load(order_no, amount_fen)
        if known is not None and known["state"] != "VOID":
            return known | {"repeated": True}
        result, told = self._wait(self._jobs.submit(call))
        return self._load_ended(order_no, result, told)

    def load_mac2(self, order_no: str, time7: str, mac2: str) -> dict[str, Any]:
        """time7: the host's time, in MAC2.  The result of the load."""
        try:
            reply = host_reply(time7, mac2)
        except ValueError as error:
            raise RpcError(INVALID_PARAMS, str(error)) from None
        answer = self._jobs.reply(order_no, reply)
        if answer is None:
            known = self._known_load(order_no)
            if known is None:
                raise RpcError(NOT_ASKED, "no load of this order waits for its MAC2")
            return known | {"repeated": True}
        result, told = self._wait(answer)
        return self._load_ended(order_no, result, told)

    def _load_ended(self, order_no: str, result: Outcome, told: dict[str, Any]) -> dict[str, Any]:
        if result.name == "ASKING_HOST":
            fields = {"amount": yuan(told["amount_fen"])}
            return _outcome(result, fields=fields) | told
        known = self._known_load(order_no)
        if known is not None and (known["state"] != "VOID" or result.name == "NOT_LOADED"):
            return known
        return {"order_no": order_no, "state": "REFUSED", **_outcome(result)}  # nothing happened

    def _known_load(self, order_no: str, amount_fen: int | None = None) -> dict[str, Any] | None:
        """What the journal says of that load; None when it says nothing."""
        found = self._by_order(order_no)
        told = load_result_of(found)
        if not found:
            return None
        if told is None or amount_fen not in (None, told["amount_fen"]):
            raise _mismatch("a payment" if told is None else "another amount")
        fields = {"amount": yuan(told["amount_fen"]), "order_no": order_no}
        return told | _outcome(OUTCOME_BY_NUMBER[told["outcome"]], fields=fields)

    def _service(self, name: str, **params: Any) -> dict[str, Any]:
        """One of services.SERVICES; the outcome, and what the service tells."""
        result, told = self._wait(self._jobs.submit(_checked_call(name, params)))
        return _outcome(result) | told

    def lease(self, seconds: int) -> dict[str, Any]:
        """Hold payments back for an update; BUSY at once while anything is served or waits."""
        if self._jobs.current is not None or len(self._jobs) or self._status()["state"] != "idle":
            raise RpcError(BUSY, "the terminal is busy", _outcome(outcome("BUSY")))
        return self._service("update.lease", seconds=seconds)

    def records(self, after: int = 0, limit: int = 100) -> dict[str, Any]:
        """Journal records in the clear, oldest first; at most MAX_RECORDS."""
        _check_number("after", after)
        _check_number("limit", limit)
        found = self._unit.journal.records(after, max(1, min(limit, MAX_RECORDS)))
        return {"records": [_shown(each) for each in found]}

    def cancel(self) -> dict[str, Any]:
        """cancelled: whether there was anything to cancel."""
        return {"cancelled": self._jobs.cancel()}

    def _wait(self, answer: Answer | None) -> tuple[Outcome, dict[str, Any]]:
        busy = _outcome(outcome("BUSY"))
        if answer is None:
            raise RpcError(BUSY, "the terminal is busy", busy)
        try:
            return answer.result(timeout=self._patience_s)
        except TimeoutError:
            still = "it is still being served: ask again with the same order number"
            raise RpcError(STILL_SERVING, still, busy) from None


def _checked_call(name: str, params: dict[str, Any]) -> ServiceCall:
    """Raises RpcError."""
    try:
        SERVICES[name].check(params)
    except ValueError as error:
        raise RpcError(INVALID_PARAMS, str(error)) from None
    return ServiceCall(name, params)


def _mismatch(what: str, request: Request | None = None) -> RpcError:
    why = f"this order number was used with {what}"
    return RpcError(ORDER_MISMATCH, why, _outcome(outcome("ORDER_MISMATCH"), request))


def _check_number(name: str, value: object) -> None:
    if type(value) is not int or not 0 <= value < MAX_NUMBER:
        raise RpcError(INVALID_PARAMS, f"{name} is a whole number, 0 or more")


def _request(order_no: str, amounts: dict[str, int], operator: str, special: str | None) -> Request:
    """Raises RpcError."""
    if not isinstance(order_no, str) or not isinstance(operator, str):
        raise RpcError(INVALID_PARAMS, "order_no and operator are texts")
    if not isinstance(amounts, dict) or not set(amounts) <= set(AMOUNTS):
        refused = _outcome(outcome("AMOUNTS_REFUSED"))
        raise RpcError(INVALID_PARAMS, f"amounts is an object of {', '.join(AMOUNTS)}", refused)
    try:
        account_fen, self_fen, pooled_fen = (amounts.get(each, 0) for each in AMOUNTS)
        return Request(order_no, operator, account_fen, self_fen, pooled_fen, special)
    except ValueError as error:
        refused = _outcome(outcome("AMOUNTS_REFUSED"))
        raise RpcError(INVALID_PARAMS, str(error), refused) from None


def _outcome(
    result: Outcome, request: Request | None = None, fields: dict[str, str] | None = None
) -> dict[str, Any]:
    if request is not None:
        fields = {"amount": yuan(request.total_fen), "order_no": request.order_no}
    return with_texts(result, fields)


def _screen(shown: Shown | None) -> dict[str, Any] | None:
    """Without what changes while it stands: nobody is told how many digits were typed."""
    told = {} if shown is None else asdict(shown)
    told.pop("entry", None)
    return told or None


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
