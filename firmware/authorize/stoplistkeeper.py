"""Which stop list is in force: found, verified, journaled when it is new, and never an older one.

    applied/stoplist.cose    the one in force, kept by the card process
    down/stoplist.cose       what the uplink brought
    stop_list.file           what a technician put there (board.toml)

Fails closed: where a list was in force or is named and no good one is found, nothing is paid.
"""

from __future__ import annotations

from pathlib import Path

from firmware.authorize.refusals import Refusals
from firmware.authorize.stoplist import StopList
from firmware.authorize.unit import Unit
from firmware.journal import record as rec
from firmware.journal import spool
from firmware.journal.cose import MAX_MESSAGE
from firmware.journal.signedfile import STOPLIST, SignedFile, SignedFileError, signed_file
from firmware.outcome import outcome

APPLIED = "applied"

_Stamp = tuple[int, int, int]


class StopListKeeper:
    def __init__(self, unit: Unit, refusals: Refusals):
        self._unit = unit
        self._refusals = refusals
        folder = unit.board.unit.data_dir / APPLIED
        folder.mkdir(exist_ok=True)
        self._own = folder / f"{STOPLIST}.cose"
        self._down = spool.signed_file_path(unit.board.unit.data_dir, STOPLIST)
        self._named = unit.board.stop_list.file
        self._stamps: dict[Path, _Stamp | None] | None = None

    def look(self) -> None:
        """Put the newest good list in force.  Raises JournalError, OSError; then it looks again."""
        sources = [path for path in (self._own, self._down, self._named) if path is not None]
        stamps = {path: _stamp(path) for path in sources}
        before = self._stamps
        if stamps == before:
            return
        # At a start an older list beside the one in force is what came before it.
        changed = {path for path in sources if before and stamps[path] != before[path]}
        try:
            self._choose(sources, changed)
        except BaseException:
            if before is None:
                self._stop_payments("STOP_LIST_REFUSED")
            raise
        self._stamps = {path: _stamp(path) for path in sources}

    def _choose(self, sources: list[Path], changed: set[Path]) -> None:
        applied = self._unit.journal.applied(STOPLIST)
        good = {path: each for path in sources if (each := self._verified(path)) is not None}
        newest = max(good.values(), key=lambda each: each[0].number, default=None)  # own before
        if newest is None:
            if applied or self._named is not None:
                self._stop_payments("STOP_LIST_REFUSED")
        elif newest[0].number < applied:
            self._stop_payments("NEWER_STOP_LIST_HELD")
        else:
            self._put_in_force(*newest, is_new=newest[0].number > applied)
            for path in changed & good.keys():
                self._refuse_if_older(good[path][0], newest[0])

    def _put_in_force(self, signed: SignedFile, stop_list: StopList, *, is_new: bool) -> None:
        if is_new:
            spool.write_atomic(self._own, signed.raw)
            body = {
                rec.KEY_WHAT: STOPLIST,
                rec.KEY_DIGEST: signed.digest,
                rec.KEY_LAST: signed.number,
            }
            self._unit.journal.append(rec.KIND_APPLIED, body)
        self._unit.stop_list = stop_list

    def _refuse_if_older(self, came: SignedFile, held: SignedFile) -> None:
        if came.number < held.number:
            detail = f"number {came.number} came, number {held.number} is in force"
            self._refusals.add(came.raw, "NEWER_STOP_LIST_HELD", detail)
        elif came.raw != held.raw:
            detail = f"number {held.number} is in force with other contents"
            self._refusals.add(came.raw, "STOP_LIST_REFUSED", detail)

    def _verified(self, path: Path) -> tuple[SignedFile, StopList] | None:
        """The list in that file; None for one that is not there, or no good one."""
        key = self._unit.board.office.public_key
        if key is None:
            return None
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_MESSAGE + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._refusals.add(str(path).encode(), "STOP_LIST_REFUSED", f"{path.name}: {error}")
            return None
        try:
            signed = signed_file(raw, key)
            if signed.what != STOPLIST:
                raise ValueError(f"it is a {signed.what!r}")
            return signed, StopList(signed.number, signed.body)
        except (SignedFileError, ValueError) as error:
            self._refusals.add(raw, "STOP_LIST_REFUSED", f"{path.name}: {error}")
            return None

    def _stop_payments(self, name: str) -> None:
        if self._unit.stop_list != outcome(name):
            self._unit.stop_list = outcome(name)
            self._unit.show(name)


def _stamp(path: Path) -> _Stamp | None:
    """What changes when the file is another one; None when it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
