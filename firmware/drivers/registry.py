"""From an address in board.toml to an open device: a built-in one, or an installed package's.

An address is `scheme:rest`.  Schemes that are not built in are entry points (`sim` is one): the
group names what kind of device, the entry point's name is the scheme, its object is a function of
the rest.  ValueError: the address is wrong, so board.toml must change.  TransportError, from
here or from the device's first use: the address is right, but the device is not there.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from firmware.drivers.ccid_reader import open_ccid
from firmware.drivers.iso7816 import open_iso7816
from firmware.drivers.lines import Lines
from firmware.drivers.pad import Pad
from firmware.drivers.pcsc import PcscReader
from firmware.drivers.pn532_reader import open_pn532
from firmware.drivers.replay import open_replay

READER_GROUP = "sscterm.readers"
PAD_GROUP = "sscterm.pads"
_BUILT_IN_READERS: dict[str, Callable[[str], Any]] = {
    "ccid": open_ccid,
    "pcsc": PcscReader,
    "pn532": open_pn532,
    "replay": open_replay,
}


_BARE_SLOTS: dict[str, Callable[[str, Lines | None], Any]] = {"iso7816": open_iso7816}
"""Schemes whose slot may have lines on pins of the header."""


def open_reader(address: str, lines: Lines | None = None) -> Any:
    """An object of the shape of channel.Reader; raises ValueError, TransportError.

    lines: of its slot, where board.toml names pins for it.
    """
    scheme, rest = _split(address, "reader")
    if scheme in _BARE_SLOTS:
        return _BARE_SLOTS[scheme](rest, lines)
    if lines is not None:
        raise ValueError(
            f"{address!r} switches its slot by itself: remove power_pin, reset_pin and detect_pin"
        )
    if scheme in _BUILT_IN_READERS:
        return _BUILT_IN_READERS[scheme](rest)
    return _installed(READER_GROUP, scheme, sorted({*_BUILT_IN_READERS, *_BARE_SLOTS}))(rest)


def open_pad(address: str) -> Pad:
    """The PIN pad at that address; raises ValueError, TransportError."""
    scheme, rest = _split(address, "PIN pad")
    return Pad(_installed(PAD_GROUP, scheme, [])(rest))


def _split(address: str, what: str) -> tuple[str, str]:
    scheme, colon, rest = address.partition(":")
    if not (scheme and colon):
        raise ValueError(
            f"{address!r} is no {what} address: write scheme:rest, as in 'sim:/path/to/socket'"
        )
    return scheme, rest


def _installed(group: str, scheme: str, built_in: list[str]) -> Any:
    found = [each for each in entry_points(group=group) if each.name == scheme]
    if found:
        return found[0].load()
    known = sorted({*built_in, *(each.name for each in entry_points(group=group))})
    raise ValueError(
        f"the scheme {scheme!r} is unknown; known here: {', '.join(known) or 'none'}. "
        f"Correct the address, or install the package that offers {scheme!r} in {group}"
    )
