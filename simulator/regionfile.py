"""The state file of a region: one JSON object, replaced whole."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

FORMAT = 2


def write(path: Path, document: dict[str, Any]) -> None:
    """Temporary file, fsync, rename: after a power cut the old or the new state."""
    temporary = path.with_name(path.name + ".new")
    with open(temporary, "w", encoding="utf-8") as out:
        json.dump({"format": FORMAT, **document}, out, ensure_ascii=False)
        out.flush()
        os.fsync(out.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read(path: Path) -> dict[str, Any]:
    """Raises OSError, or ValueError when the file is not a region of this format."""
    document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"{path} is not a region of format {FORMAT}: make a new one")
    return document
