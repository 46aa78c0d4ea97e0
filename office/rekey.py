"""A new signing key of the office, in place of the one before, without touching a unit.

    1  office.key.next (0600)           the new seed, on the disk
    2  `officekey`, one transaction     names the new key, signed by the old one
    3  office.key.next -> office.key    then office.pub
    4  every file in force              signed anew, under the next number

Cut off after 1, the new seed is forgotten at the next attempt; after 2, the next command on this
folder does 3; after 3, `sscoffice officekey resign` does 4.  Receipts are signed anew
when a unit asks for them again.  The X25519 key that personal values are sealed to stays.
"""

from __future__ import annotations

from firmware.journal import cose, sealed
from firmware.journal.cose import SEED_LENGTH, Ed25519Signer, new_seed
from firmware.journal.signedfile import (
    OFFICEKEY,
    OPERATORS,
    PARAMETERS,
    STOPLIST,
    UNITSTOP,
    UPDATE,
)
from office import secretfile, signedfiles, stoplist
from office.errors import OfficeError
from office.folder import HPKE, NEXT_KEY, SEALING, SIGNING, Folder

BEFORE, NEW_TREE = 3, 4
"""Keys of the body beside those of folder.py (docs/records.md)."""

_ONE_FOR_ALL = (OPERATORS, PARAMETERS, UPDATE)


def rotate(folder: Folder, now_ms: int, *, is_new_tree: bool = False) -> bytes:
    """The officekey message for every unit; the folder signs with the new key from now on.

    is_new_tree: the office lost its tree for good, and units must forget the one they knew.
    Raises OfficeError 906, 909, 910.
    """
    fresh = folder.path / NEXT_KEY
    seed = new_seed()
    try:
        fresh.unlink(missing_ok=True)
        secretfile.create(fresh, seed)
        new = Ed25519Signer(seed)
        sealing = sealed.public_of(secretfile.read(folder.path / HPKE, SEED_LENGTH))
        body: dict[int, object] = {SIGNING: new.public_key, SEALING: sealing}
        before = signedfiles.newest(folder.store, OFFICEKEY)
        if before is not None:
            body[BEFORE] = before
        if is_new_tree:
            body[NEW_TREE] = True
        with folder.store.transaction():
            raw = signedfiles.sign(folder, OFFICEKEY, body, now_ms)
        folder.settle_key()
    except OSError as error:
        raise OfficeError(906, f"{folder.path}: {error.strerror}") from None
    resign(folder, now_ms)
    return raw


def resign(folder: Folder, now_ms: int) -> list[str]:
    """Sign anew whatever is in force under an earlier key; the names.  Raises OfficeError 909."""
    done = []
    raw = signedfiles.newest(folder.store, STOPLIST)
    if raw is not None and not _is_ours(folder, raw):
        stoplist.make(folder, now_ms)
        done.append(STOPLIST)
    held = [(what, signedfiles.newest(folder.store, what)) for what in _ONE_FOR_ALL]
    held += [(UNITSTOP, raw) for raw in _stops(folder).values()]
    for what, raw in held:
        if raw is not None and not _is_ours(folder, raw):
            with folder.store.transaction():
                signedfiles.sign(folder, what, signedfiles.body_of(raw), now_ms)
            done.append(what)
    return done


def _stops(folder: Folder) -> dict[str, bytes]:
    """The newest unitstop of each unit."""
    sql = "SELECT raw FROM signed_files WHERE what = ? ORDER BY number"
    return {
        signedfiles.body_of(bytes(raw))[1]: bytes(raw)
        for (raw,) in folder.store.rows(sql, UNITSTOP)
    }


def _is_ours(folder: Folder, raw: bytes) -> bool:
    return cose.peek1(raw).key_id == cose.key_id(folder.signer.public_key)
