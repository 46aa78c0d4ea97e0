"""Back-off as data: full jitter between nothing and a limit that doubles, capped."""

from __future__ import annotations

import pytest

from firmware.uplink.backoff import CAP_S, delay_s, limit_s


@pytest.mark.parametrize(
    ("attempt", "limit"),
    [(0, 1), (1, 2), (2, 4), (3, 8), (7, 128), (8, 256), (9, 300), (40, 300), (10_000, 300)],
)
def test_the_limit_doubles_up_to_the_cap(attempt, limit):
    assert limit_s(attempt) == limit


def test_the_draw_is_spread_over_all_of_it():
    assert [delay_s(3, draw=lambda at=at: at) for at in (0.0, 0.5, 0.999)] == [0, 4, 7.992]
    assert delay_s(2, base_s=10, cap_s=15, draw=lambda: 0.5) == 7.5


def test_units_that_failed_together_do_not_come_back_together():
    """Of 2000 units after five failures no tenth of the time sees more than 14 %."""
    waits = [delay_s(5) for _ in range(2000)]
    assert max(waits) <= limit_s(5) < CAP_S
    tenths = [sum(1 for each in waits if int(each / limit_s(5) * 10) == at) for at in range(10)]
    assert max(tenths) < 280
