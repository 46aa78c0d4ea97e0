"""A card that nobody asked for: its open INTENT is closed, else it is read and its holder named."""

from __future__ import annotations

import logging

from firmware.authorize import identify, limits, recovery
from firmware.authorize.pin import PinBuffer
from firmware.authorize.unit import Unit
from firmware.authorize.visit import Visit, begin, outcome_of
from firmware.channel import Reader
from firmware.journal import kinds as rec
from firmware.journal.record import Record
from firmware.journal.schema import JournalError
from firmware.outcome import Fault, Outcome, outcome

log = logging.getLogger(__name__)


def welcome(unit: Unit, reader: Reader) -> Outcome | None:
    """What was shown: what became of its last payment, or why it is refused; None: it was read.

    The card is powered down at the end.  Raises JournalError when no payment of it is open.
    """
    with PinBuffer() as buffer:
        try:
            visit = begin(unit, reader)
            refused = limits.check_psam(unit) or identify.read_identity(unit, visit)
            if refused is None:
                result = settle_open(unit, visit, _worth_asking(unit, visit), buffer)
                if result is not None:
                    return result
            refused = (
                refused
                or identify.check_identity(unit, visit)
                or identify.prove_genuine(unit, visit)
                or identify.read_holder(unit, visit)
            )
        except Fault as fault:
            refused = outcome_of(fault)
        finally:
            reader.power_off()
    if refused is None:
        unit.show("CARD_READ", name=visit.name)
    else:
        unit.show(refused.name)
    return refused


def _worth_asking(unit: Unit, visit: Visit) -> list[Record]:
    """This card's open INTENTs but those of which it could tell nothing when it was asked."""
    return [
        intent
        for intent in recovery.open_intents_of(unit, visit)
        if not _was_asked_in_vain(unit, intent)
    ]


def _was_asked_in_vain(unit: Unit, intent: Record) -> bool:
    last = unit.journal.outcome_of(intent.number)
    return last is not None and "serial" in last.body.get(rec.KEY_EVIDENCE, {})


def settle_open(
    unit: Unit, visit: Visit, intents: list[Record], buffer: PinBuffer
) -> Outcome | None:
    """Recover each; the last result, PUT_CARD_BACK if one stays open, None if there is none.

    The card stands anywhere afterwards: it needs a new visit.  Whatever fails after an INTENT, a
    card or the journal, the answer is PUT_CARD_BACK and never that nothing was taken.
    """
    result = None
    for intent in intents:
        try:
            if result is not None:
                visit = begin(unit, visit.reader)
                identify.read_identity(unit, visit)
            result = recovery.recover(unit, visit, intent, buffer)
        except (Fault, JournalError) as error:
            log.error("INTENT %d stays open: %s", intent.number, error)
            result = outcome("PUT_CARD_BACK")
            unit.show(result.name, order_no=str(intent.body[rec.KEY_ORDER_NO]))
        if result.name == "PUT_CARD_BACK":
            break
    return result
