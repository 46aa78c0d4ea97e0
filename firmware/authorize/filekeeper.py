"""Which signed file of one kind is in force: found, verified, journaled when it is new.

    applied/<what>.cose    the one in force, kept by the card process
    down/<what>.cose       what the uplink brought
    a file that board.toml names, where the kind has one

Never an older one.  Fails closed: where a file was in force or is named and no good one is found,
its outcome stands in its place.  The data that follow a file's message are kept apart, on the disk
before applied/<what>.cose names them: a power cut leaves the old file in force or the new one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from firmware.authorize.refusals import Refusals
from firmware.authorize.unit import Unit
from firmware.journal import kinds as rec
from firmware.journal import spool
from firmware.journal.schema import JournalError
from firmware.journal.signedfile import (
    MAX_FILE,
    SignedFile,
    SignedFileError,
    signed_file,
    split,
)
from firmware.outcome import Outcome, outcome

APPLIED = "applied"

_Stamp = tuple[int, int, int]
Contents = TypeVar("Contents")
Kept = TypeVar("Kept", contravariant=True)


class Misfit(ValueError):
    """A good file that does not go with the one in force.  name: the outcome's."""

    def __init__(self, name: str, detail: str):
        super().__init__(detail)
        self.name = name


class NothingNew(ValueError):
    """A file that is passed over without a word: this unit knows already what it can believe."""


class DataStore(Protocol[Kept]):
    """Where the data of a kind of files are kept.  Raises ValueError for other data, OSError."""

    def open(self, held: Kept) -> None:
        """Give the contents in force the data that were kept for them."""

    def take(self, came: Kept, data: memoryview, held: Kept | None) -> None:
        """Keep what came, and give it to its contents.  Raises Misfit."""

    def sweep(self, held: Kept) -> None:
        """Forget the data of all others."""


@dataclass(frozen=True)
class _Found(Generic[Contents]):
    """A file whose signature and shape are good; data: what follows its message."""

    path: Path
    signed: SignedFile
    contents: Contents
    data: memoryview

    @property
    def number(self) -> int:
        return self.signed.number


