"""Who is this card, is it genuine, may it be served (steps 1 to 4 of a purchase)."""

from __future__ import annotations

import hmac

from firmware.authorize.limits import check_psam_identity
from firmware.authorize.stoplist import StopList, state_text
from firmware.authorize.unit import Unit
from firmware.authorize.visit import Visit, external_authenticate, factors
from firmware.card import files, values
from firmware.card.commands import SW_FILE_NOT_FOUND
from firmware.card.text import text
from firmware.outcome import Outcome, ProtocolError, StatusError, outcome
from firmware.psam.keytable import IRK, RKSSSE


def read_identity(unit: Unit, visit: Visit) -> Outcome | None:
    """Steps 1 and 2: the environments of card and PSAM, and EF05's free items."""
    session = visit.session
    try:
        visit.algorithm = session.select_environment()
    except StatusError as error:
        if error.sw == SW_FILE_NOT_FOUND:
            return outcome("NOT_A_SOCIAL_SECURITY_CARD")
        raise
    unit.psam.select(visit.algorithm)
    refused = check_psam_identity(unit)  # this environment's own dates
    if refused is not None:
        return refused
    card_id = session.read_item(files.CARD_ID)
    version = session.read_item(files.SPEC_VERSION)
    expiry = session.read_item(files.EXPIRY)
    number = session.read_item(files.CARD_NUMBER)
    if card_id is None or len(card_id) != files.CARD_ID.length or number is None:
        return outcome("CARD_UNREADABLE")
    try:
        visit.expiry = values.date(expiry or b"")
        int(card_id[:3].hex())  # the region is BCD
    except ValueError:
        raise ProtocolError("issuer data is not in its form") from None
    visit.card_id = card_id
    visit.card_number = text(number)
    visit.version = text(version or b"")[:3] or "1.0"
    return None


def check_identity(unit: Unit, visit: Visit) -> Outcome | None:
    """Stop list, region, validity: everything that needs no key."""
    if isinstance(unit.stop_list, StopList):
        state = unit.stop_list.state_of(visit.card_id, visit.card_number)
        if state is not None:
            visit.note = state_text(state)
            return outcome("CARD_ON_STOP_LIST")
    accepted = unit.board.purchase.regions
    if accepted and not visit.region.startswith(tuple(accepted)):
        return outcome("CARD_OF_OTHER_REGION")
    today = unit.clock.day(unit.clock.now().epoch_ms)
    if visit.expiry and today > visit.expiry:
        return outcome("CARD_OUT_OF_DATE")
    return None


def prove_genuine(unit: Unit, visit: Visit) -> Outcome | None:
    """Step 3: INTERNAL AUTHENTICATE, compared with what the PSAM computes."""
    process_factor, original = unit.random(8), unit.random(8)
    proved = visit.session.internal_authenticate(process_factor, original)
    expected = unit.psam.authentication_data(IRK, factors(unit, visit), process_factor, original)
    return None if hmac.compare_digest(proved, expected) else outcome("CARD_NOT_GENUINE")


def read_holder(unit: Unit, visit: Visit) -> Outcome | None:
    """Step 4: the holder's name, for the screen; a 3.0 card gives it to a proved terminal only."""
    if visit.version == "3.0":
        external_authenticate(unit, visit, RKSSSE, files.KEY_RKSSSE)
    visit.name = text(visit.session.read_item(files.NAME) or b"")
    return None
