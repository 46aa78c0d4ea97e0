"""`--self-test`: whether this unit, as it runs, is one to keep; an update asks it after its start.

The card process answers for reader, PSAM, journal and a batch; the rest is looked at from outside:
the uplink process holds its lock, and the certificate of a TLS link is valid today.  Whether the
office can be reached, and whether the clock is right, is told and not required: a unit is updated
where there is no line, too.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware.board import Board
from firmware.journal import spool, tlskey

Ask = Callable[[str, dict[str, Any]], Any]
"""(method, params) -> the result, or {"error": ...}.  Raises OSError where nothing answers."""

UPLINK_LOCK = "uplink.lock"
"""In up/, for of the data folder the uplink process of a unit may write that and down/ alone."""
PARTS = ("reader", "psam", "journal", "batch", "uplink", "certificate")


def hold_uplink_lock(data_dir: Path) -> int:
    """Kept open as long as the uplink process lives; shared, for it excludes nobody."""
    spool.make_folders(data_dir)
    handle = os.open(_lock(data_dir), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, fcntl.LOCK_SH)
    return handle


def _lock(data_dir: Path) -> Path:
    return data_dir / spool.UP / UPLINK_LOCK


def run(board: Board, ask: Ask, is_json: bool) -> bool:
    """Print what works and what does not; whether all of it does."""
    asked, newest_ms = _asked(ask)
    now, clock = _now(newest_ms / 1000)
    parts = {**asked, "uplink": _uplink(board), "certificate": _certificate(board, now)}
    is_good = all(parts[part] is None for part in PARTS)
    shown = {part: parts[part] or "ok" for part in PARTS}
    told = {"ok": is_good, "parts": shown, "clock": clock, "office": _office(board)}
    if is_json:
        print(json.dumps(told, ensure_ascii=False))
    else:
        for part, said in shown.items():
            print(f"  {'ok ' if said == 'ok' else 'NOT'}  {part:12} {said}")
        for name in ("clock", "office"):
            print(f"       {name:12} {told[name]}")
    return is_good


def _asked(ask: Ask) -> tuple[dict[str, str | None], int]:
    """What works, and when the newest record was written, ms; 0 where nobody says."""
    try:
        answer = ask("update.selftest", {})
        parts = answer["parts"]
        return {part: parts[part] for part in PARTS[:4]}, int(answer["newest_ms"])
    except OSError as error:
        why = str(error)
    except (KeyError, TypeError, ValueError):
        why = "the card process did not take the question"
    return dict.fromkeys(PARTS[:4], why), 0


def _now(newest: float) -> tuple[float, str]:
    """The moment to judge by, and what is to be said of the clock.  newest: of a record, s.

    A board without a clock, and without a network, starts at the hour of its release.  That is no
    fault of the release that runs now.
    """
    wall = time.time()
    if wall >= newest:
        return wall, "ok"
    said = f"not trusted: it says {_day(wall)}, the newest record is of {_day(newest)}"
    return newest, said


def _uplink(board: Board) -> str | None:
    try:
        handle = os.open(_lock(board.unit.data_dir), os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        return f"the uplink process never ran: {error.strerror}"
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    finally:
        os.close(handle)
    return "the uplink process does not run"


def _certificate(board: Board, now: float) -> str | None:
    """None too where no link needs one."""
    links = board.uplink
    if links.https is None and (links.http is None or not links.http.tls):
        return None
    path = board.unit.data_dir / tlskey.CERTIFICATE
    try:
        begins, ends = tlskey.validity(path)
    except (OSError, ValueError) as error:
        return f"{path.name}: {error}"
    if not begins <= now <= ends:
        return f"{path.name} is valid from {_day(begins)} to {_day(ends)}"
    return None


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(moment))


def _office(board: Board) -> str:
    """When the office was last heard, by the newest receipt."""
    heard = []
    for _, path in spool.receipts(board.unit.data_dir):
        with contextlib.suppress(FileNotFoundError):  # the card process took it meanwhile
            heard.append(path.stat().st_mtime)
    waiting = len(spool.batches(board.unit.data_dir))
    last = f"last receipt {_day(max(heard))}" if heard else "no receipt lies here"
    return f"{last}, {waiting} batches wait"
