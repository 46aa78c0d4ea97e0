"""`--check`: the board is sound; this is what is attached to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from firmware import board_parts
from firmware.authorize.limits import is_region_of
from firmware.board import Board
from firmware.card.historical import historical_bytes
from firmware.channel import Reader, open_channel
from firmware.clock import Clock
from firmware.outcome import Fault
from firmware.psam.session import PsamSession

OpenSlot = Callable[[board_parts.Reader | board_parts.Psam], Reader]
Look = tuple[str, str, Callable[[], str]]
"""A part beside the slots: its name, its address, and what it says of itself or raises."""


def check(board: Board, open_slot: OpenSlot, looks: Sequence[Look]) -> int:
    """Print a table; 0 when every device answers and the PSAM is this unit's, else 1."""
    print(f"board.toml is sound: unit {board.unit.id}, region {board.unit.region}")
    every: list[Look] = [
        (each.name, each.address, partial(_reader, each, open_slot)) for each in board.readers
    ]
    every += [("psam", board.psam.address, partial(_psam, board, open_slot)), *looks]
    sound = True
    for name, address, look in every:
        is_good, found = _row(look)
        print(f"  {'ok ' if is_good else 'NOT'}  {name:12} {address:44} {found}", flush=True)
        sound = sound and is_good
    return 0 if sound else 1


class _Unfit(Exception):
    """It answers, but is not what the board needs."""


def _row(look: Callable[[], str]) -> tuple[bool, str]:
    try:
        return True, look()
    except Fault as fault:
        return False, _one_line(fault.what)
    except ImportError as error:
        return False, f"{error}: make environment-hardware installs it"
    except Exception as error:  # a panel's libraries raise errors of their own
        return False, _one_line(str(error) or type(error).__name__)


def _one_line(text: str) -> str:
    return " ".join(text.split())


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
