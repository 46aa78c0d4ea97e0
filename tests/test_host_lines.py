"""Lines of hosts: whatever comes, a line is whole, short and in time, or none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.host.lines import Idle, Lines, LineTooLong, LineTooSlow
from firmware.host.pace import AT_ONCE, EACH_S, Pace
from firmware.outcome import TransportError

MOST = 8


class Feed:
    """A link of a test: pieces and silences, in a time of its own."""

    def __init__(self, *pieces: bytes | float):
        self._pieces = list(pieces)
        self.now_s = 100.0

    def read(self, maximum: int, timeout_s: float) -> bytes:
        if not self._pieces:
            raise TransportError("gone", "removed")
        first = self._pieces.pop(0)
        if isinstance(first, float):
            step_s = min(first, timeout_s)
            self.now_s += step_s
            if first > step_s:
                self._pieces.insert(0, first - step_s)
            return b""
        if len(first) > maximum:
            self._pieces.insert(0, first[maximum:])
        return first[:maximum]

    def write(self, data: bytes) -> None:
        raise AssertionError("a reader does not write")

    def close(self) -> None: ...


def said(*pieces: bytes | float, most: int = MOST, idle_s: float | None = None) -> list[object]:
    """What comes of it: lines, and the names of what was wrong, to the end of the link."""
    feed, found = Feed(*pieces), []
    lines = Lines(feed, most, 10.0, idle_s, lambda: feed.now_s)
    while True:
        try:
            found.append(lines.next())
        except TransportError:
            return found
        except Idle:
            return [*found, Idle]
        except (LineTooLong, LineTooSlow) as error:
            found.append(type(error))


@pytest.mark.parametrize(
    ("pieces", "wanted"),
    [
        ((b"one\ntwo\n",), [b"one", b"two"]),
        ((b"o", b"n", b"e\nt", b"wo\n"), [b"one", b"two"]),
        ((b"one\r\n\n",), [b"one\r", b""]),
        ((b"12345678\n",), [b"12345678"]),
        ((b"123456789\nok\n",), [LineTooLong, b"ok"]),
        ((b"123456789", b"0" * 30, b"\nok\n"), [LineTooLong, b"ok"]),
        ((b"123456789", b"0\n", b"o", b"k\n"), [LineTooLong, b"ok"]),
        ((b"half", 10.5, b"ok\n"), [LineTooSlow, b"ok"]),
        ((b"ok\nhalf", 10.5, b"ok\n"), [b"ok", LineTooSlow, b"ok"]),
        ((b"h", 4.0, b"a", 4.0, b"l", 4.0, b"f\nok\n"), [LineTooSlow, b"f", b"ok"]),
        ((b"ha", 9.0, b"lf\n", 9.0, b"ok\n"), [b"half", b"ok"]),
        ((b"123456789", 11.0, b"ok\n"), [LineTooLong, LineTooSlow, b"ok"]),
        ((b"ha", 3600.0), [LineTooSlow]),
        ((3600.0, b"ok\n"), [b"ok"]),
        ((b"half",), []),
    ],
)
def test_lines_come_whole_or_not_at_all(pieces: tuple[bytes | float, ...], wanted: object) -> None:
    assert said(*pieces) == wanted


def test_silence_is_idle_and_a_drip_is_no_activity() -> None:
    assert said(b"ok\n", 299.0, b"ok\n", 302.0, b"ok\n", idle_s=300.0) == [b"ok", b"ok", Idle]
    drip = [each for _ in range(200) for each in (b"x", 2.0)]
    assert said(*drip, most=1000).count(LineTooSlow) == 200 // 6


def test_the_end_is_seen_while_nothing_comes() -> None:
    feed = Feed(3600.0)
    lines = Lines(feed, MOST, 10.0, None, lambda: feed.now_s)
    assert lines.next(lambda: feed.now_s > 105.0) is None
    assert feed.now_s < 107.0


@given(st.lists(st.binary(max_size=12), max_size=8), st.data())
def test_pieces_make_no_difference(texts: list[bytes], data: st.DataObject) -> None:
    """Requirement: framing.  The same bytes in any pieces are the same lines, none over MOST."""
    stream = b"\n".join(texts) + b"\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    found = said(*[each for each in pieces if each])
    assert found == said(stream)
    whole = [LineTooLong if len(line) > MOST else line for line in stream[:-1].split(b"\n")]
    assert found == whole


def test_the_pace_lets_a_burst_through_and_then_so_many_a_second() -> None:
    pace, now_s = Pace(), 50.0
    assert [pace.wait_s(now_s) for _ in range(AT_ONCE)] == [0.0] * AT_ONCE
    waited_s = 0.0
    for _ in range(50):
        wait_s = pace.wait_s(now_s)
        now_s += wait_s
        waited_s += wait_s
    assert waited_s == pytest.approx(50 / EACH_S)
    assert pace.wait_s(now_s + 3600) == 0.0
