"""`--check`: the board is sound; this is what is attached to it."""

from __future__ import annotations

from collections.abc import Callable

from firmware.board import Board
from firmware.card.historical import historical_bytes
from firmware.channel import Reader, open_channel
from firmware.outcome import Fault
from firmware.psam.session import PsamSession


def check(
    board: Board, open_reader: Callable[[str], Reader], open_pad: Callable[[str], object]
) -> int:
    """Print a table; 0 when readers and PSAM answer, else 1."""
    print(f"board.toml is sound: unit {board.unit.id}, region {board.unit.region}")
    rows = [(each.name, each.address, _reader(each.address, open_reader)) for each in board.readers]
    rows.append(("psam", board.psam.address, _psam(board, open_reader)))
    if board.pad is None:
        rows.append(("pad", "-", (True, "none: this unit takes no PIN")))
    else:
        rows.append(("pad", board.pad.address, _pad(board.pad.address, open_pad)))
    for name, address, (is_good, found) in rows:
        print(f"  {'ok ' if is_good else 'NOT'}  {name:12} {address:44} {found}")
    return 0 if all(is_good for _, _, (is_good, _) in rows) else 1


def _reader(address: str, open_reader: Callable[[str], Reader]) -> tuple[bool, str]:
    try:
        reader = open_reader(address)
        cards = reader.cards_in_reach()
        if cards != 1:
            reader.close()
            return True, f"{cards} cards" if cards else "no card"
        try:
            found = historical_bytes(reader.power_on()).hex()
        finally:
            reader.power_off()
            reader.close()
        return True, f"a card, historical bytes {found}"
    except Fault as fault:
        return False, fault.what


def _psam(board: Board, open_reader: Callable[[str], Reader]) -> tuple[bool, str]:
    try:
        reader = open_reader(board.psam.address)
        try:
            reader.power_on()
            session = PsamSession(lambda: open_channel(reader, board.timing.exchange_s))
            identity = session.start(board.purchase.dpk_factors)
        finally:
            reader.power_off()
            reader.close()
    except Fault as fault:
        return False, fault.what
    return True, f"PSAM {identity.terminal.hex()}, valid until {identity.valid_until}"


def _pad(address: str, open_pad: Callable[[str], object]) -> tuple[bool, str]:
    try:
        open_pad(address)
    except Fault as fault:
        return False, fault.what
    return True, "attached"
