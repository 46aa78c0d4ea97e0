"""What outlives a start of the machine: the slot on trial, the slots' states, the version floor.

Small files on the data partition (ext4), each replaced whole: temporary file, fsync, rename, fsync
of the folder.  A file that is not there, or not readable, is the state of a new card.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.update.places import Places

_MOST = 4096  # bytes
_TRIAL, _STATE, _RESULT = "trial.json", "state.{}", "result.json"


@dataclass(frozen=True)
class Trial:
    """slot: installed and not kept yet.  was_started: the machine was told to try it."""

    slot: str
    was_started: bool = False


def trial(places: Places) -> Trial | None:
    try:
        found = json.loads(_read(places.state / _TRIAL))
        made = Trial(found["slot"], found["was_started"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return made if made.slot in ("A", "B") and isinstance(made.was_started, bool) else None


def set_trial(places: Places, new: Trial | None) -> None:
    path = places.state / _TRIAL
    if new is None:
        _remove(path)
    else:
        replace(path, json.dumps(asdict(new)))


def slot_state(places: Places, slot: str) -> str:
    """ "good" or "bad", as RAUC knows it."""
    try:
        return "bad" if _read(places.state / _STATE.format(slot)).strip() == "bad" else "good"
    except (OSError, ValueError):
        return "good"


def set_slot_state(places: Places, slot: str, state: str) -> None:
    replace(places.state / _STATE.format(slot), state)


def tell(places: Places, result: dict[str, object]) -> None:
    """How the last update ended, for whoever asks the unit."""
    replace(places.state / _RESULT, json.dumps(result, ensure_ascii=False))


def forget_result(places: Places) -> None:
    """A new update begins: what is told from now on is of this one."""
    _remove(places.state / _RESULT)


def last_result(places: Places) -> dict[str, object] | None:
    try:
        found = json.loads(_read(places.state / _RESULT))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def replace(path: Path, words: str) -> None:
    """The file holds these words, or what it held before; never something else.  Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = path.with_name(path.name + ".new")
    handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, words.encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    made.rename(path)
    _sync_folder(path.parent)


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_MOST).decode()
