"""One batch file over a link that may fail at any byte: what came is kept and gone on from."""

from __future__ import annotations

import hashlib
from pathlib import Path

from firmware.journal.batch import MAX_BATCH
from office.errors import LinkError
from office.link import Link, Offer, Progress


def fetch(link: Link, offer: Offer, partial: Path, progress: Progress) -> bytes:
    """The whole file of `offer`, its SHA-256 proved.

    `partial` is the folder in which what has arrived stays after a LinkError, also for a later
    process; `forget` removes it when the batch has found its place.
    """
    if not 0 < offer.size <= MAX_BATCH:
        raise LinkError(706, f"batch {offer.batch} is said to have {offer.size} bytes")
    path = _path(offer, partial)
    for _ in range(2):  # the second time from its first byte, should the disk have spoilt the file
        _append_rest(link, offer, path, progress)
        content = path.read_bytes()
        if hashlib.sha256(content).digest() == offer.digest:
            return content
        path.unlink()
    raise LinkError(704, f"batch {offer.batch}")


def forget(offer: Offer, partial: Path) -> None:
    _path(offer, partial).unlink(missing_ok=True)


def _path(offer: Offer, partial: Path) -> Path:
    return partial / f"{offer.digest.hex()}.part"


def _append_rest(link: Link, offer: Offer, path: Path, progress: Progress) -> None:
    with path.open("ab") as file:
        if file.tell() > offer.size:
            file.truncate(0)
        held = file.tell() if file.tell() <= offer.size else 0
        progress(held, offer.size)
        for chunk in link.read_all(offer.batch, held, offer.size):
            file.write(chunk)
            file.flush()  # in the system's hands: a killed office goes on from here
            held += len(chunk)
            progress(held, offer.size)
