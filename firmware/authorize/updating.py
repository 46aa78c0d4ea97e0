"""What an update asks of the card process: to hold payments back, and to prove that it works.

Both run as errands, in the loop's own thread between two cards: no payment is under way.  A lease
ends by itself; a unit whose update died takes payments again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firmware.authorize.limits import check_psam
from firmware.authorize.unit import Unit
from firmware.journal import batch
from firmware.journal.schema import JournalError
from firmware.outcome import Fault, Outcome, outcome

MOST_S = 300
"""A lease is for so long at most: the unit restarts meanwhile, or takes payments again."""

Told = dict[str, Any]


def check_lease(params: Mapping[str, Any]) -> None:
    """Raises ValueError."""
    if not 0 <= params["seconds"] <= MOST_S:
        raise ValueError(f"seconds is 0 (give back) to {MOST_S}")


def lease(unit: Unit, params: Mapping[str, Any]) -> tuple[Outcome, Told]:
    """For so many seconds no card is spoken to and no payment begins; 0 gives it back."""
    seconds = int(params["seconds"])
    unit.held_until = unit.monotonic() + seconds
    return outcome("SERVED"), {"held_s": seconds}


def check_self_test(params: Mapping[str, Any]) -> None:
    """It has none."""


def self_test(unit: Unit, params: Mapping[str, Any]) -> tuple[Outcome, Told]:
    """Part -> None when it works, else why not; UNIT_FAULT when one does not.

    newest_ms: of the newest record, no moment before it is now; 0 where there is none.
    """
    parts = {
        "reader": _why_not(unit.cards_in_reach),
        "psam": _why_not(lambda: _look_at_psam(unit)),
        "journal": _why_not(lambda: _look_at_journal(unit)),
        "batch": _why_not(lambda: _seal(unit)),
    }
    is_good = all(why is None for why in parts.values())
    return outcome("SERVED" if is_good else "UNIT_FAULT"), {
        "parts": parts,
        "newest_ms": unit.clock.floor_ms,
    }


class _NotGood(Exception):
    """It answers, and is not what a payment needs."""


def _why_not(look: Any) -> str | None:
    try:
        look()
    except Fault as fault:
        return fault.what or type(fault).__name__
    except (_NotGood, JournalError, OSError) as error:
        return str(error) or type(error).__name__
    return None


def _look_at_psam(unit: Unit) -> None:
    """Asks the card itself: one that left since is not good."""
    if unit.psam.is_up:
        unit.psam.select(unit.psam.algorithms[0])
    if (refused := check_psam(unit)) is not None:
        raise _NotGood(refused.name)


def _look_at_journal(unit: Unit) -> None:
    if damaged := unit.journal.damaged_ranges():
        raise _NotGood(f"records are damaged: {damaged[:3]}")
    if not unit.journal.has_room:
        raise _NotGood("there is no room for records")


def _seal(unit: Unit) -> None:
    """Signs a batch and hands it out; where all was sealed already, the newest stands for it."""
    if batch.seal(unit.journal, unit.board.uplink.batch_records) is None:
        (sealed,) = unit.journal.row("SELECT coalesce(max(last), 0) FROM batches")
        if sealed < unit.journal.head()[0]:
            raise _NotGood("no batch can be sealed")
    batch.put_out(unit.journal)
