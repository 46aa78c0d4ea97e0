"""Ranges of positions behave like sets of positions."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from office.ranges import Ranges

_SPANS = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda pair: tuple(sorted(pair)))


@given(st.lists(st.tuples(st.booleans(), _SPANS), max_size=12), _SPANS)
def test_they_are_sets_of_positions(steps, window):
    ranges, model = Ranges(), set()
    for is_added, (start, end) in steps:
        (ranges.add if is_added else ranges.remove)(start, end)
        model = model | set(range(start, end)) if is_added else model - set(range(start, end))
        parts = list(ranges)
        assert {at for low, high in parts for at in range(low, high)} == model
        assert all(low < high for low, high in parts)
        assert all(one[1] < two[0] for one, two in pairwise(parts)), "apart and ascending"
        assert bool(ranges) == bool(model)
        assert not model or ranges.first[0] == min(model)
    inside = [at for low, high in ranges.within(*window) for at in range(low, high)]
    assert inside == sorted(model & set(range(*window)))
