"""Special settlements: the card keeps purchase serial and class of each in DF04/EF15 (V2.0).

Injury, maternity, relief and other settlements; whether EF06 tag 90 should change with them is not
said in any public source, so it stays.
"""

from __future__ import annotations

from firmware.authorize.unit import Unit
from firmware.authorize.visit import Visit, external_authenticate
from firmware.card import files
from firmware.journal import kinds as rec
from firmware.journal.record import Record
from firmware.outcome import ProtocolError, StatusError
from firmware.psam.keytable import UK2DF04

WRITTEN = 1
NOT_WRITTEN = 2
_LENGTH = files.SPECIAL_SETTLEMENTS.size


def write(unit: Unit, visit: Visit, intent: Record) -> int | None:
    """One record for that payment and never two; None when it has no class.

    WRITTEN: it stands in the card, as read back.  NOT_WRITTEN: the card refused it (no EF15, no
    key), or newer ones stand there already.  Raises TransportError, ProtocolError, PsamFault: then
    it is open for the next visit.
    """
    kind = intent.body.get(rec.KEY_SPECIAL)
    if kind is None:
        return None
    try:
        return _write(unit, visit, intent, kind)
    except StatusError:
        return NOT_WRITTEN


def _write(unit: Unit, visit: Visit, intent: Record, kind: str) -> int:
    serial = intent.body[rec.KEY_PURCHASE_SERIAL]
    wanted = serial.to_bytes(2, "big") + kind.encode("ascii")
    held = _held(visit)
    if wanted in held:
        return WRITTEN
    if any(_is_newer(each, serial) for each in held):
        return NOT_WRITTEN
    external_authenticate(unit, visit, UK2DF04, files.KEY_UK2DF04)
    visit.session.append_record(files.SPECIAL_SETTLEMENTS.sfi, wanted)
    if wanted not in _held(visit):
        raise ProtocolError("the card's special settlement reads back otherwise than written")
    return WRITTEN


def _held(visit: Visit) -> list[bytes]:
    """The records of EF15, newest first; the PIN was proved in this visit."""
    found = []
    for number in range(1, files.SPECIAL_SETTLEMENTS.records + 1):
        raw = visit.session.read_cyclic(files.SPECIAL_SETTLEMENTS.sfi, number, _LENGTH)
        if raw is None or not raw.strip(b"\x00\xff"):
            break
        found.append(raw)
    return found


def _is_newer(held: bytes, serial: int) -> bool:
    return 0 < (int.from_bytes(held[:2], "big") - serial) & 0xFFFF < 0x8000
