"""Whatever a serial line does, the same bytes arrive or it ends in bounded time (issue: "sliding
window, selective resend, resume after a cut").  In virtual time, on the real protocol of both ends.
"""

from __future__ import annotations

import random
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.uplink import frame
from firmware.uplink.frame import Message, encode_frame
from firmware.uplink.spool import Spool
from office.asker import Asker
from office.errors import LinkError
from office.jobs import Once, Reading, Sending
from tests.simulated_line import RATE, SimulatedLine, whole

CONTENT = random.Random(7).randbytes(20_003)
TIMEOUT_S, ATTEMPTS = 2.0, 8
# 8 silences of at most 2 s each, and the time of the longest frames between them.
SILENT_S = ATTEMPTS * (TIMEOUT_S + 2 * 5000 / RATE)
LONGEST_S = 600.0


@contextmanager
def line_to(fate=whole, **options):
    with tempfile.TemporaryDirectory() as name:
        data_dir = Path(name)
        Spool(data_dir)
        (data_dir / "out" / "00000003.batch").write_bytes(CONTENT)
        line = SimulatedLine(data_dir, fate, **options)
        line.data_dir = data_dir
        yield line


def asker(ident=1000):
    return Asker(RATE, TIMEOUT_S, ATTEMPTS, ident)


def read(line, by, offset=0, longest_s=LONGEST_S):
    job = Reading(3, len(CONTENT))
    job.start_at(offset)
    by.post(job)
    line.run(by, job, longest_s)
    return job.take()


def send(line, by, content=CONTENT):
    job = Sending("stoplist", content)
    by.post(job)
    line.run(by, job, LONGEST_S)
    return (line.data_dir / "down" / "stoplist.cose").read_bytes()


class Faults:
    """The first frames suffer what is drawn, all later ones pass: a bounded line."""

    def __init__(self, drawn):
        self.drawn = list(drawn)
        self.old = []

    def __call__(self, piece):
        fault, at = self.drawn.pop(0) if self.drawn else ("pass", 0)
        self.old.append(piece)
        spoilt = bytearray(piece)
        spoilt[at % len(piece)] ^= 1 << at % 8
        return {
            "pass": [(0.0, piece)],
            "lose": [],
            "flip": [(0.0, bytes(spoilt))],
            "cut": [(0.0, piece[: at % len(piece)])],
            "twice": [(0.0, piece), (0.0, piece)],
            "late": [(0.01 * (at % 300), piece)],
            "noise": [(0.0, random.Random(at).randbytes(at % 200)), (0.0, piece)],
            "old": [(0.0, self.old[at % len(self.old)]), (0.0, piece)],
            "stranger": [(0.0, _stranger(at)), (0.0, piece)],
        }[fault]


def _stranger(at):
    """A whole frame, right in all but that nobody asked for it; now and then with a live id."""
    kinds = (frame.ANSWER + frame.READ, frame.READ, frame.ANSWER + frame.DOWN, 77, frame.ANNOUNCE)
    return encode_frame(Message(kinds[at % 5], at % 7, (3, 0, b"wrong" * 20)))


FAULTS = st.lists(
    st.tuples(
        st.sampled_from(
            ("pass", "lose", "flip", "cut", "twice", "late", "noise", "old", "stranger")
        ),
        st.integers(0, 10_000),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(FAULTS)
def test_the_same_bytes_come_up_whatever_the_line_does(drawn):
    with line_to(Faults(drawn)) as line:
        assert read(line, asker()) == CONTENT


@settings(max_examples=60, deadline=None)
@given(FAULTS)
def test_the_same_bytes_go_down_whatever_the_line_does(drawn):
    with line_to(Faults(drawn)) as line:
        assert send(line, asker()) == CONTENT


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.3, 1.0))
def test_a_line_that_never_gets_better_ends_or_delivers(seed, chance):
    """Loss without end: the bytes, or error 702; never an endless attempt, never wrong bytes."""
    rnd = random.Random(seed)
    with line_to(lambda piece: [] if rnd.random() < chance else [(0.0, piece)]) as line:
        try:
            came = read(line, asker(), longest_s=3000)
        except LinkError as error:
            came = error
        assert came == CONTENT or came.number == 702


def test_a_dead_line_ends_in_the_time_that_is_said():
    with line_to(lambda piece: []) as line:
        with pytest.raises(LinkError) as caught:
            read(line, asker())
        assert caught.value.number == 702
        assert line.now_s <= SILENT_S


def test_noise_without_end_is_a_dead_line():
    """A half-open line: something always comes, never an answer."""
    with line_to(lambda piece: [(0.1 * i, bytes(range(256))) for i in range(400)]) as line:
        with pytest.raises(LinkError) as caught:
            read(line, asker())
        assert caught.value.number == 702
        assert line.now_s <= SILENT_S


def frames_of_a_clean_transfer(act):
    with line_to() as line:
        act(line, asker())
        return line.frames


