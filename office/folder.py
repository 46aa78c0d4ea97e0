"""The office's folder: its key, its store, and what is on its way or was refused.

office.key (0600)   Ed25519 seed, 32 bytes; whoever has it can sign receipts and stop lists
office.key.next     the key after it, for the moment in which the office changes it (rekey.py)
office.pub          both public keys as hex, a line each, for every unit's board.toml
office.former       public signing keys this office had before, oldest first, as hex, a line each
hpke.key (0600)     X25519, what opens personal values (reveal.py)
office.db           the store, unless
office.toml (0600)  names a PostgreSQL instead: store = "postgresql://..."
ca.key (0600)       the certificate authority's key, with ca.crt (ca.py)
tac.key (0600)      DTK roots, if the office holds any (tac.py); whoever has it can forge TACs
partial/            batch files that have not arrived whole
refused/            batch files that must not be stored, each with a .json telling why
"""

from __future__ import annotations

import json
import time
import tomllib
from pathlib import Path

from firmware.journal import cose, sealed
from firmware.journal.cose import SEED_LENGTH, Ed25519Signer, new_seed
from firmware.journal.signedfile import OFFICEKEY
from firmware.journal.spool import sync_folder, write_atomic
from office import ca, secretfile, tac
from office.errors import OfficeError
from office.postgres import SCHEMES, check_empty
from office.store import Store
from office.tac import TacKeys

KEY, PUB, DB, TAC_KEY = "office.key", "office.pub", "office.db", "tac.key"
HPKE = "hpke.key"
NEXT_KEY = "office.key.next"
FORMER = "office.former"
SIGNING, SEALING = 1, 2
"""Keys of the body of an `officekey` (docs/records.md)."""
SETTINGS = "office.toml"
_MAX_TAC_KEY = _MAX_SETTINGS = 1 << 16


class Folder:
    """An office that was made with `init`.  Raises OfficeError 901, 909, 910."""

    def __init__(self, path: Path):
        self.path = path
        self.partial = path / "partial"
        self.refused = path / "refused"
        self.store = Store(_place(path))
        self._read_key()
        try:
            self.settle_key()
        except OSError as error:
            raise OfficeError(906, f"{path}: {error.strerror}") from None

    def _read_key(self) -> None:
        self._key_file = _identity(self.path / KEY)
        self.signer = Ed25519Signer(_read_seed(self.path / KEY))

    def follow_key(self) -> None:
        """Sign with the key in force, if another process of this office changed it meanwhile.

        Raises OfficeError 910.
        """
        if _identity(self.path / KEY) != self._key_file:
            self._read_key()

    def settle_key(self) -> None:
        """Put the key beside in force, if the newest `officekey` names it: a change of the key was
        cut off, or is at that point (rekey.py).  Raises OSError."""
        fresh = self.path / NEXT_KEY
        if not fresh.exists():
            return
        sql = "SELECT raw FROM signed_files WHERE what = ? ORDER BY number DESC LIMIT 1"
        named = self.store.row(sql, OFFICEKEY)
        new = Ed25519Signer(_read_seed(fresh))
        body = {} if named is None else cose.decode(cose.peek1(bytes(named[0])).payload)[4]
        if body.get(SIGNING) != new.public_key:
            return
        self._keep_former(self.signer.public_key)
        fresh.replace(self.path / KEY)
        sync_folder(self.path)
        self._read_key()
        lines = f"{new.public_key.hex()}\n{body[SEALING].hex()}\n"
        write_atomic(self.path / PUB, lines.encode())

    def _keep_former(self, public_key: bytes) -> None:
        """What it signed must be verified later, too.  Raises OSError."""
        former = self.former_keys()
        if public_key not in former:
            lines = "".join(f"{each.hex()}\n" for each in [*former, public_key])
            write_atomic(self.path / FORMER, lines.encode())

    def former_keys(self) -> list[bytes]:
        """Public signing keys before the present one, oldest first.  Raises OfficeError 910."""
        path = self.path / FORMER
        try:
            return [bytes.fromhex(each) for each in path.read_text("ascii").split()]
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise OfficeError(910, f"{path}: {error}") from None

    def close(self) -> None:
        self.store.close()

    def authority(self) -> ca.Authority:
        """Who makes certificates here.  Raises OfficeError 910, 920."""
        return ca.load(self.path)

    def tac_keys(self) -> TacKeys:
        """The DTK roots this office holds; none is no error.  Raises OfficeError 910, 911."""
        path = self.path / TAC_KEY
        return tac.parse(secretfile.read(path, _MAX_TAC_KEY), path) if path.exists() else TacKeys()

    def keep_tac_keys(self, path: Path) -> TacKeys:
        """Take over a key file, in place of the one before.  Raises OfficeError 906, 910, 911."""
        raw = secretfile.read(path, _MAX_TAC_KEY)
        keys = tac.parse(raw, path)
        kept = self.path / TAC_KEY
        fresh = kept.with_suffix(".new")
        try:
            fresh.unlink(missing_ok=True)
            secretfile.create(fresh, raw)
            fresh.replace(kept)
            sync_folder(self.path)
        except OSError as error:
            raise OfficeError(906, f"{kept}: {error.strerror}") from None
        return keys


def _place(path: Path) -> Path | str:
    """Where the store is.  Raises OfficeError 910, 922."""
    settings = path / SETTINGS
    if not settings.exists():
        return path / DB
    try:
        found = tomllib.loads(secretfile.read(settings, _MAX_SETTINGS).decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise OfficeError(922, f"{settings}: not TOML") from None
    url = found.get("store")
    if found.keys() != {"store"} or not isinstance(url, str) or not url.startswith(SCHEMES):
        raise OfficeError(922, f'{settings}: store = "postgresql://...", nothing else')
    return url


def init(path: Path, name: str, url: str | None = None) -> str:
    """Make an office in that folder; the public key as hex.

    url: of an empty PostgreSQL database for the store; it is looked at before anything is made.
    Raises OfficeError 902, 906, 909, 922.
    """
    if url is not None and not url.startswith(SCHEMES):
        raise OfficeError(922, "--store postgresql://USER@HOST:PORT/DATABASE")
    if url is not None:
        check_empty(url)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any((path / each).exists() for each in (KEY, DB, SETTINGS, ca.KEY)):
            raise OfficeError(902, str(path))
        for folder in ("partial", "refused"):
            (path / folder).mkdir(exist_ok=True)
        ca.create(path, name, int(time.time() * 1000))
        seed = _create_seed(path / KEY)
        public_hex = Ed25519Signer(seed).public_key.hex()
        private_key = sealed.new_private_key()
        secretfile.create(path / HPKE, private_key)
        lines = f"{public_hex}\n{sealed.public_of(private_key).hex()}\n"
        write_atomic(path / PUB, lines.encode())
        Store(path / DB if url is None else url, create=True, name=name).close()
        if url is not None:
            secretfile.create(path / SETTINGS, f"store = {json.dumps(url)}\n".encode())
    except OSError as error:
        raise OfficeError(906, f"{path}: {error.strerror}") from None
    return public_hex


def _identity(path: Path) -> tuple[int, int] | None:
    """Another one when the file was replaced; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _create_seed(path: Path) -> bytes:
    seed = new_seed()
    secretfile.create(path, seed)
    return seed


def _read_seed(path: Path) -> bytes:
    seed = secretfile.read(path, SEED_LENGTH)
    if len(seed) != SEED_LENGTH:
        raise OfficeError(910, f"{path}: {len(seed)} bytes instead of {SEED_LENGTH}")
    return seed
