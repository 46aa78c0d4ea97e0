"""A batch crosses a serial line (issue: "real pyserial on a pty pair, framed, with a checksum,
resumable"), whatever the line does to it."""

import hashlib
import random
import threading

import pytest

from firmware.drivers.uart import open_uart
from firmware.uplink import frame, process
from firmware.uplink.frame import FrameReader, Message, encode_frame
from firmware.uplink.serial import SerialServer
from firmware.uplink.spool import Spool
from office.errors import LinkError
from office.fetch import fetch
from office.line import SerialLink
from tests.faulty_line import FaultyLine
from tests.waiting import SOON_S

CONTENT = random.Random(1).randbytes(30_011)


class Unit:
    """The uplink's end of a line in a thread; a restart makes everything new but the files."""

    def __init__(self, data_dir, device):
        self.data_dir = data_dir
        self.device = device
        self.start()

    def start(self):
        self._stop = threading.Event()
        self.server = SerialServer("unit-1", Spool(self.data_dir))
        self._thread = threading.Thread(
            target=process.serve_line,
            args=(self.server, lambda: open_uart(self.device, 115200), self._stop),
            daemon=True,
        )
        self._thread.start()

    def stop(self):
        self._stop.set()
        self._thread.join(SOON_S)
        assert not self._thread.is_alive()

    def restart(self):
        self.stop()
        self.start()


@pytest.fixture(autouse=True)
def _quick_stop(monkeypatch):
    monkeypatch.setattr("firmware.uplink.serial._READ_TIMEOUT_S", 0.05)


@pytest.fixture
def data_dir(tmp_path):
    Spool(tmp_path)
    (tmp_path / "out" / "00000003.batch").write_bytes(CONTENT)
    return tmp_path


@pytest.fixture
def rig(data_dir, tmp_path):
    """(line, unit, make_link); partial files lie in tmp_path."""
    links = []
    with FaultyLine() as line:
        unit = Unit(data_dir, line.unit)

        def make_link(timeout_s=0.06, attempts=60):
            for old in links:
                old.close()
            links.append(SerialLink(line.office, timeout_s=timeout_s, attempts=attempts))
            return links[-1]

        yield line, unit, make_link
        for link in links:
            link.close()
        unit.stop()


def pull(link, folder, progress=lambda held, size: None):
    return fetch(link, link.next_after(0), folder, progress)


def test_a_batch_crosses_a_good_line(rig, tmp_path):
    _, _, make_link = rig
    link = make_link(timeout_s=2)
    assert link.hello()[:3] == ("unit-1", 3, 3)
    assert pull(link, tmp_path) == CONTENT
    assert link.next_after(3) is None
    assert link.damaged_frames == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_batch_crosses_a_bad_line_byte_for_byte(rig, tmp_path, seed):
    """Dropped, flipped, doubled, cut and added bytes, in both directions."""
    line, unit, make_link = rig
    line._random.seed(seed)
    line.faults = 0.05
    link = make_link()
    offsets = []
    assert pull(link, tmp_path, lambda held, size: offsets.append(held)) == CONTENT
    link.put_receipt(3, b"receipt")
    link.hello()
    assert (unit.data_dir / "up" / "00000003.receipt").read_bytes() == b"receipt"
    assert offsets == sorted(set(offsets)), "a byte was written twice"
    assert line.spoilt > 0


@pytest.mark.parametrize("seed", range(2))
def test_a_signed_file_comes_down_a_bad_line(rig, seed):
    line, unit, make_link = rig
    line._random.seed(seed)
    line.faults = 0.05
    make_link().put_down("stoplist", CONTENT, lambda held, size: None)
    assert (unit.data_dir / "down" / "stoplist.cose").read_bytes() == CONTENT


def test_the_office_goes_on_where_its_last_process_stopped(rig, tmp_path):
    """Each process of the office gets a few chunks and dies; none is asked for twice."""
    _, _, make_link = rig
    starts, ends = [], [0]

    class Died(Exception):
        pass

    def die_after(chunks):
        seen = []

        def progress(held, size):
            seen.append(held)
            if len(seen) == 1:
                starts.append(held)
            if len(seen) > chunks:
                ends.append(held)
                raise Died

        return progress

    for _ in range(3):
        with pytest.raises(Died):
            pull(make_link(timeout_s=2), tmp_path, die_after(2))
    assert pull(make_link(timeout_s=2), tmp_path, die_after(100)) == CONTENT
    assert starts == ends
    assert len(starts) == 4


