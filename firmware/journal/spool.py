"""out/, up/ and down/ in data_dir: how the card process and the uplink process hand over files.

    out/<batch>.batch      card -> uplink, removed by card when the receipt verified
    up/<batch>.receipt     uplink -> card, removed by uplink once out/ lost the batch
    down/<what>.cose       uplink -> card, signed files from the office

<batch> is the batch number as at least eight digits, so that names sort as numbers do.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

OUT, UP, DOWN = "out", "up", "down"


def make_folders(data_dir: Path) -> None:
    """out/, up/ and down/, if they are not there."""
    for name in (OUT, UP, DOWN):
        (data_dir / name).mkdir(parents=True, exist_ok=True)


def batch_path(data_dir: Path, batch: int) -> Path:
    return data_dir / OUT / f"{batch:08d}.batch"


def receipt_path(data_dir: Path, batch: int) -> Path:
    return data_dir / UP / f"{batch:08d}.receipt"


def signed_file_path(data_dir: Path, what: str) -> Path:
    """Raises ValueError for a name that is no plain one."""
    if not (what.isascii() and what.isalnum()):
        raise ValueError("a signed file is named by ASCII letters and digits")
    return data_dir / DOWN / f"{what}.cose"


def batches(data_dir: Path) -> list[tuple[int, Path]]:
    """(batch number, path) of every sealed batch in out/, oldest first."""
    return _numbered(data_dir / OUT, ".batch")


def receipts(data_dir: Path) -> list[tuple[int, Path]]:
    """(batch number, path) of every receipt in up/, oldest first."""
    return _numbered(data_dir / UP, ".receipt")


def _numbered(folder: Path, suffix: str) -> list[tuple[int, Path]]:
    found = [
        (int(path.stem), path)
        for path in folder.glob(f"*{suffix}")
        if path.stem.isascii() and path.stem.isdigit()
    ]
    return sorted(found)


def write_atomic(path: Path, data: bytes) -> None:
    """Temporary file, fsync, rename, fsync of the folder: after a power cut all or nothing."""
    write_pieces(path, (data,))


def write_pieces(path: Path, pieces: Iterable[bytes]) -> None:
    """The same for what is not in memory at once; nothing when `pieces` raises."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with open(beside, "wb") as handle:
            for piece in pieces:
                handle.write(piece)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sweep(folder: Path) -> None:
    """Remove what a power cut left half written; for the folder's one writer, at its start."""
    for half_written in folder.glob(".*.new"):
        half_written.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove the file, if it is there, for good."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames and removals in it last."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
