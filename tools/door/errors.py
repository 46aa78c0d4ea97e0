"""What the unit refuses a technician: a number that his side knows, and what it was about."""

from __future__ import annotations


class DoorError(Exception):
    """number: 14xx, a row of the technician's table of errors."""

    def __init__(self, number: int, detail: str = ""):
        super().__init__(f"{number}: {detail}")
        self.number, self.detail = number, detail
