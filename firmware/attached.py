"""`--check`: the board is sound; this is what is attached to it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from firmware import board_parts
from firmware.authorize.limits import is_region_of
from firmware.board import Board
from firmware.card.historical import historical_bytes
from firmware.channel import Reader, open_channel
from firmware.clock import Clock
from firmware.outcome import Fault
from firmware.psam.session import PsamSession

OpenSlot = Callable[[board_parts.Reader | board_parts.Psam], Reader]


class Looked(Protocol):
    """A pad, a printer."""

    def look(self) -> str:
        """What it says of itself.  Raises OSError, TransportError."""


def check(
    board: Board,
    open_slot: OpenSlot,
    open_pad: Callable[[], Looked | None],
    printer: Looked | None,
    look_at_pins: Callable[[], str],
) -> int:
    """Print a table; 0 when every device answers and the PSAM is this unit's, else 1."""
    print(f"board.toml is sound: unit {board.unit.id}, region {board.unit.region}")
    rows = [
        (each.name, each.address, _row(partial(_reader, each, open_slot))) for each in board.readers
    ]
    rows.append(("psam", board.psam.address, _row(partial(_psam, board, open_slot))))
    if board.pad is None:
        rows.append(("pad", "-", (True, "none: this unit takes no PIN")))
    else:
        address = board.pad.address
        rows.append(("pad", address, _row(partial(_pad, open_pad))))
    if board.printer is not None and printer is not None:
        rows.append(("printer", board.printer.address, _row(printer.look)))
    if named := board.pins.named():
        rows.append(("pins", " ".join(map(str, named.values())), _row(look_at_pins)))
    for name, address, (is_good, found) in rows:
        print(f"  {'ok ' if is_good else 'NOT'}  {name:12} {address:44} {found}")
    return 0 if all(is_good for _, _, (is_good, _) in rows) else 1


class _Unfit(Exception):
    """It answers, but is not what the board needs."""


def _row(look: Callable[[], str]) -> tuple[bool, str]:
    try:
        return True, look()
    except Fault as fault:
        return False, fault.what
    except (_Unfit, ValueError, OSError) as error:
        return False, str(error)


def _reader(part: board_parts.Reader, open_slot: OpenSlot) -> str:
    reader = open_slot(part)
    try:
        cards = reader.cards_in_reach()
        if cards != 1:
            return f"{cards} cards" if cards else "no card"
        return f"a card, historical bytes {historical_bytes(reader.power_on()).hex()}"
    finally:
        reader.power_off()
        reader.close()


def _psam(board: Board, open_slot: OpenSlot) -> str:
    reader = open_slot(board.psam)
    try:
        reader.power_on()
        session = PsamSession(lambda: open_channel(reader, board.timing.exchange_s))
        identity = session.start(board.purchase.dpk_factors)
    finally:
        reader.power_off()
        reader.close()
    told = f"PSAM {identity.terminal.hex()}, valid until {identity.valid_until}"
    bound = board.psam.terminal_number
    if bound and bound != identity.terminal.hex():
        raise _Unfit(f"{told}: board.toml names {bound}")
    if not is_region_of(identity.region, board.unit.region):
        raise _Unfit(f"{told}: it is not of region {board.unit.region}")
    clock = Clock(
        has_rtc=False, trust_h=0, utc_offset_minutes=board.clock.utc_offset_minutes
    )  # only to read the calendar
    today = clock.day(clock.now().epoch_ms)
    if not identity.valid_from <= today <= identity.valid_until:
        raise _Unfit(f"{told}, from {identity.valid_from}: not valid on {today}")
    return told


def _pad(open_pad: Callable[[], Looked | None]) -> str:
    pad = open_pad()
    return "none" if pad is None else pad.look()
