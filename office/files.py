"""The files that a person names to `sscoffice`."""

from __future__ import annotations

from pathlib import Path

from firmware.journal.spool import write_atomic
from office.errors import OfficeError


def read(path: Path, limit: int) -> bytes:
    """At most limit + 1 bytes, so that whoever reads them sees what is too long.

    Raises OfficeError 906.
    """
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise OfficeError(906, f"{path}: {error.strerror}") from None


def write(path: Path | None, content: bytes) -> None:
    """Whole or not at all; nothing where no file was named.  Raises OfficeError 906."""
    if path is None:
        return
    try:
        write_atomic(path, content)
    except OSError as error:
        raise OfficeError(906, f"{path}: {error.strerror}") from None
