"""The independent verifier in this process and as a command, for its tests."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

from tests.batch_cases import Case, cases, keys_of
from tests.batch_writer import (
    file_of,
    pack_parts,
)
from tools import verify_records as tool

TOOL = Path(tool.__file__)
CASES = cases()
KEYS = keys_of(CASES)


FIRST = CASES[4]  # pharmacy-7, 1..8


def known() -> tool.Keys:
    units = {unit: [tool.key_of(row) for row in rows] for unit, rows in KEYS["units"].items()}
    return tool.Keys(units, [tool.key_of(row) for row in KEYS["office"]])


def right(case: Case) -> bytes:
    return file_of(case.batch.statement(), pack_parts(case.batch.records))


def verdict_of(data: bytes, receipt_bytes: bytes | None = None) -> tuple[Any, ...]:
    """(class, space, offset) of a batch file, all None if it is right."""
    found = tool.Verdict("x.batch")
    try:
        tool.verify_batch(data, receipt_bytes, known(), found)
    except tool.Offence as offence:
        return offence.kind, offence.space, offence.at
    return None, None, None


def proof_verdict(data: bytes) -> Any:
    try:
        tool.verify_proof(data, known(), tool.Verdict("x.proof"))
    except tool.Offence as offence:
        return offence.kind
    return None


def run(*arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(TOOL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **more)


def folder_of(folder: Path, files: dict[str, bytes]) -> Path:
    (folder / "keys.json").write_text(json.dumps(KEYS))
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def packed_of(data: bytes) -> bytes:
    """The packed records of a file whose codec is 1."""
    return zlib.decompress(tool.content(data, list(tool.elements(data, 0))[3]))
