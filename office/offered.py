"""The signed files that a unit may fetch: the newest of each name.

Of stop lists the newest whole one: what changed since an earlier list is of no use to a unit that
does not hold that list, and a collector does not know what a unit holds; `sscoffice push` sends
differences.  A stop of one unit (unitstop) is offered to that unit alone.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from firmware.journal.signedfile import (
    OFFICEKEY,
    STOPLIST,
    UNITSTOP,
    SignedFile,
    SignedFileError,
    claimed_file,
    signed_file,
)
from office import stoprows
from office.folder import Folder

_KEY_UNIT = 1  # of the body of a unitstop
_MOST_UNITSTOPS = 100_000


class Offered(NamedTuple):
    """size: of content, in bytes; digest: its SHA-256."""

    what: str
    number: int
    content: bytes
    digest: bytes

    @property
    def size(self) -> int:
        return len(self.content)


class Offers:
    """Keeps what was read last: every unit is offered the same few files."""

    def __init__(self, folder: Folder):
        self._folder = folder
        self._newest: dict[str, Offered] = {}
        self._state: list[tuple[object, ...]] = []
        self._stops: dict[str, Offered] = {}

    def of(self, unit: str) -> list[Offered]:
        """Raises OfficeError 909."""
        self._refresh()
        found = list(self._newest.values())
        if unit in self._stops:
            found.append(self._stops[unit])
        return found

    def everyones(self) -> tuple[list[Offered], dict[str, Offered]]:
        """(for all units, for one unit each).  Raises OfficeError 909."""
        self._refresh()
        return list(self._newest.values()), dict(self._stops)

    def _refresh(self) -> None:
        sql = "SELECT what, max(number) FROM signed_files GROUP BY what ORDER BY what"
        self._folder.follow_key()
        state = [*self._folder.store.rows(sql), (self._folder.signer.public_key,)]
        if state == self._state:
            return
        names = [str(what) for what, _ in state[:-1]]
        found = {what: self._find(what) for what in names if what != UNITSTOP}
        self._newest = {what: each for what, each in found.items() if each is not None}
        self._stops = self._find_stops() if UNITSTOP in names else {}
        self._state = state

    def _find(self, what: str) -> Offered | None:
        """Back to the newest one that is whole."""
        sql = "SELECT raw FROM signed_files WHERE what = ? ORDER BY number DESC LIMIT ?"
        for (raw,) in self._folder.store.rows(sql, what, stoprows.KEPT):
            if what == OFFICEKEY:  # signed by the key before: units follow the chain
                return _offered(claimed_file(bytes(raw)), b"")
            signed = self._read(bytes(raw))
            if signed is None:
                continue
            data = self._data(signed)
            if data is not None:
                return _offered(signed, data)
        return None

    def _find_stops(self) -> dict[str, Offered]:
        sql = "SELECT raw FROM signed_files WHERE what = ? ORDER BY number LIMIT ?"
        found: dict[str, Offered] = {}
        for (raw,) in self._folder.store.rows(sql, UNITSTOP, _MOST_UNITSTOPS):
            signed = self._read(bytes(raw))
            if signed is not None and isinstance(signed.body, dict):
                found[str(signed.body.get(_KEY_UNIT))] = _offered(signed, b"")
        return found

    def _read(self, raw: bytes) -> SignedFile | None:
        """None: signed by a key that is no longer ours, which no unit takes either."""
        try:
            return signed_file(raw, self._folder.signer.public_key)
        except SignedFileError:
            return None

    def _data(self, signed: SignedFile) -> bytes | None:
        """What follows the message; None when the file is not whole."""
        if signed.what != STOPLIST or stoprows.KEY not in signed.body:
            return b""
        if signed.body[stoprows.KEY][0] != 0:  # the base: only what changed since
            return None
        return stoprows.kept(self._folder.path, signed.number)


def _offered(signed: SignedFile, data: bytes) -> Offered:
    content = signed.raw + data
    return Offered(signed.what, signed.number, content, hashlib.sha256(content).digest())
