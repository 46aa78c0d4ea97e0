"""A unit says that batches wait: at once, then ever more rarely, and not while the office asks."""

from __future__ import annotations

import itertools

from firmware.uplink import announce
from firmware.uplink.announce import Announcer


class Waiting:
    def __init__(self, *batches):
        self.batches = list(batches)
        self.announcer = Announcer(lambda: self.batches, spread=lambda low, high: high)

    def said(self, start_s, end_s):
        """(second, batch) of every announcement, looked for each tenth of a second."""
        times = [start_s + tick / 10 for tick in range(int((end_s - start_s) * 10))]
        found = [(at, self.announcer.due(at)) for at in times]
        return [(round(at), batch) for at, batch in found if batch is not None]


def test_it_is_silent_while_nothing_waits():
    assert Waiting().said(0, 100) == []


def test_the_oldest_batch_at_once_and_then_ever_more_rarely():
    said = Waiting(4, 5).said(0, 400)
    assert [batch for _, batch in said] == [4] * len(said)
    apart = [two - one for (one, _), (two, _) in itertools.pairwise(said)]
    assert said[0][0] == 0
    assert apart[:6] == [1, 2, 4, 8, 16, 32]
    assert set(apart[6:]) == {announce.LONGEST_S}


def test_a_new_batch_is_said_at_once():
    waiting = Waiting(4)
    waiting.said(0, 300)
    waiting.batches.append(5)
    assert waiting.said(300, 303)[0] == (300, 4)


def test_it_is_silent_while_the_office_asks():
    waiting = Waiting(4)
    waiting.said(0, 3)
    waiting.announcer.asked(3)
    assert waiting.said(3, 3 + announce.QUIET_S) == []
    assert waiting.said(3 + announce.QUIET_S, 20) != []


def test_a_batch_the_office_never_receipts_is_said_once_a_minute_only():
    """Else an office that refuses it would fetch it all day long."""
    waiting, asked = Waiting(4), 0
    for second in range(3600):
        if waiting.announcer.due(second) is not None:
            asked += 1
            waiting.announcer.asked(second)
    assert 50 < asked < 70


def test_two_units_do_not_speak_in_time():
    one, two = (Announcer(lambda: [1]) for _ in range(2))
    ones, twos = (
        [at for at in range(6000) if each.due(at / 10) is not None] for each in (one, two)
    )
    assert ones != twos
