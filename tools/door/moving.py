"""The act `backup`: the unit's settings, and every batch that the office has not receipted.

What is in no batch yet is sealed first.  No key of the unit's own leaves it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from firmware.board import BoardError, load
from firmware.journal import cose, spool
from tools.door.errors import DoorError
from tools.door.talk import Talk
from tools.update.card import ask, socket_of
from tools.update.places import from_environment

MOST_FILES, MOST_FILE = 64, 1 << 20  # bytes
MOST_BYTES = 200 << 20
MOST_SEALED = 100
SILENT = "the card process is silent"
STAYS = re.compile(r"ssh_host_.*|door-line\..*|\..*|.*\.new")


def backup(talk: Talk, request: dict[str, Any]) -> dict[str, Any]:
    """Raises DoorError 1405, 1430 when the card process could not seal."""
    places = from_environment()
    try:
        data_dir = load(places.board).unit.data_dir
    except (BoardError, OSError) as error:
        raise DoorError(1405, f"{error}"[:200]) from None
    _seal(socket_of(places), data_dir)
    batches = {path.name: path.read_bytes() for _, path in spool.batches(data_dir)}
    if sum(map(len, batches.values())) > MOST_BYTES:
        raise DoorError(1405, "too many batches wait: let the office collect them first")
    raw = cose.encode({1: _settings(places.etc), 2: batches})
    talk.tell({"bytes": len(raw)})
    talk.send(raw)
    return {"batches": len(batches)}


def _seal(socket: Path, data_dir: Path) -> None:
    """The self-test seals a batch each time, as long as there is something to seal.

    Raises DoorError 1430.
    """
    for _ in range(MOST_SEALED):
        before = spool.batches(data_dir)
        told: object = ask(socket, "update.selftest", {})
        for name in ("result", "parts"):
            told = told.get(name) if isinstance(told, dict) else None
        why = told.get("batch", SILENT) if isinstance(told, dict) else SILENT
        if why is not None:
            raise DoorError(1430, f"{why}"[:200])
        if spool.batches(data_dir)[-1:] == before[-1:]:
            return
    raise DoorError(1430, "records come faster than they are sealed")


def _settings(etc: Path) -> dict[str, bytes]:
    found = [each for each in sorted(etc.iterdir()) if each.is_file()]
    return {
        each.name: each.read_bytes()
        for each in found[:MOST_FILES]
        if not STAYS.fullmatch(each.name) and each.stat().st_size <= MOST_FILE
    }
