"""The independent verifier over the batches of many cuts, in one run."""

from __future__ import annotations

from pathlib import Path

from firmware.journal import batch
from tests.journal_maker import TEST_DEVICE_KEY


def verify(folder: Path) -> tuple[int, dict[str, str]]:
    """How many records were right, and what is wrong in which subfolder."""
    right, wrong = 0, {}
    for each in sorted(folder.iterdir()):
        for path in sorted(each.glob("*.batch")):
            try:
                found = batch.parse_batch(path.read_bytes(), TEST_DEVICE_KEY.public_key)
                right += len(found.records)
            except batch.BatchError as error:
                wrong[each.name] = str(error)
    return right, wrong
