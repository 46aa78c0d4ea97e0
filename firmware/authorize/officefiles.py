"""Keepers of the office's smaller files: its keys, this unit's stop, parameters, a coming update.

Each puts what is in force into `unit`.  A stop that was in force and is gone stands: fails closed.
"""

from __future__ import annotations

from firmware.authorize import officekeys
from firmware.authorize.filekeeper import FileKeeper, FileKind, NothingNew
from firmware.authorize.officekeys import OfficeKeys
from firmware.authorize.parameters import Parameters
from firmware.authorize.refusals import Refusals
from firmware.authorize.unit import Unit, UnitStop, Update
from firmware.journal.receipt import forget_tree
from firmware.journal.signedfile import (
    OFFICEKEY,
    PARAMETERS,
    UNITSTOP,
    UPDATE,
    SignedFile,
    claimed_file,
)
from firmware.outcome import Outcome

REFUSED, OLDER = "OFFICE_FILE_REFUSED", "NEWER_OFFICE_FILE_HELD"
_MAX_TEXT = 64


def office_key_keeper(unit: Unit, refusals: Refusals) -> FileKeeper[OfficeKeys]:
    """Without a good one where one was in force, no receipt and no file is taken."""
    named = unit.board.office.public_key
    first = None if named is None else named.signing

    def put(keys: OfficeKeys | Outcome) -> None:
        if isinstance(keys, Outcome):
            unit.office_keys = OfficeKeys()
            return
        if keys.is_new_tree and keys.number > unit.journal.counter(_TREE_OF):
            forget_tree(unit.journal)
            unit.journal.set_counter(_TREE_OF, keys.number)
        unit.office_keys = keys

    def read(signed: SignedFile) -> OfficeKeys:
        assert first is not None  # filekeeper asks no file without it
        keys, is_proven = officekeys.follow(first, signed)
        if not is_proven and not keeper.is_in_force(signed.raw):
            raise NothingNew("board.toml names its key already, and nothing proves the rest")
        return keys

    kind = FileKind(OFFICEKEY, read, put, refused=REFUSED, older=OLDER, verify=claimed_file)
    keeper = FileKeeper(unit, refusals, kind)
    return keeper


_TREE_OF = "tree_of_officekey"
"""Counter: the officekey file whose new tree was begun already."""


def unit_stop_keeper(unit: Unit, refusals: Refusals) -> FileKeeper[UnitStop]:
    def put(stop: UnitStop | Outcome) -> None:
        unit.stop = stop

    def read(signed: SignedFile) -> UnitStop:
        match signed.body:
            case {1: str() as name, 2: bool() as is_stopped, 3: str() as reason}:
                if name != unit.board.unit.id:
                    raise ValueError(f"it is for unit {name[:_MAX_TEXT]!r}")
                return UnitStop(signed.number, is_stopped, reason[:_MAX_TEXT])
        raise ValueError("a unit stop is a map of a unit, a flag and a reason")

    kind = FileKind(UNITSTOP, read, put, refused=REFUSED, older=OLDER)
    return FileKeeper(unit, refusals, kind)


def parameters_keeper(unit: Unit, refusals: Refusals) -> FileKeeper[Parameters]:
    own = unit.board  # what board.toml says; a file changes what it names and nothing else

    def put(parameters: Parameters | Outcome) -> None:
        if isinstance(parameters, Outcome):
            parameters = Parameters(0, {})
        unit.board = parameters.applied_to(own)
        unit.parameters = parameters.number

    kind = FileKind(
        PARAMETERS,
        lambda signed: Parameters(signed.number, signed.body),
        put,
        refused=REFUSED,
        older=OLDER,
    )
    return FileKeeper(unit, refusals, kind)


def update_keeper(unit: Unit, refusals: Refusals) -> FileKeeper[Update]:
    """Verified, numbered and told; putting a release on the disk is not this process's work."""

    def put(update: Update | Outcome) -> None:
        unit.update = None if isinstance(update, Outcome) else update

    def read(signed: SignedFile) -> Update:
        match signed.body:
            case {1: str() as version, 2: bytes() as digest, 3: int() as size} if (
                0 < len(version) <= _MAX_TEXT and len(digest) == 32 and size > 0
            ):
                return Update(signed.number, version, digest, size)
        raise ValueError("an update is a map of a version, a SHA-256 and a size")

    kind = FileKind(UPDATE, read, put, refused=REFUSED, older=OLDER)
    return FileKeeper(unit, refusals, kind)
