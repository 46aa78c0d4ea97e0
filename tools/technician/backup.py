"""What of a unit may move to a new card: its settings and credentials, and its sealed batches.

The settings travel encrypted to a certificate (CMS, AES-256-GCM): keys of a PIN pad and credentials
are among them.  Batches leave as they are, in the form of a USB stick that the office reads
(office/drop.py): they are signed, and personal values in them are sealed for the office.  The
device key, the TLS key and the host key stay behind: a new card makes its own.
"""

from __future__ import annotations

import re
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path

from firmware.journal import cose
from firmware.journal.spool import write_atomic
from tools.technician import identity, programs
from tools.technician.card import Card
from tools.technician.errors import FlashError

FORMAT = 1
MAX_BACKUP = 8 << 20  # bytes of the encrypted file
MAX_BATCH = (4 << 20) + (64 << 10)
MAX_BATCHES = 10_000
STAYS = re.compile(r"\..*|ssh_host_.*|door-line\..*|.*\.new")
BATCH = re.compile(r"[0-9]{8,12}\.batch")
_UNIT = re.compile(r"[A-Za-z0-9-]{1,32}")


@dataclass(frozen=True)
class Backup:
    """files: those of /data/etc that travel, board.toml among them."""

    unit: str
    files: dict[str, bytes]


def may_travel(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if not STAYS.fullmatch(name)}


def write(backup: Backup, certificate: Path, target: Path) -> None:
    """Encrypted to that certificate.  Raises FlashError 1431, 1203."""
    inner = identity.pack(backup.files)
    raw = cose.encode({1: FORMAT, 2: backup.unit, 3: inner})
    done = programs.run(
        "openssl", "cms", "-encrypt", "-binary", "-aes-256-gcm", "-outform", "DER",
        str(certificate), sent=raw,
    )  # fmt: skip
    if done.returncode or not done.stdout:
        raise FlashError(1431, f"{certificate}: {programs.said(done)}")
    try:
        write_atomic(target, done.stdout)
        target.chmod(0o600)
    except OSError as error:
        raise FlashError(1203, f"{target}: {error.strerror}") from None


def read(source: Path, key: Path) -> Backup:
    """Raises FlashError 1432 for what the key does not open, or what is no backup."""
    try:
        with source.open("rb") as file:
            sealed = file.read(MAX_BACKUP + 1)
    except OSError as error:
        raise FlashError(1432, f"{source}: {error.strerror}") from None
    if len(sealed) > MAX_BACKUP:
        raise FlashError(1432, f"{source} is too large")
    done = programs.run(
        "openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-inkey", str(key), sent=sealed
    )
    if done.returncode:
        raise FlashError(1432, f"{source}: {programs.said(done)}")
    try:
        found = cose.decode(done.stdout, MAX_BACKUP)
    except cose.CoseError as error:
        raise FlashError(1432, f"{source}: {error}") from None
    match found:
        case {1: 1, 2: str() as unit, 3: bytes() as inner} if _UNIT.fullmatch(unit):
            return Backup(unit, identity.unpack(inner))
    raise FlashError(1432, f"{source} is no backup of this form")


def moved(backup: Backup, unit: str) -> dict[str, bytes]:
    """The identity of the new unit.  Raises FlashError 1301, 1433."""
    if unit == backup.unit or not _UNIT.fullmatch(unit):
        raise FlashError(1433, f"--unit {unit[:40]}")
    text = backup.files[identity.BOARD].decode()
    text = identity.set_key(text, "unit.id", f'"{unit}"')
    text = identity.set_key(text, "unit.replaces", f'"{backup.unit}"')
    files = backup.files | {identity.BOARD: text.encode()}
    identity.check(files)
    return files


def put_batches(unit: str, batches: dict[str, bytes], folder: Path) -> None:
    """As a USB stick holds them: FOLDER/ssc-drop/UNIT/out.  Raises FlashError 1203."""
    place = folder / "ssc-drop" / unit / "out"
    try:
        place.mkdir(parents=True, exist_ok=True)
        for name, data in sorted(batches.items()):
            write_atomic(place / name, data)
    except OSError as error:
        raise FlashError(1203, f"{place}: {error.strerror}") from None


def of_card(card: Card, unit: str | None = None) -> tuple[Backup, dict[str, bytes]]:
    """From a card that no unit runs from, and its batches.

    Raises FlashError 1430 where records are in no batch yet, 1301 without an identity.
    """
    with tempfile.TemporaryDirectory() as name:
        etc, out = Path(name, "etc"), Path(name, "out")
        for source, place in (("/etc", etc), ("/sscterm/out", out)):
            place.mkdir()
            _dump(card, source, place)
        journal = Path(name, "journal.db")
        for end in ("", "-wal"):
            found = card.data_file(f"/sscterm/journal.db{end}")
            if found is not None:
                Path(f"{journal}{end}").write_bytes(found)
        if journal.exists() and (left := unsealed(journal)):
            raise FlashError(1430, f"{left}")
        files = may_travel(_files(etc / "etc", identity.MAX_FILE))
        batches = _files(out / "out", MAX_BATCH)
    return backup_of(files), {k: v for k, v in batches.items() if BATCH.fullmatch(k)}


def backup_of(files: dict[str, bytes]) -> Backup:
    """Raises FlashError 1301."""
    identity.check(files)
    found = re.search(rb'(?ms)^\[unit\].*?^\s*id\s*=\s*"([A-Za-z0-9-]{1,32})"',
                      files.get(identity.BOARD, b""))  # fmt: skip
    if found is None:
        raise FlashError(1301, "board.toml names no unit.id")
    return Backup(found[1].decode(), files)


def unsealed(journal: Path) -> int:
    """Records that no batch holds yet.  Raises FlashError 1434 for what is no journal."""
    try:
        with sqlite3.connect(journal) as base:
            (newest,) = base.execute("SELECT coalesce(max(number), 0) FROM records").fetchone()
            (sealed,) = base.execute("SELECT coalesce(max(last), 0) FROM batches").fetchone()
    except sqlite3.Error as error:
        raise FlashError(1434, str(error)) from None
    return max(int(newest) - int(sealed), 0)


def _dump(card: Card, source: str, place: Path) -> None:
    """debugfs copies a folder; one that is not there leaves nothing."""
    at = f"{card.path}?offset={card.starts['data']}"
    programs.run("debugfs", "-R", f'rdump "{source}" "{place}"', at)


def _files(folder: Path, most: int) -> dict[str, bytes]:
    if not folder.is_dir():
        return {}
    found = [each for each in sorted(folder.iterdir()) if each.is_file() and not each.is_symlink()]
    return {each.name: each.read_bytes() for each in found if each.stat().st_size <= most}