def test_the_unit_restarts_in_the_middle(rig, tmp_path):
    _, unit, make_link = rig
    restarts = []

    def progress(held, size):
        if held > 8192 * (len(restarts) + 1):
            restarts.append(held)
            unit.restart()

    assert pull(make_link(timeout_s=0.2), tmp_path, progress) == CONTENT
    assert len(restarts) >= 3


def test_the_unit_restarts_while_a_file_comes_down(rig):
    _, unit, make_link = rig
    restarts, seen = [], []

    def progress(held, size):
        seen.append(held)
        if held > 10_000 and not restarts:
            restarts.append(held)
            unit.restart()

    make_link(timeout_s=0.3).put_down("stoplist", CONTENT, progress)
    assert restarts
    assert seen == sorted(set(seen)), "it goes on where it stopped"
    assert (unit.data_dir / "down" / "stoplist.cose").read_bytes() == CONTENT


def test_a_cut_line_is_an_error_and_nothing_is_lost(rig, tmp_path):
    line, _, make_link = rig

    came = []

    def cut(held, size):
        came.append(held)
        line.is_cut = held >= 8192

    with pytest.raises(LinkError) as caught:
        pull(make_link(timeout_s=0.05, attempts=3), tmp_path, cut)
    assert caught.value.number == 702
    line.is_cut = False
    held = []
    assert pull(make_link(timeout_s=2), tmp_path, lambda now, _: held.append(now)) == CONTENT
    assert 8192 <= held[0] == came[-1] < len(CONTENT)


def test_a_second_office_at_the_same_device_is_told(rig):
    line, _, make_link = rig
    make_link()
    with pytest.raises(LinkError) as caught:
        SerialLink(line.office)
    assert caught.value.number == 701


def test_a_partial_file_that_the_disk_spoilt_is_fetched_again(rig, tmp_path):
    _, _, make_link = rig
    link = make_link(timeout_s=2)
    offer = link.next_after(0)
    (tmp_path / f"{offer.digest.hex()}.part").write_bytes(bytes(1000))
    assert fetch(link, offer, tmp_path, lambda held, size: None) == CONTENT


def test_a_unit_that_announces_another_digest_is_an_error(rig, tmp_path):
    _, _, make_link = rig
    link = make_link(timeout_s=2)
    offer = link.next_after(0)._replace(digest=bytes(32))
    with pytest.raises(LinkError) as caught:
        fetch(link, offer, tmp_path, lambda held, size: None)
    assert caught.value.number == 704


def test_the_next_batch_is_begun_while_one_arrives(rig, data_dir, tmp_path):
    """The line is not idle while a batch is verified; what was fetched ahead is the right file."""
    _, _, make_link = rig
    other = random.Random(2).randbytes(9_000)
    (data_dir / "out" / "00000005.batch").write_bytes(other)
    link = make_link(timeout_s=20)
    to_write, sent = link._asker.to_write, FrameReader()
    asked = []

    def noted(now_s):
        questions = to_write(now_s)
        asked.extend((each.kind, *each.fields[:2]) for each in sent.feed(questions))
        return questions

    link._asker.to_write = noted
    assert pull(link, tmp_path) == CONTENT
    assert (frame.READ, 5, 0) in asked
    assert fetch(link, link.next_after(3), tmp_path, lambda held, size: None) == other
    assert asked.count((frame.READ, 5, 0)) == 1
    assert fetch(link, link.next_after(0), tmp_path, lambda held, size: None) == CONTENT
    assert link.next_after(5) is None


def test_a_late_answer_is_not_taken_for_anothers(rig):
    """An answer with another id, though it fits the question, is passed over."""
    _, unit, make_link = rig
    answer = unit.server.answer

    def answer_with_an_old_one_before(message):
        ident = message.ident ^ 1 << 40  # never asked; those just below are of earlier tries
        old = Message(frame.ANSWER + frame.HELLO, ident, ("another", None, None, 0))
        unit_line.write(encode_frame(old))
        return answer(message)

    opened = []

    class Line:
        def write(self, data):
            opened[0].write(data)

    unit_line = Line()
    unit.stop()
    unit._stop = threading.Event()
    unit.server.answer = answer_with_an_old_one_before

    def open_line():
        opened.insert(0, open_uart(unit.device, 115200))
        return opened[0]

    unit._thread = threading.Thread(
        target=process.serve_line, args=(unit.server, open_line, unit._stop), daemon=True
    )
    unit._thread.start()
    assert make_link(timeout_s=20).hello().unit == "unit-1"


