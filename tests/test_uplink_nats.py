"""The NATS link against a real nats-server: units publish, the office takes, receipts come back."""

from __future__ import annotations

import asyncio
import random
import signal
import time

import pytest

from firmware.uplink import subjects
from office.__main__ import main
from office.errors import OfficeError
from office.nats import NatsOffice, Server
from tests.collector_rig import FakeIntake, offer, receipt_of
from tests.link_rig import Office, Unit
from tests.nats_rig import (
    Bare,
    NatsServer,
    link_of,
    messages,
    on_server,
    provide,
    publish,
    pull,
    running,
)
from tests.waiting import until


@pytest.fixture
def server(tmp_path):
    with NatsServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture
def office(tmp_path):
    made = Office(tmp_path / "office")
    yield made
    if made.process is not None and made.process.poll() is None:
        made.end(signal.SIGKILL)


def test_batches_go_up_and_receipts_come_back(office, server, tmp_path, capsys):
    unit = Unit(office, tmp_path)
    assert pull(office, server, capsys)[0] == 2  # the streams are there from now on
    for serial in range(3):
        unit.seal(serial)
    with running(link_of(unit, server.url)):
        until(lambda: messages(server) == 3)
        status, told = pull(office, server, capsys)
        assert (status, told["batches"], told["records"]) == (0, 3, 12)
        until(lambda: len(unit.receipts()) == 3)
    assert office.numbers() == [("unit-1", n) for n in range(1, 13)]
    assert pull(office, server, capsys)[1]["batches"] == 0
    assert main(["check", "--dir", str(office.path), "--json"]) == 0


def test_a_unit_that_was_away_finds_every_receipt(office, server, tmp_path, capsys):
    """All of them, not the newest alone; and what it publishes again is dropped by the server."""
    unit = Unit(office, tmp_path)
    pull(office, server, capsys)
    for serial in range(3):
        unit.seal(serial)
    with running(link_of(unit, server.url)):
        until(lambda: messages(server) == 3)
    with running(link_of(unit, server.url)):
        time.sleep(0.5)
    assert messages(server) == 3
    assert unit.receipts() == []
    assert pull(office, server, capsys)[1]["batches"] == 3
    with running(link_of(unit, server.url)):
        until(lambda: len(unit.receipts()) == 3)


def test_a_server_killed_while_loading_loses_and_doubles_nothing(office, server, tmp_path):
    """kill -9, three times, under units that publish and an office that serves."""
    units = [Unit(office, tmp_path, f"unit-{n}", n) for n in range(1, 4)]
    for unit in units:
        for serial in range(8):
            unit.seal(serial)
    office.start("--nats", server.url)
    until(lambda: streams_are_there(server))
    with running(*(link_of(each, server.url) for each in units)):
        for _ in range(3):
            time.sleep(0.4)
            server.end(signal.SIGKILL)
            server.start()
        until(lambda: all(len(each.receipts()) == 8 for each in units))
    assert office.numbers() == [(f"unit-{u}", n) for u in range(1, 4) for n in range(1, 33)]
    assert office.end() == 0
    assert main(["check", "--dir", str(office.path), "--json"]) == 0


def streams_are_there(server):
    try:
        return messages(server) >= 0
    except Exception:
        return False


def test_an_office_killed_between_commit_and_receipt_answers_later(server, tmp_path):
    """What was stored and not acknowledged comes again and gets the same receipt."""
    intake, killed = FakeIntake(), []

    async def die(batches):
        intake.take(batches)
        killed.append(len(batches))
        raise OfficeError(909, "killed here")

    async def take(batches):
        return [receipted(each) for each in batches]

    def receipted(batch):
        intake.take([batch])
        return Answered(batch[1])

    class Answered:
        def __init__(self, content):
            self.batch, self.receipt = 1, receipt_of(content)

    async def nothing():
        return {}

    asyncio.run(NatsOffice(Server(server.url), take, nothing).run(lambda: False, idle_s=0.1))
    publish(server, "unit-1", b"content")
    with pytest.raises(OfficeError, match="909"):
        asyncio.run(NatsOffice(Server(server.url), die, nothing).run(lambda: False, idle_s=0.3))
    assert killed == [1]
    assert intake.held == {("unit-1", b"content"): 1}


def test_a_refused_batch_is_ended_and_its_unit_told(office, server, tmp_path, capsys, caplog):
    """Kept aside, no receipt, never delivered again; later batches still go."""
    unit = Unit(office, tmp_path)
    pull(office, server, capsys)
    content = unit.seal(0)
    path = unit.data_dir / "out" / "00000001.batch"
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with running(link_of(unit, server.url)):
        until(lambda: messages(server) == 1)
        status, told = pull(office, server, capsys)
        assert (status, [each["error"] for each in told["refused"]]) == (1, [802])
        until(lambda: "batch 1 is refused: 802" in caplog.text)
    assert unit.receipts() == []
    assert len(list((office.path / "refused").glob("*.batch"))) == 1
    assert pull(office, server, capsys)[0] == 2
    path.write_bytes(content)
    with running(link_of(unit, server.url)):
        until(lambda: messages(server) == 2)
        assert pull(office, server, capsys)[1]["batches"] == 1
        until(lambda: len(unit.receipts()) == 1)


def test_a_stranger_is_refused(office, server, tmp_path, capsys):
    unit = Unit(office, tmp_path)
    pull(office, server, capsys)
    publish(server, "unit-9", unit.seal(0), **{subjects.BATCH_NUMBER: "x" * 30})
    status, told = pull(office, server, capsys)
    assert status == 1
    assert told["refused"][0]["error"] in (801, 806)
    assert office.numbers() == []


def test_signed_files_come_down_in_pieces(server, tmp_path):
    """A file of several pieces, gone on with in the middle of one; a newer one replaces it."""
    content = random.Random(7).randbytes(3 * subjects.PIECE + 1000)
    offers = {"all": [offer("stoplist", content)], "unit-1": [offer("unitstop", b"stop")]}
    provide(server, offers)
    unit = Bare(tmp_path)
    digest = offer("stoplist", content).digest
    unit.spool.append_down("stoplist", digest, content[: subjects.PIECE + 500])
    down = unit.data_dir / "down"
    with running(link_of(unit, server.url)):
        until(lambda: (down / "unitstop.cose").exists())
    assert (down / "stoplist.cose").read_bytes() == content
    assert (down / "unitstop.cose").read_bytes() == b"stop"
    before = messages(server, subjects.DOWN)
    provide(server, {"all": [offer("stoplist", b"newer")]})
    assert messages(server, subjects.DOWN) == before - 5 + 1
    with running(link_of(unit, server.url)):
        until(lambda: (down / "stoplist.cose").read_bytes() == b"newer")


def test_a_spoilt_piece_is_not_taken(server, tmp_path, caplog):
    content = b"x" * 1000
    provide(server, {"all": [offer("stoplist", content)]})

    async def spoil(js):
        await js.publish(subjects.piece(offer("stoplist", content).digest, 0), b"y" * 1000)

    on_server(server, spoil)
    unit = Bare(tmp_path)
    with running(link_of(unit, server.url)):
        until(lambda: "stoplist' is not taken" in caplog.text)
    assert list((unit.data_dir / "down").iterdir()) == []
