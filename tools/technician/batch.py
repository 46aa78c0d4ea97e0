"""Several cards at once; one that fails stops no other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tools.technician.errors import FlashError
from tools.technician.writing import Written

MOST_AT_ONCE = 8


def run(names: list[str], write: Callable[[str], Written]) -> list[Written | FlashError]:
    """What came of each, in the order of `names`."""

    def one(name: str) -> Written | FlashError:
        try:
            return write(name)
        except FlashError as error:
            return error

    with ThreadPoolExecutor(min(MOST_AT_ONCE, len(names))) as workers:
        return list(workers.map(one, names))
