"""One visit of a card: from power-up to power-down, and what was learnt of it so far."""

from __future__ import annotations

from dataclasses import dataclass

from firmware.authorize.unit import Unit
from firmware.card import commands, historical
from firmware.card.session import CardSession
from firmware.channel import Reader, open_channel
from firmware.outcome import (
    Fault,
    Outcome,
    ProtocolError,
    StatusError,
    TransportError,
    outcome,
)
from firmware.psam.keys import city_factor, province_factor
from firmware.psam.keytable import PsamKey
from firmware.psam.session import PsamFault


@dataclass
class Visit:
    reader: Reader
    session: CardSession
    historical: bytes  # 13
    algorithm: int = 1
    card_id: bytes = b""  # 16
    card_number: str = ""
    version: str = ""  # "1.0", "2.0", "3.0"
    expiry: int = 0  # YYYYMMDD, 0 = none
    name: str = ""  # shown, never journaled
    ef06: tuple[int, int, int] | None = None  # permitted, total in fen, count
    tries_left: int | None = None  # of the PIN, as the card last told
    balance_fen: int | None = None  # of the account, where a refusal needs it
    note: str = ""  # what a refusal adds for the journal and the host

    @property
    def region(self) -> str:
        return self.card_id[:3].hex()


def begin(unit: Unit, reader: Reader) -> Visit:
    """Power the card up and open its channel.  Raises TransportError or ProtocolError."""
    answer = reader.power_on()
    found = historical.historical_bytes(answer)
    channel = open_channel(reader, unit.board.timing.exchange_s, unit.recorder)
    return Visit(reader, CardSession(channel), found)


def factors(unit: Unit, visit: Visit) -> tuple[bytes, bytes, bytes]:
    """Diversification factors card, city, province, 8 bytes each (SPEC-P9)."""
    override = unit.region.city_factor
    city = city_factor(visit.region) if override is None else override
    return visit.historical[5:], city, province_factor(visit.region)


def external_authenticate(unit: Unit, visit: Visit, key: PsamKey, reference: int) -> None:
    """Prove the terminal to the card with a PSAM key."""
    challenge = visit.session.get_challenge()
    original = unit.random(8)
    auth = unit.psam.authentication_data(key, factors(unit, visit), challenge, original)
    visit.session.external_authenticate(reference, auth, original)


_BY_KIND = {"removed": "CARD_REMOVED", "silent": "CARD_SILENT", "reader": "READER_MISSING"}
_BY_SW = {
    commands.SW_CARD_BLOCKED: "CARD_BLOCKED",
    commands.SW_APPLICATION_LOCKED: "APPLICATION_LOCKED",
    commands.SW_INSUFFICIENT_FUNDS: "INSUFFICIENT_FUNDS",
}


def outcome_of(fault: Fault) -> Outcome:
    """The outcome of a fault that struck while nothing had happened yet."""
    if isinstance(fault, PsamFault):
        return outcome(fault.name)
    if isinstance(fault, TransportError):
        return outcome(_BY_KIND.get(fault.kind, "READER_MISSING"))
    if isinstance(fault, ProtocolError):
        return outcome("CARD_UNREADABLE")
    if isinstance(fault, StatusError):
        if fault.command == "EXTERNAL AUTHENTICATE":
            return outcome("CARD_REFUSED_TERMINAL")
        return outcome(_BY_SW.get(fault.sw, "CARD_REFUSED"))
    return outcome("UNIT_FAULT")