def test_the_last_answer_of_a_file_is_lost_and_the_unit_restarts(data_dir):
    """Its last chunk sent again is answered with the whole size; nothing is written twice."""
    content = b"signed"
    question = Message(frame.DOWN, 7, ("stoplist", 6, hashlib.sha256(content).digest(), 0, content))
    assert SerialServer("unit-1", Spool(data_dir)).answer(question).fields == ("stoplist", 6, 1)
    written = (data_dir / "down" / "stoplist.cose").stat().st_ino
    last = question._replace(fields=(*question.fields[:3], 5, content[5:]))
    assert SerialServer("unit-1", Spool(data_dir)).answer(last).fields == ("stoplist", 6, 1)
    assert (data_dir / "down" / "stoplist.cose").stat().st_ino == written


QUESTIONS = [
    ((99, ()), frame.NOT_UNDERSTOOD),
    ((frame.HELLO, (1,)), frame.NOT_UNDERSTOOD),
    ((frame.NEXT, ("x",)), frame.NOT_UNDERSTOOD),
    ((frame.READ, (3, 0)), frame.NOT_UNDERSTOOD),
    ((frame.READ, (4, 0, 10)), frame.NO_SUCH_BATCH),
    ((frame.READ, (2**64 - 1, 0, 10)), frame.NO_SUCH_BATCH),
    ((frame.READ, (3, 0, frame.MAX_CHUNK + 1)), frame.OUT_OF_BOUNDS),
    ((frame.READ, (3, 2**64 - 1, 10)), frame.OUT_OF_BOUNDS),
    ((frame.RECEIPT, (4, b"x")), frame.NO_SUCH_BATCH),
    ((frame.RECEIPT, (3, b"")), frame.OUT_OF_BOUNDS),
    ((frame.RECEIPT, (3, bytes(frame.MAX_RECEIPT + 1))), frame.OUT_OF_BOUNDS),
    ((frame.DOWN, ("../x", 1, bytes(32), 0, b"x")), frame.OUT_OF_BOUNDS),
    ((frame.DOWN, ("x", frame.MAX_DOWN + 1, bytes(32), 0, b"x")), frame.OUT_OF_BOUNDS),
    ((frame.DOWN, ("x", 1, bytes(32), 0, b"x")), frame.OUT_OF_BOUNDS),  # another digest
]


@pytest.mark.parametrize(("question", "error"), QUESTIONS)
def test_an_odd_question_gets_a_numbered_answer(data_dir, question, error):
    """And no question, however odd, ends the line or writes outside."""
    server = SerialServer("unit-1", Spool(data_dir))
    kind, fields = question
    answer = server.answer(Message(kind, 7, fields))
    assert (answer.kind, answer.ident, answer.fields[0]) == (frame.ERROR, 7, error)
    assert sorted(path.name for path in data_dir.rglob("*")) == [
        "00000003.batch", "down", "out", "up",
    ]  # fmt: skip


def test_a_full_disk_is_answered(data_dir, monkeypatch):
    """Issue "Bad input": a full disk.  The batch stays, the office hears the cause."""
    server = SerialServer("unit-1", Spool(data_dir))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("firmware.journal.spool.write_atomic", full)
    answer = server.answer(Message(frame.RECEIPT, 7, (3, b"receipt")))
    assert answer.fields == (frame.STORAGE_FAILED, "No space left on device")


def test_damaged_frames_are_counted(rig):
    """Outcome FRAME_DAMAGED: counted by the unit, told in the answer to hello."""
    _, _, make_link = rig
    link = make_link(timeout_s=2)
    assert link.hello().damaged_frames == 0
    spoilt = bytearray(encode_frame(Message(frame.HELLO, 1)))
    spoilt[4] ^= 0x10
    link._port.write(spoilt * 3)
    assert link.hello().damaged_frames == 3
