"""How long an answer may take: the longest service, behind all that may wait before it."""

from __future__ import annotations

from firmware.board_sections import Purchase, Timing

_PINS_ENTERED = 3  # a change: the old one, and the new one twice
_JOBS = 5  # one being served, four that wait
_MARGIN_S = 30.0


def patience_s(timing: Timing, purchase: Purchase) -> float:
    waits_s = timing.card_wait_s + timing.removal_s
    entries = purchase.pin_attempts * _PINS_ENTERED
    return (waits_s + timing.pin_s * entries + _MARGIN_S) * _JOBS
