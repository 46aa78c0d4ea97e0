"""Several cards at once; one that fails stops no other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tools.technician.errors import FlashError
from tools.technician.holding import Held
from tools.technician.writing import Written

MOST_AT_ONCE = 8


def run(
    cards: list[Held], write: Callable[[Held], Written], stop: threading.Event
) -> list[Written | FlashError]:
    """What came of each, in the order of `cards`.  stop: set when the person stops it all."""

    def one(card: Held) -> Written | FlashError:
        try:
            return write(card)
        except FlashError as error:
            return error
        except OSError as error:
            return FlashError(1208, str(error))

    with ThreadPoolExecutor(min(MOST_AT_ONCE, len(cards))) as workers:
        try:
            return list(workers.map(one, cards))
        except KeyboardInterrupt:
            stop.set()
            raise
