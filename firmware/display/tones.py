"""What the buzzer says of each message: its sign's tune, then, for an outcome that is no success,
as many short beeps as its number has hundreds (2 = the PIN, see docs/errors.md).

No two tunes are alike, also for who cannot tell the notes apart: they differ in rhythm.
"""

from __future__ import annotations

from typing import NamedTuple

from firmware.display import signs


class Beat(NamedTuple):
    """on_ms of a tone of that many Hz, then off_ms of silence."""

    on_ms: int
    off_ms: int
    hertz: int


TUNES: dict[str, tuple[Beat, ...]] = {
    signs.READY: (Beat(20, 0, 1200),),
    signs.INSERT: (Beat(80, 60, 1000), Beat(160, 0, 1500)),
    signs.READING: (Beat(40, 0, 1500),),
    signs.PIN: (Beat(60, 60, 1800), Beat(60, 0, 1800)),
    signs.WORKING: (Beat(60, 0, 2000),),
    signs.TAKE: (Beat(120, 120, 2000), Beat(120, 120, 2000), Beat(120, 0, 2000)),
    signs.DONE: (Beat(100, 20, 1047), Beat(100, 20, 1319), Beat(300, 0, 1568)),
    signs.REFUSED: (Beat(200, 50, 600), Beat(400, 0, 400)),
    signs.WAIT: (Beat(100, 0, 1000),),
    signs.CALL: (Beat(150, 0, 1000), Beat(150, 0, 800), Beat(150, 0, 1000), Beat(150, 0, 800)),
    signs.FAULT: tuple(Beat(150, 100, 400) for _ in range(5)),
    signs.STOPPED: (Beat(600, 0, 300),),
}
COUNTED = Beat(60, 140, 800)
PAUSE_MS = 400
"""Before the beeps that are counted."""
LOUD_WHEN_QUIET = (signs.REFUSED, signs.CALL, signs.FAULT)


def tune(sign: str, number: int | None, is_quiet: bool = False) -> tuple[Beat, ...]:
    """number: of the outcome, None for progress.  is_quiet: nothing but what went wrong."""
    if is_quiet and sign not in LOUD_WHEN_QUIET:
        return ()
    beats = TUNES[sign]
    hundreds = (number or 0) // 100
    if not hundreds:
        return beats
    *before, last = beats
    return (*before, last._replace(off_ms=PAUSE_MS), *[COUNTED] * hundreds)
