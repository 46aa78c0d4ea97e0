"""Which signed file of one kind is in force: found, verified, journaled when it is new.

    applied/<what>.cose    the one in force, kept by the card process
    down/<what>.cose       what the uplink brought
    a file that board.toml names, where the kind has one

Never an older one.  Fails closed: where a file was in force or is named and no good one is found,
its outcome stands in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from firmware.authorize.refusals import Refusals
from firmware.authorize.unit import Unit
from firmware.journal import record as rec
from firmware.journal import spool
from firmware.journal.cose import MAX_MESSAGE
from firmware.journal.signedfile import SignedFile, SignedFileError, signed_file
from firmware.outcome import Outcome, outcome

APPLIED = "applied"

_Stamp = tuple[int, int, int]
Contents = TypeVar("Contents")


@dataclass(frozen=True)
class FileKind(Generic[Contents]):
    """read: the contents of a verified file, ValueError when it has another shape.  put: in force
    from now on, or why there is none.  refused, older: names of outcomes."""

    what: str
    read: Callable[[SignedFile], Contents]
    put: Callable[[Contents | Outcome], None]
    refused: str
    older: str


class FileKeeper(Generic[Contents]):
    def __init__(
        self, unit: Unit, refusals: Refusals, kind: FileKind[Contents], named: Path | None = None
    ):
        self._unit = unit
        self._refusals = refusals
        self._kind = kind
        folder = unit.board.unit.data_dir / APPLIED
        folder.mkdir(exist_ok=True)
        self._own = folder / f"{kind.what}.cose"
        self._down = spool.signed_file_path(unit.board.unit.data_dir, kind.what)
        self._named = named
        self._stamps: dict[Path, _Stamp | None] | None = None
        self._missing_for = ""  # the outcome that stands in its place

    def look(self) -> None:
        """Put the newest good one in force.  Raises JournalError, OSError; then it looks again."""
        sources = [path for path in (self._own, self._down, self._named) if path is not None]
        stamps = {path: _stamp(path) for path in sources}
        before = self._stamps
        if stamps == before:
            return
        # At a start an older file beside the one in force is what came before it.
        changed = {path for path in sources if before and stamps[path] != before[path]}
        try:
            self._choose(sources, changed)
        except BaseException:
            if before is None:
                self._do_without(self._kind.refused)
            raise
        self._stamps = {path: _stamp(path) for path in sources}

    def _choose(self, sources: list[Path], changed: set[Path]) -> None:
        applied = self._unit.journal.applied(self._kind.what)
        good = {path: each for path in sources if (each := self._verified(path)) is not None}
        newest = max(good.values(), key=lambda each: each[0].number, default=None)  # own before
        if newest is None:
            if applied or self._named is not None:
                self._do_without(self._kind.refused)
        elif newest[0].number < applied:
            self._do_without(self._kind.older)
        else:
            self._put_in_force(*newest, is_new=newest[0].number > applied)
            for path in changed & good.keys():
                self._refuse_if_older(good[path][0], newest[0])

    def _put_in_force(self, signed: SignedFile, contents: Contents, *, is_new: bool) -> None:
        if is_new:
            spool.write_atomic(self._own, signed.raw)
            body = {
                rec.KEY_WHAT: self._kind.what,
                rec.KEY_DIGEST: signed.digest,
                rec.KEY_LAST: signed.number,
            }
            self._unit.journal.append(rec.KIND_APPLIED, body)
        self._kind.put(contents)
        self._missing_for = ""

    def _refuse_if_older(self, came: SignedFile, held: SignedFile) -> None:
        if came.number < held.number:
            detail = f"number {came.number} came, number {held.number} is in force"
            self._refusals.add(came.raw, self._kind.older, detail)
        elif came.raw != held.raw:
            detail = f"number {held.number} is in force with other contents"
            self._refusals.add(came.raw, self._kind.refused, detail)

    def _verified(self, path: Path) -> tuple[SignedFile, Contents] | None:
        """What is in that file; None for one that is not there, or no good one."""
        key = self._unit.board.office.public_key
        if key is None:
            return None
        refused = self._kind.refused
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_MESSAGE + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._refusals.add(str(path).encode(), refused, f"{path.name}: {error}")
            return None
        try:
            signed = signed_file(raw, key)
            if signed.what != self._kind.what:
                raise ValueError(f"it is a {signed.what!r}")
            return signed, self._kind.read(signed)
        except (SignedFileError, ValueError) as error:
            self._refusals.add(raw, refused, f"{path.name}: {error}")
            return None

    def _do_without(self, name: str) -> None:
        if self._missing_for != name:
            self._missing_for = name
            self._kind.put(outcome(name))
            self._unit.show(name)


def _stamp(path: Path) -> _Stamp | None:
    """What changes when the file is another one; None when it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