@dataclass(frozen=True)
class FileKind(Generic[Contents]):
    """read: the contents of a verified file, ValueError when it has another shape.  put: in force
    from now on, or why there is none.  refused, older: names of outcomes.  data: where the data
    behind the message are kept; None: none may follow.  verify: the file of a message whose keys
    are not simply the office's newest; raises SignedFileError."""

    what: str
    read: Callable[[SignedFile], Contents]
    put: Callable[[Contents | Outcome], None]
    refused: str
    older: str
    data: DataStore[Contents] | None = None
    verify: Callable[[bytes], SignedFile] | None = None


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
        self._chain: tuple[bytes, ...] = ()  # of the office's keys, when the files were read
        self._missing_for = ""  # the outcome that stands in its place

    def look(self) -> None:
        """Put the newest good one in force.  Raises JournalError, OSError; then it looks again."""
        sources = [path for path in (self._own, self._down, self._named) if path is not None]
        stamps = {path: _stamp(path) for path in sources}
        before = self._stamps
        if stamps == before and self._chain == self._unit.office_keys.chain:
            return
        # At a start an older file beside the one in force is what came before it.
        changed = {path for path in sources if before and stamps[path] != before[path]}
        try:
            self._choose(sources, changed)
        except BaseException:
            if before is None and self._must_be_one():
                self._do_without(self._kind.refused)
            raise
        self._stamps = {path: _stamp(path) for path in sources}
        self._chain = self._unit.office_keys.chain

    def _must_be_one(self) -> bool:
        """One was in force, or is named; where the journal cannot tell, too."""
        try:
            return self._named is not None or self._unit.journal.applied(self._kind.what) > 0
        except JournalError:
            return True

    def _choose(self, sources: list[Path], changed: set[Path]) -> None:
        applied = self._unit.journal.applied(self._kind.what)
        found = [each for path in sources if (each := self._verified(path)) is not None]
        came = [each for each in found if each.path != self._own]
        held = next((each for each in found if each.path == self._own and self._opens(each)), None)
        newest = self._newest(came, held, applied)
        if newest is not None:
            self._put_in_force(newest, is_new=newest.number > applied, is_held=newest is held)
            for each in came:
                if each.path in changed:
                    self._refuse_if_older(each.signed, newest.signed)
        elif found and max(each.number for each in found) < applied:
            self._do_without(self._kind.older)
        elif applied or self._named is not None:
            self._do_without(self._kind.refused)

    def _newest(
        self, came: list[_Found[Contents]], held: _Found[Contents] | None, applied: int
    ) -> _Found[Contents] | None:
        """Of the ones that nothing newer followed; the one held before its equals."""
        lowest = applied if held is None else max(applied, held.number + 1)
        for each in sorted(came, key=lambda each: -each.number):
            if each.number >= lowest and self._takes(each, held):
                return each
        return held if held is not None and held.number >= applied else None

    def _opens(self, held: _Found[Contents]) -> bool:
        """The data that were kept for it are there and its own."""
        try:
            if self._kind.data is not None:
                self._kind.data.open(held.contents)
        except (ValueError, OSError) as error:
            self._refusals.add(held.signed.raw, self._kind.refused, f"{held.path.name}: {error}")
            return False
        return True

    def _takes(self, came: _Found[Contents], held: _Found[Contents] | None) -> bool:
        """The data behind it are its own, and on the disk now.  Raises OSError."""
        try:
            if self._kind.data is not None:
                in_force = None if held is None else held.contents
                self._kind.data.take(came.contents, came.data, in_force)
            elif came.data:
                raise ValueError("data follow its message")
        except ValueError as error:
            name = error.name if isinstance(error, Misfit) else self._kind.refused
            raw = came.signed.raw + came.data
            self._refusals.add(raw, name, f"{came.path.name}: {error}")
            return False
        return True

    def _put_in_force(self, newest: _Found[Contents], *, is_new: bool, is_held: bool) -> None:
        if not is_held:
            spool.write_atomic(self._own, newest.signed.raw)
        if is_new:
            body = {
                rec.KEY_WHAT: self._kind.what,
                rec.KEY_DIGEST: newest.signed.digest,
                rec.KEY_LAST: newest.number,
            }
            self._unit.journal.append(rec.KIND_APPLIED, body)
        self._kind.put(newest.contents)
        self._missing_for = ""
        if self._kind.data is not None:
            self._kind.data.sweep(newest.contents)

    def _refuse_if_older(self, came: SignedFile, held: SignedFile) -> None:
        if came.number < held.number:
            detail = f"number {came.number} came, number {held.number} is in force"
            self._refusals.add(came.raw, self._kind.older, detail)
        elif came.number == held.number and came.raw != held.raw:
            detail = f"number {held.number} is in force with other contents"
            self._refusals.add(came.raw, self._kind.refused, detail)

    def _verified(self, path: Path) -> _Found[Contents] | None:
        """What is in that file; None for one that is not there, or no good one."""
        if self._unit.board.office.public_key is None:
            return None
        refused = self._kind.refused
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_FILE + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._refusals.add(str(path).encode(), refused, f"{path.name}: {error}")
            return None
        try:
            message, data = split(raw)
            signed = self._signed(message)
            if signed.what != self._kind.what:
                raise ValueError(f"it is a {signed.what!r}")
            return _Found(path, signed, self._kind.read(signed), data)
        except NothingNew:
            return None
        except (SignedFileError, ValueError) as error:
            self._refusals.add(raw, refused, f"{path.name}: {error}")
            return None

    def _signed(self, message: bytes) -> SignedFile:
        """By the office's newest key; what is in force, by the key of its day.

        Raises SignedFileError, OSError.
        """
        if self._kind.verify is not None:
            return self._kind.verify(message)
        chain = self._unit.office_keys.chain
        for key in reversed(chain if self.is_in_force(message) else chain[-1:]):
            with contextlib.suppress(SignedFileError):
                return signed_file(message, key)
        raise SignedFileError("signed by another key, or altered")

    def is_in_force(self, message: bytes) -> bool:
        """It is the very one that was verified and kept.  Raises OSError."""
        return self._own.exists() and self._own.read_bytes() == message

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
