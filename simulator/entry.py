"""The doors by which the firmware reaches simulated devices (entry points `sim` in pyproject.toml).

An address, what follows `sim:` in board.toml, is one of
    PATH#user             slot `user` of the simulator process listening on the socket PATH
    inprocess:NAME#user   slot `user` of a World this Python process registered as NAME
and PATH#pad, inprocess:NAME#pad for the PIN pad.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.client import SocketPad, SocketReader

if TYPE_CHECKING:  # a daemon that only speaks to a socket loads no simulated card
    from simulator.holder import Holder
    from simulator.slot import SimulatedSlot
    from simulator.world import World

_INPROCESS = "inprocess:"
_worlds: dict[str, World] = {}


def register_inprocess(name: str, world: World) -> None:
    """Make the world's devices reachable as `inprocess:NAME#...`; replaces one of that name."""
    _worlds[name] = world


def open_reader(address: str) -> SimulatedSlot | SocketReader:
    """A Reader (firmware/channel.py).  Raises ValueError for an address that leads nowhere."""
    where, part = _split(address)
    if where.startswith(_INPROCESS):
        return _world(where).slot(part)
    return SocketReader(where, part)


def open_pad(address: str) -> Holder | SocketPad:
    """A PIN pad: Keys of firmware/drivers/pad.py.  Raises ValueError."""
    where, part = _split(address)
    if part != "pad":
        raise ValueError(f"a simulated PIN pad is called #pad, not #{part}")
    return _world(where).holder if where.startswith(_INPROCESS) else SocketPad(where)


def _split(address: str) -> tuple[str, str]:
    where, mark, part = address.rpartition("#")
    if not (mark and where and part):
        raise ValueError(f"{address!r}: say PATH#SLOT or inprocess:NAME#SLOT")
    return where, part


def _world(where: str) -> World:
    name = where.removeprefix(_INPROCESS)
    if name not in _worlds:
        raise ValueError(f"no simulated world {name!r} in this process: register_inprocess() first")
    return _worlds[name]
