"""Blocking an application or a whole card for ever, for two operators (SPEC-P5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from firmware.authorize.askagain import ask_again, send_once
from firmware.authorize.service import Desk
from firmware.authorize.visit import Visit, external_authenticate, factors
from firmware.card import commands
from firmware.card import keys as card_keys
from firmware.journal import kinds as rec
from firmware.outcome import Outcome, StatusError, outcome
from firmware.psam import keytable
from firmware.psam.keytable import PsamKey

APPLICATIONS = {"DF03": b"\xdf\x03", "DF04": b"\xdf\x04"}
"""Those whose LK has a published key id (SPEC-P9)."""


def application_block(desk: Desk) -> Outcome | None:
    name = desk.params["application"]
    fid = APPLICATIONS[name]
    desk.visit.session.select_df(fid)

    def is_blocked(found: Visit) -> bool:
        found.session.select_environment()
        try:
            found.session.select_df(fid)
        except StatusError as error:
            return error.sw == commands.SW_APPLICATION_LOCKED
        return False

    lock, mac = f"LK{name}", keytable.BY_NAME[f"STK{name}"]
    return _block(desk, "application.block", lock, mac, commands.APPLICATION_BLOCK, is_blocked)


def card_block(desk: Desk) -> Outcome | None:
    def is_blocked(found: Visit) -> bool:
        try:
            found.session.select_environment()
        except StatusError as error:
            return error.sw == commands.SW_CARD_BLOCKED
        return False

    return _block(desk, "card.block", "BK", keytable.STK, commands.CARD_BLOCK, is_blocked)


def check_application(params: Mapping[str, Any]) -> None:
    """Raises ValueError."""
    if params["application"] not in APPLICATIONS:
        raise ValueError(f"application is one of {', '.join(APPLICATIONS)}")


def _block(
    desk: Desk,
    what: str,
    lock: str,
    mac_key: PsamKey,
    header: bytes,
    is_blocked: Callable[[Visit], bool],
) -> Outcome | None:
    """The lock's key, a challenge, the command, once; a lost answer is settled by the card."""
    unit, visit = desk.unit, desk.visit
    reference = card_keys.BY_NAME[lock].reference
    assert reference is not None  # BK and LK are published
    external_authenticate(unit, visit, unit.psam.found(keytable.OPEN_BY_NAME[lock]), reference)
    challenge = visit.session.get_challenge()
    data = unit.psam.secure_message(mac_key, factors(unit, visit), challenge, header)
    lost = send_once(desk, "BLOCK", header, data, "BLOCK_UNCERTAIN")
    if lost is None:
        return None
    seen = ask_again(unit, visit, "BLOCK_CHECKING", is_blocked)
    shown = {True: "it is blocked", False: "it is not blocked", None: "the card stayed away"}[seen]
    desk.record[rec.KEY_DETAIL] = f"{what}: {lost}; {shown}"
    if seen:
        return None
    return outcome("NOT_BLOCKED" if seen is False else "BLOCK_UNCERTAIN")
