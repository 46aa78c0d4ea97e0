"""A service at the card besides the payment: what all of them share.

Power up, identify, close what is open, check, prove genuine; then the service's own act; power
down.  The acts stand in files of their own and in one table, services.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from firmware.authorize import identify, recovery
from firmware.authorize.logon import check_two
from firmware.authorize.pin import PinBuffer, prove_holder
from firmware.authorize.request import check_operator
from firmware.authorize.unit import Unit
from firmware.authorize.visit import Visit, begin, outcome_of
from firmware.authorize.welcome import settle_open
from firmware.card import files
from firmware.channel import Reader
from firmware.journal import kinds as rec
from firmware.outcome import Fault, Outcome, outcome

Told = dict[str, Any]


@dataclass(frozen=True)
class ServiceCall:
    """What a host asked for: a name of services.SERVICES, its parameters as JSON gave them."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """One may be a password."""


@dataclass
class Desk:
    """What an act works with, and what it leaves: told goes to the host, record to the journal."""

    unit: Unit
    visit: Visit
    buffer: PinBuffer
    params: Mapping[str, Any]
    told: Told = field(default_factory=dict)
    record: dict[int, Any] = field(default_factory=dict)
    """Body keys beside those every SERVICE record has; empty for services that only read."""
    personal: dict[str, Any] = field(default_factory=dict, repr=False)
    """What the record holds for the office alone."""
    shown: dict[str, str] = field(default_factory=dict)
    """Fields of the message shown at the end."""
    sent: Callable[[Outcome], None] = lambda result: None
    """Journals, before a command that cannot be taken back, what holds if its end is never seen."""


Act = Callable[[Desk], Outcome | None]


@dataclass(frozen=True)
class Service:
    """act: None = SERVED.  params: name -> type, all required.  message: shown when served."""

    act: Act
    params: Mapping[str, type] = field(default_factory=dict)
    optional: Mapping[str, type] = field(default_factory=dict)
    is_journaled: bool = True
    message: str = "SERVED"
    validate: Callable[[Mapping[str, Any]], None] = lambda params: None
    """Of params that have their types; raises ValueError."""

    right: str = ""
    """Two operators with that right must have confirmed it: the parameters operator and second."""
    is_enquiry: bool = False
    """Changes nothing and proves nothing: served also while the office has stopped the unit."""
    takes_stopped: bool = False
    """Also a card that is on the stop list, out of date or of another region."""
    records: Mapping[str, int] = field(default_factory=dict)
    """Parameter -> the body key it is journaled under."""
    seals: tuple[str, ...] = ()
    """Parameters that are personal: journaled for the office alone."""

    def check(self, params: Mapping[str, Any]) -> None:
        """Raises ValueError naming the parameter that is missing, unknown or not valid."""
        _check(self.params, self.optional, params)
        self.validate(params)


@dataclass(frozen=True)
class Errand:
    """What a host asks of the terminal without a card; the rest is as in Service."""

    act: Callable[[Unit, Mapping[str, Any]], tuple[Outcome, Told]]
    params: Mapping[str, type]
    validate: Callable[[Mapping[str, Any]], None]
    optional: Mapping[str, type] = field(default_factory=dict)

    def check(self, params: Mapping[str, Any]) -> None:
        _check(self.params, self.optional, params)
        self.validate(params)


def _check(
    required: Mapping[str, type], optional: Mapping[str, type], params: Mapping[str, Any]
) -> None:
    for name in required.keys() - params.keys():
        raise ValueError(f"{name} is missing")
    known = {**required, **optional}
    for name, value in params.items():
        if name not in known:
            raise ValueError(f"{name} is unknown; there are {', '.join(known) or 'none'}")
        if type(value) is not known[name]:
            raise ValueError(f"{name} is a {known[name].__name__}")
        if name in ("operator", "second"):
            check_operator(str(value))


def admitted(unit: Unit, name: str, service: Service, params: Mapping[str, Any]) -> Outcome | None:
    """Before any card: the case, the office's stop, and the two operators where the service needs
    them; their confirmation is used up.  A refusal is shown and journaled.  Raises JournalError."""
    refused = unit.look_at_case()
    if refused is None and unit.is_stopped and not service.is_enquiry:
        refused = outcome("UNIT_STOPPED")
    elif refused is None and service.right:
        refused = check_two(unit, params["operator"], params["second"], service.right)
        if refused is None:
            unit.sessions.spend(params["operator"])
            unit.sessions.spend(params["second"])
    if refused is None:
        return None
    _journal(unit, name, service, params, None, refused, "")
    unit.show(refused.name)
    return refused


def serve(
    unit: Unit, reader: Reader, name: str, service: Service, params: Mapping[str, Any]
) -> tuple[Outcome, Told]:
    """Serve the card in that reader; it is powered down at the end.  Raises JournalError."""
    unit.show("READING_CARD")
    desk: Desk | None = None
    detail = ""
    with PinBuffer() as buffer:
        try:
            visit = begin(unit, reader)
            desk = Desk(unit, visit, buffer, params)
            desk.sent = partial(_sent, unit, name, service, desk)
            refused = identify.read_identity(unit, visit)
            if refused is None:
                desk.visit, refused = settled(unit, visit, buffer)
            refused = (
                refused
                or (None if service.takes_stopped else identify.check_identity(unit, desk.visit))
                or identify.prove_genuine(unit, desk.visit)
                or service.act(desk)
            )
        except Fault as fault:
            refused, detail = outcome_of(fault), fault.what
        finally:
            reader.power_off()
    result = refused or outcome("SERVED")
    if service.is_journaled:
        _journal(unit, name, service, params, desk, result, detail)
    unit.show(service.message if refused is None else result.name, **_fields(desk))
    return result, {} if desk is None else desk.told


def _fields(desk: Desk | None) -> dict[str, str]:
    if desk is None:
        return {}
    fields = dict(desk.shown)
    if desk.visit.tries_left is not None:
        fields["tries_left"] = str(desk.visit.tries_left)
    return fields


def _sent(unit: Unit, name: str, service: Service, desk: Desk, result: Outcome) -> None:
    _journal(unit, name, service, desk.params, desk, result, "sent to the card")


def _journal(
    unit: Unit,
    name: str,
    service: Service,
    params: Mapping[str, Any],
    desk: Desk | None,
    result: Outcome,
    detail: str,
) -> None:
    body: dict[int, Any] = {
        rec.KEY_OPERATOR: str(params.get("operator", "-")),
        rec.KEY_DETAIL: f"{name}: {detail}" if detail else name,
        rec.KEY_OUTCOME: result.number,
        **{key: params[each] for each, key in service.records.items()},
    }
    if desk is not None and desk.visit.card_id:
        body |= {rec.KEY_CARD_ID: desk.visit.card_id, rec.KEY_CARD_NUMBER: desk.visit.card_number}
        body |= desk.record
    personal = {each: params[each] for each in service.seals}
    unit.sealer.append(rec.KIND_SERVICE, body, personal | ({} if desk is None else desk.personal))


def settled(unit: Unit, visit: Visit, buffer: PinBuffer) -> tuple[Visit, Outcome | None]:
    """Close this card's open INTENTs, then a fresh visit; an outcome when one stays open."""
    intents = recovery.open_intents_of(unit, visit)
    result = settle_open(unit, visit, intents, buffer)
    if result is None:
        return visit, None
    if result.name == "PUT_CARD_BACK":
        return visit, outcome("EARLIER_PAYMENT_OPEN")
    visit = begin(unit, visit.reader)
    return visit, identify.read_identity(unit, visit)


def prove_holder_in_df04(desk: Desk) -> Outcome | None:
    """SELECT DF04 and the holder's PIN; it stays proved until the card is powered down."""
    desk.visit.session.select_df(files.DF04_FID)
    return prove_holder(desk.unit, desk.visit, desk.buffer)
