"""What the screen shows while a PIN is typed: stars and seconds, through the whole terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firmware.display.screen import Shown
from firmware.display.signs import PIN
from firmware.drivers.keyed import KeyedPad
from firmware.drivers.pad import Pad
from tests.loop_rig import issue, name_of, with_psam


class Keys:
    """Keys on the rig's clock, one each 0.3 s; then none."""

    def __init__(self, hands: Any, *names: str):
        self._hands, self._names = hands, list(names)

    def key(self, timeout_s: float, interrupted: Any) -> str | None:
        self._hands.wait(min(timeout_s, 0.3))
        return self._names.pop(0) if self._names and timeout_s > 0.2 else None


@pytest.mark.parametrize(
    ("typed", "name", "stars"),
    [
        ((*"123456", "confirm"), "APPROVED", [0, 1, 2, 3, 4, 5, 6]),
        ((*"12", "clear", *"123456", "confirm"), "APPROVED", [0, 1, 2, 0, 1, 2, 3, 4, 5, 6]),
        ((*"12", "cancel"), "PIN_CANCELLED", [0, 1, 2]),
        ((*"12",), "PIN_NOT_ENTERED", [0, 1, 2]),
    ],
)
def test_m1_stars_and_seconds_stand_on_the_pin_screen_and_nowhere_else(
    tmp_path: Path, typed: tuple[str, ...], name: str, stars: list[int]
) -> None:
    loop = with_psam(tmp_path, **{"pin_s = 1": "pin_s = 9"})
    drawn: list[Shown] = []
    loop.display._surfaces = (type("Surface", (), {"draw": lambda self, s: drawn.append(s)})(),)
    keys = Keys(loop.hands, *typed)
    loop.unit.pad = Pad(KeyedPad(keys, 5.0, loop.hands.monotonic))
    loop.unit.typed = loop.display.typed
    card = issue(loop)
    answer = loop.ask()
    loop.plan(0.5, loop.insert(card.label))
    loop.run(20)
    assert name_of(answer) == name
    assert {each.sign for each in drawn if each.entry.stars} == {PIN}
    entries = [
        each.entry for each in drawn if each.sign == PIN and each.entry.seconds_left is not None
    ]
    seen = [entry.stars for entry in entries]
    assert [n for at, n in enumerate(seen) if at == 0 or seen[at - 1] != n] == stars
    left = [entry.seconds_left for entry in entries if entry.seconds_left is not None]
    assert left[0] == 9
    assert max(left[-2:]) <= 6, "after a digit the shorter time counts"
    assert {each.entry.stars for each in loop.display.since()} == {0}, "none is remembered"
