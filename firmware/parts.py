"""Every device that board.toml names, opened.

A device that is not there is found out later, and again and again; a wrong address is not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from firmware.board import Board
from firmware.channel import Channel, Reader, open_channel
from firmware.display.screen import Surface
from firmware.display.window import Window
from firmware.drivers.pad import Pad
from firmware.drivers.registry import open_pad, open_reader
from firmware.psam.session import PsamSession


class AddressError(Exception):
    """board.toml names a device by an address that no driver takes."""


def readers(board: Board) -> list[Reader]:
    return [_device(open_reader, each.address) for each in board.readers]


def psam(board: Board) -> PsamSession:
    """Its slot is power-cycled at each start of the session."""
    slot = _device(open_reader, board.psam.address)

    def power_on() -> Channel:
        slot.power_on()
        return open_channel(slot, board.timing.exchange_s)

    return PsamSession(power_on)


def pad(board: Board) -> Pad | None:
    return None if board.pad is None else _device(open_pad, board.pad.address)


def surfaces(board: Board) -> list[Surface]:
    """What messages are drawn on; none on a headless unit."""
    if board.display is None:
        return []
    found: list[Surface] = []
    if board.display.window:
        found.append(Window(sys.stdout))
    if board.display.panel_png is not None:
        from firmware.display.panel import Panel  # Pillow only where there is a panel

        found.append(Panel(board.display.panel_png))
    return found


def language(board: Board) -> str:
    """What every surface begins with."""
    return "both" if board.display is None else board.display.language


def _device(opener: Callable[[str], Any], address: str) -> Any:
    try:
        return opener(address)
    except ValueError as error:
        raise AddressError(str(error)) from None
