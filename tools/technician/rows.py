"""The form of a row of the technician's errors (errors.py, errors_door.py ...)."""

from __future__ import annotations

from typing import NamedTuple

DONE, FAILED, REFUSED, USAGE = 0, 1, 2, 64
"""Exit statuses.  REFUSED: nothing was written."""


class Row(NamedTuple):
    status: int
    cause_zh: str
    cause_en: str
    next_zh: str
    next_en: str
