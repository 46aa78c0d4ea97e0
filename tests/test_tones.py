"""The tunes of the buzzer as data: one for each sign, told apart by rhythm alone (issue D 4, 6)."""

from __future__ import annotations

import itertools

import pytest

from firmware.display import signs
from firmware.display.messages import MESSAGES
from firmware.display.tones import TUNES, tune
from firmware.outcome import outcomes

LONGEST_S = 4.0


def rhythm(sign: str, number: int | None) -> tuple[int, ...]:
    """As who cannot tell notes apart hears it: tenths of a tone's and a silence's length."""
    return tuple(
        each for beat in tune(sign, number) for each in (beat.on_ms // 10, beat.off_ms // 10)
    )


def test_every_sign_has_a_tune():
    assert set(TUNES) == set(signs.ALL)


def test_no_two_signs_sound_alike():
    for one, other in itertools.combinations(signs.ALL, 2):
        assert rhythm(one, None) != rhythm(other, None), (one, other)


def test_the_hundreds_of_an_outcome_are_counted_out():
    """A blind clerk counts: 2 beeps, it was the PIN."""
    for each in outcomes():
        sign = signs.SIGNS[each.name]
        assert len(tune(sign, each.number)) == len(TUNES[sign]) + each.number // 100, each


def test_no_two_kinds_of_outcome_sound_alike():
    heard: dict[tuple[int, ...], tuple[str, int]] = {}
    for each in outcomes():
        kind = (signs.SIGNS[each.name], each.number // 100)
        assert heard.setdefault(rhythm(kind[0], each.number), kind) == kind


def test_every_tune_can_be_played():
    for name in MESSAGES:
        number = next((each.number for each in outcomes() if each.name == name), None)
        beats = tune(signs.SIGNS[name], number)
        assert beats
        assert sum(each.on_ms + each.off_ms for each in beats) / 1000 <= LONGEST_S, name
        for each in beats:
            assert each.on_ms >= 20
            assert each.off_ms >= 0
            assert 100 <= each.hertz <= 4000


@pytest.mark.parametrize("sign", signs.ALL)
def test_a_quiet_unit_only_says_what_went_wrong(sign):
    is_loud = sign in (signs.REFUSED, signs.CALL, signs.FAULT)
    assert tune(sign, 201, is_quiet=True) == (tune(sign, 201) if is_loud else ())
