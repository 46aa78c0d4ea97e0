"""tools/verify_records.py, which shares no code with the firmware, over what many cuts left."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

from tools import verify_records


def verify(folder: Path) -> tuple[int, dict[str, str]]:
    """How many records were right, and what is wrong in which subfolder.

    In each: batches, their receipts, keys.json, and `count`, how many records there must be.
    """
    right, wrong = 0, {}
    for each in sorted(folder.iterdir()):
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            status = verify_records.main([str(each), "--json"])
        lines = said.getvalue().splitlines()
        offences = [line for line in lines if not _is_right(line)]
        count = sum(json.loads(line)["records"] for line in lines if _is_right(line))
        if status or offences:
            wrong[each.name] = f"the verifier ended with {status}: {offences}"
        elif count != int((each / "count").read_text()):
            wrong[each.name] = f"the verifier saw {count} records"
        else:
            right += count
    return right, wrong


def _is_right(line: str) -> bool:
    try:
        said: dict[str, Any] = json.loads(line)
    except ValueError:
        return False
    return bool(said.get("ok"))
