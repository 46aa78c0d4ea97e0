"""An update bundle at the technician's desk: who signed it and what it is, asked of rauc.

Of a verity bundle rauc checks here the signed manifest alone; each block of the rest is checked by
the unit as it reads it.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.image.layout import COMPATIBLE
from tools.technician import programs
from tools.technician.errors import FlashError
from tools.update import version
from tools.update.system_conf import text

PIECE = 1 << 20


@dataclass(frozen=True)
class Bundle:
    """version: as the signed manifest names it.  sha256: hex."""

    path: Path
    version: str
    sha256: str
    size: int


def load(path: Path, authority: Path, at: Callable[[int], None] = lambda done: None) -> Bundle:
    """at: hears how many bytes were read.  Raises FlashError 1001, 1416, 1417, 1423."""
    try:
        size = path.stat().st_size
        authority.read_bytes()
        sha256 = _digest(path, at)
    except OSError as error:
        raise FlashError(1423, f"{error.filename}: {error.strerror}") from None
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(folder, "system.conf")
        conf.write_text(
            text({}, keyring=authority.resolve(), formats="verity plain", data=Path(folder))
        )
        done = programs.run("rauc", f"--conf={conf}", "info", "--output-format=json", str(path))
    if done.returncode:
        raise FlashError(1416, programs.said(done))
    try:
        told = json.loads(done.stdout)
        named, product = str(told["version"]), told["compatible"]
        version.parse(named)
    except (ValueError, KeyError, TypeError):
        raise FlashError(1416, "rauc names no version of it") from None
    if product != COMPATIBLE:
        raise FlashError(1417, f"{product}"[:80])
    return Bundle(path, named, sha256, size)


def _digest(path: Path, at: Callable[[int], None]) -> str:
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
            done += len(piece)
            at(done)
    return digest.hexdigest()
