"""The one thread that owns the store: grouping, bounds, and promises that are kept."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import pytest

from office import writer as writing
from office.errors import OfficeError, Refused
from office.writer import Busy, Writer
from tests.collector_rig import FakeIntake, receipt_of
from tests.waiting import SOON_S


def run(act, intake=None, seen=lambda group: None):
    """act(writer) with a running writer; closed afterwards."""
    intake = intake or FakeIntake()

    async def main():
        writer = Writer(lambda: contextlib.nullcontext(intake), seen)
        await writer.start()
        try:
            return await asyncio.wait_for(act(writer), 10)
        finally:
            await asyncio.wait_for(writer.close(), 10)

    return asyncio.run(main())


class Held(FakeIntake):
    """The first group waits until the test lets it go."""

    def __init__(self):
        super().__init__()
        self.entered, self.go = threading.Event(), threading.Event()
        self.before = self._hold

    def _hold(self):
        self.entered.set()
        assert self.go.wait(SOON_S)


def take_all(writer, contents):
    return asyncio.gather(*(writer.take(f"unit-{n}", each) for n, each in enumerate(contents)))


def test_what_waits_is_taken_together(monkeypatch):
    """While one commit waits for the disk, 40 batches come: one more transaction, then the rest."""
    monkeypatch.setattr(writing, "MOST_BATCHES", 30)
    intake, groups = Held(), []
    contents = [b"batch %d" % n for n in range(40)]

    async def act(writer):
        first = asyncio.create_task(writer.take("first", b"first"))
        await asyncio.to_thread(intake.entered.wait, SOON_S)
        rest = asyncio.gather(*(writer.take("u", each) for each in contents))
        await asyncio.sleep(0)
        assert writer.waiting == 40
        intake.go.set()
        return [await first, *await rest]

    taken = run(act, intake, groups.append)
    assert intake.groups == [1, 30, 10]
    assert [each.receipt for each in taken] == [receipt_of(c) for c in (b"first", *contents)]
    assert [len(each.answers) for each in groups] == [1, 30, 10]


def test_a_group_has_a_size_in_bytes(monkeypatch):
    monkeypatch.setattr(writing, "MOST_BYTES", 100)
    intake = Held()

    async def act(writer):
        first = asyncio.create_task(writer.take("first", b"first"))
        await asyncio.to_thread(intake.entered.wait, SOON_S)
        rest = take_all(writer, [bytes(60)] * 5)
        await asyncio.sleep(0)
        intake.go.set()
        await asyncio.gather(first, rest)

    run(act, intake)
    assert intake.groups == [1, 2, 2, 1]


@pytest.mark.parametrize(("batches", "size"), [(5, 1 << 20), (100, 1000)])
def test_a_queue_that_is_full_sends_away(monkeypatch, batches, size):
    monkeypatch.setattr(writing, "QUEUE_BATCHES", batches)
    monkeypatch.setattr(writing, "QUEUE_BYTES", size)
    intake = Held()

    async def act(writer):
        first = asyncio.create_task(writer.take("first", b"first"))
        await asyncio.to_thread(intake.entered.wait, SOON_S)
        waiting = [asyncio.create_task(writer.take("u", bytes(200))) for _ in range(5)]
        await asyncio.sleep(0)
        with pytest.raises(Busy) as caught:
            await writer.take("u", bytes(200))
        assert caught.value.retry_after_s >= 1
        intake.go.set()
        await asyncio.gather(first, *waiting)
        await writer.take("u", bytes(200))

    run(act, intake)


def test_a_refusal_is_an_answer_and_a_failed_store_tells_everyone(monkeypatch):
    monkeypatch.setattr(writing, "STORE_RETRY_S", 0.01)
    intake = FakeIntake()
    intake.refuse = lambda unit, content: 802 if content == b"odd" else None

    async def act(writer):
        odd, good = await take_all(writer, [b"odd", b"good"])
        assert isinstance(odd, Refused)
        assert (odd.number, good.receipt) == (802, receipt_of(b"good"))
        intake.before = lambda: (_ for _ in ()).throw(OfficeError(909, "gone"))
        failed = await asyncio.gather(
            *(writer.take("u", b"x%d" % n) for n in range(3)), return_exceptions=True
        )
        assert [each.number for each in failed] == [909] * 3
        intake.before = lambda: None
        while True:
            try:
                return await writer.take("u", b"later")
            except (Busy, OfficeError):  # told just before it stands back
                await asyncio.sleep(0.01)

    assert run(act, intake).receipt == receipt_of(b"later")


def test_nobody_hangs_while_the_store_is_away(monkeypatch):
    """Who waited in line is told at once, who comes is sent away."""
    monkeypatch.setattr(writing, "STORE_RETRY_S", SOON_S)
    monkeypatch.setattr(writing, "MOST_BATCHES", 1)
    intake = Held()

    def fail():
        intake._hold()
        raise OfficeError(909, "gone")

    intake.before = fail

    async def act(writer):
        waiting = asyncio.gather(
            *(writer.take("u", b"x%d" % n) for n in range(5)), return_exceptions=True
        )
        await asyncio.to_thread(intake.entered.wait, SOON_S)
        intake.before = lambda: None
        intake.go.set()
        failed = await asyncio.wait_for(waiting, SOON_S / 2)
        assert [each.number for each in failed] == [909] * 5
        with pytest.raises(Busy):
            await writer.take("u", b"early")

    run(act, intake)
    assert intake.groups == []


def test_what_waits_at_the_end_is_answered():
    intake = Held()

    async def main():
        writer = Writer(lambda: contextlib.nullcontext(intake))
        await writer.start()
        first = asyncio.create_task(writer.take("first", b"first"))
        await asyncio.to_thread(intake.entered.wait, SOON_S)
        rest = take_all(writer, [b"a", b"b"])
        await asyncio.sleep(0)
        closing = asyncio.create_task(writer.close())
        await asyncio.sleep(0.05)
        intake.go.set()
        await closing
        return [await first, *await rest]

    assert len(asyncio.run(main())) == 3


def test_a_client_that_left_disturbs_nobody():
    intake = Held()

    async def act(writer):
        first = asyncio.create_task(writer.take("first", b"first"))
        await asyncio.to_thread(intake.entered.wait, SOON_S)
        first.cancel()
        intake.go.set()
        return await writer.take("u", b"next")

    assert run(act, intake).receipt == receipt_of(b"next")
    assert ("first", b"first") in intake.held


def test_a_store_that_does_not_open_is_no_start():
    def fail():
        raise OfficeError(901, "nowhere")

    async def main():
        await Writer(fail).start()

    with pytest.raises(OfficeError, match="901"):
        asyncio.run(main())


def test_questions_are_answered_in_the_thread_of_the_store():
    async def act(writer):
        assert await writer.ask(lambda intake: intake.groups) == []
        with pytest.raises(KeyError):
            await writer.ask(lambda intake: {}["x"])
        return await writer.ask(lambda intake: threading.current_thread().name)

    assert run(act) == "writer"