@pytest.mark.parametrize("act", [read, send], ids=["up", "down"])
def test_cut_and_gone_on_at_every_frame(act):
    """Behind any frame the line dies, both sides start anew, and what had come is not asked again:
    the asker's part of a file, the unit's own on the disk."""
    frames = frames_of_a_clean_transfer(act)
    assert frames > 12
    for last in range(frames):
        with line_to() as line:
            left = [last]

            def fate(piece, left=left):
                left[0] -= 1
                return [(0.0, piece)] if left[0] >= 0 else []

            line.fate = fate
            with pytest.raises(LinkError):
                act(line, asker(1000))
            line.fate = whole
            line.restart_unit()
            assert act(line, asker(5000)) == CONTENT, last


def test_what_had_come_before_a_cut_is_not_asked_for_again():
    with line_to() as line:
        by, job = asker(), Reading(3, len(CONTENT))
        line.fate = lambda piece: [(0.0, piece)] if line.frames < 12 else []
        by.post(job)
        with pytest.raises(LinkError):
            line.run(by, job, LONGEST_S)
        came = job.take()
        assert 0 < len(came) < len(CONTENT)
        line.fate, asked = whole, []
        answer = line.server.answer
        line.server.answer = lambda message: asked.append(message.fields[1]) or answer(message)
        assert came + read(line, asker(9000), len(came)) == CONTENT
        assert min(asked) == len(came)


def test_one_lost_frame_is_asked_for_once_more_and_nothing_else_is():
    """Selective: the frame behind the hole is kept.  Seen from the unit, every byte once but those
    of the lost answer."""
    with line_to() as line:
        asked = []
        answer = line.server.answer
        line.server.answer = lambda message: asked.append(message.fields) or answer(message)
        seen = [0]

        def lose_the_fourth_answer(piece):
            seen[0] += len(piece) > 1000
            return [] if len(piece) > 1000 and seen[0] == 4 else [(0.0, piece)]

        line.fate = lose_the_fourth_answer
        assert read(line, asker()) == CONTENT
        lost = asked[3]
        again = sum(length for _, _, length in asked) - len(CONTENT)
        assert again == lost[2]


def test_the_line_is_never_idle():
    """Of 20 KB in pieces, question after question, a line with 40 ms of delay carries as fast as it
    can: the whole takes the time of its bytes and one delay each way."""
    with line_to(delay_s=0.02) as line:
        by = asker()
        hello = Once(frame.HELLO)
        by.post(hello)
        line.run(by, hello, 10)
        started_s = line.now_s
        assert read(line, by) == CONTENT
        assert line.now_s - started_s < 1.03 * len(CONTENT) / RATE + 0.06


def test_a_line_far_slower_than_it_says_still_delivers(monkeypatch):
    """A radio modem behind a fast port: answers come later than expected, and count."""
    monkeypatch.setattr("tests.simulated_line.RATE", 960.0)
    with line_to() as line:
        assert read(line, asker()) == CONTENT


def test_strangers_are_counted():
    by = asker()
    by.feed(encode_frame(Message(frame.ANSWER + frame.READ, 5, (3, 0, b"x"))), 0.0)
    by.feed(encode_frame(Message(frame.ANNOUNCE, 5, (3, 0))), 0.0)
    assert by.strays == 2
    by.feed(b"\x00noise\x00", 0.0)
    assert by.damaged_frames == 1


def test_the_size_of_pieces_follows_the_damage():
    from office.window import ChunkSize

    chunk = ChunkSize()
    for _ in range(60):
        chunk.count(chunk.now, lost=False)
    assert chunk.now == frame.MAX_CHUNK
    for _ in range(300):
        chunk.count(chunk.now, lost=True)
    assert chunk.now == ChunkSize._LEAST
    for _ in range(2000):
        chunk.count(chunk.now, lost=False)
    assert chunk.now == frame.MAX_CHUNK


def test_a_unit_that_keeps_nothing_is_given_up():
    with line_to() as line:
        line.server.answer = lambda message: Message(133, message.ident, ("stoplist", 0, 0))
        with pytest.raises(LinkError) as caught:
            send(line, asker())
        assert caught.value.number == 702


def test_a_unit_restarted_behind_a_hole_is_sent_what_it_lost():
    """What waited in its memory is gone, though it was said to be kept."""
    with line_to() as line:
        restarts, large = [], [0]

        def fate(piece):
            large[0] += len(piece) > 1000
            if line.server._descent._ahead and not restarts:
                restarts.append(len(line.server._descent._ahead))
                line.restart_unit()
            return [] if len(piece) > 1000 and large[0] == 3 else [(0.0, piece)]

        line.fate = fate
        assert send(line, asker(), CONTENT * 3) == CONTENT * 3
        assert len(restarts) == 1


def test_a_unit_that_answers_with_less_than_was_asked_for():
    """What a short answer leaves is asked for again."""
    with line_to() as line:
        answer = line.server.answer

        def short(message):
            kind, ident, fields = message
            if kind == frame.READ:
                fields = (*fields[:2], min(fields[2], 700))
            return answer(Message(kind, ident, fields))

        line.server.answer = short
        assert read(line, asker()) == CONTENT
