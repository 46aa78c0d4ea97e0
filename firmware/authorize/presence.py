"""Proof of presence for an office's request: card genuine, PIN verified, now (M18)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from firmware.authorize.pin import prove_holder
from firmware.authorize.service import Desk
from firmware.clock import TRUST_NONE
from firmware.journal import kinds, record
from firmware.journal.presence import MAX_REQUEST_NO, Presence, is_request_no, make_presence
from firmware.outcome import Outcome, outcome

PROFILES = {"development": kinds.PROFILE_DEVELOPMENT, "production": kinds.PROFILE_PRODUCTION}
_NONCE = re.compile("([0-9a-fA-F]{2}){16,32}")


def check_presence(params: Mapping[str, Any]) -> None:
    """Raises ValueError."""
    if not is_request_no(params["request_no"]):
        raise ValueError(f"request_no has 1 to {MAX_REQUEST_NO} printable characters")
    if not _NONCE.fullmatch(params["office_nonce"]):
        raise ValueError("office_nonce is 16 to 32 bytes in hex, as the office made it")


def presence(desk: Desk) -> Outcome | None:
    """Tells `statement` (hex).  The card has proved itself genuine before this runs."""
    unit, visit = desk.unit, desk.visit
    now = unit.clock.now()
    if now.trust == TRUST_NONE:
        return outcome("CLOCK_NOT_TRUSTED")
    refused = prove_holder(unit, visit, desk.buffer)
    if refused is not None:
        return refused
    if visit.tries_left is None:  # a card without a PIN proves nobody, whatever payments allow
        return outcome("PIN_NOT_SET")
    now = unit.clock.now()
    claim = Presence(
        unit.board.unit.id,
        desk.params["request_no"],
        bytes.fromhex(desk.params["office_nonce"]),
        visit.card_id,
        visit.card_number,
        now.epoch_ms,
        now.trust,
        PROFILES[unit.board.unit.profile],
    )
    statement = make_presence(claim, unit.journal.signer)
    desk.record |= {
        kinds.KEY_REQUEST_NO: claim.request_no,
        kinds.KEY_STATEMENT: record.digest_of(statement),
    }
    desk.told |= {"card_number": visit.card_number, "statement": statement.hex()}
    return None
