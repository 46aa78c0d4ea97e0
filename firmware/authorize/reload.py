"""Unblocking and reloading a PIN with the PSAM's authority, for two operators (M4, SPEC-P5)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from firmware.authorize.askagain import ask_again, send_once
from firmware.authorize.pinchange import ask_new_pin
from firmware.authorize.service import Desk
from firmware.authorize.visit import Visit, external_authenticate, factors
from firmware.card import commands, files
from firmware.card.session import PIN_IS_SET
from firmware.journal import kinds as rec
from firmware.outcome import Outcome, outcome
from firmware.psam.keytable import PUK, STK
from firmware.secret import Pin

_DONE, _NOT_DONE, _CANNOT_TELL = "it was done", "it was not done", "the card cannot tell"

ID_KINDS = (
    "citizen",
    "household",
    "passport",
    "hongkong-macao",
    "taiwan",
    "foreigner",
    "military",
    "other",
)
"""What the holder showed; the last four characters of its number are recorded, no more."""


def pin_unblock(desk: Desk) -> Outcome | None:
    """A locked PIN gets its tries back and stays the same."""
    desk.visit.tries_left = tries = desk.visit.session.verify_status()
    if tries is None:
        return outcome("PIN_NOT_SET")
    if tries:
        return outcome("PIN_NOT_LOCKED")
    return _change(desk, commands.PIN_UNBLOCK, None, tries)


def pin_reload(desk: Desk) -> Outcome | None:
    """A new PIN, which the holder types twice; whatever the old one was and how it stood."""
    tries = desk.visit.session.verify_status()
    new = ask_new_pin(desk.unit, desk.buffer, "NEW_PIN")
    if isinstance(new, Outcome):
        return new
    with new:
        return _change(desk, commands.PIN_RELOAD, new, tries)


def check_identification(params: Mapping[str, Any]) -> None:
    """Raises ValueError."""
    if params["id_kind"] not in ID_KINDS:
        raise ValueError(f"id_kind is one of {', '.join(ID_KINDS)}")
    tail = params["id_tail"]
    if len(tail) != 4 or not (tail.isascii() and tail.isalnum()):
        raise ValueError("id_tail is the last four letters or digits of the document's number")


def _change(desk: Desk, header: bytes, new: Pin | None, before: int | None) -> Outcome | None:
    """PUK, challenge, the command, once.  A lost answer is settled by what the card shows."""
    unit, visit = desk.unit, desk.visit
    external_authenticate(unit, visit, PUK, files.KEY_PUK)
    challenge = visit.session.get_challenge()
    block = b"" if new is None else commands.pin_block(new.reveal(), unit.psam.block)
    data = unit.psam.secure_message(STK, factors(unit, visit), challenge, header, block)
    lost = send_once(desk, "PIN CHANGE/UNBLOCK", header, data, "PIN_CHANGE_UNCERTAIN")
    if lost is None:
        return None
    seen = ask_again(unit, visit, "PIN_CHANGE_CHECKING", partial(_seen, desk, before, new))
    what = "pin.unblock" if new is None else "pin.reload"
    desk.record[rec.KEY_DETAIL] = f"{what}: {lost}; {seen or 'the card stayed away'}"
    if seen == _DONE:
        return None
    if seen == _NOT_DONE:
        return outcome("PIN_STILL_LOCKED" if before == 0 else "PIN_NOT_CHANGED")
    return outcome("PIN_CHANGE_UNCERTAIN")


def _seen(desk: Desk, before: int | None, new: Pin | None, found: Visit) -> str:
    """By evidence.  Only this command gives tries back, or sets a PIN where there was none;
    where that shows nothing the new PIN itself is tried, but never on the last try."""
    session = found.session
    session.select_environment()
    desk.visit.tries_left = tries = session.verify_status()
    if tries is None or tries == 0:
        return _NOT_DONE
    if before is None or tries > before:
        return _DONE
    if new is None:
        return _NOT_DONE
    if tries == 1:
        return _CANNOT_TELL
    tries = session.verify(new)
    if tries == PIN_IS_SET:
        desk.visit.tries_left = None
        return _DONE
    desk.visit.tries_left = tries
    return _NOT_DONE
