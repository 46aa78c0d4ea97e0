"""The NATS link against a real nats-server: units publish, the office takes, receipts come back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import threading
import time

import pytest
from nats.aio.client import Client

from firmware.journal.cose import Ed25519Signer
from firmware.uplink import nkey, subjects
from firmware.uplink.nats import NatsLink
from firmware.uplink.spool import Spool
from office.__main__ import main
from office.errors import OfficeError
from office.nats import NatsOffice, Server
from tests.collector_rig import FakeIntake, offer, receipt_of
from tests.link_rig import Office, Unit
from tests.nats_rig import NatsServer, free_port
from tests.office_rig import Terminal
from tests.tls_rig import give_office


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


def link_of(unit, url, **options):
    settings = {"ca": None, "credentials": None, "poll_s": 300, "draw": lambda: 0.05} | options
    return NatsLink("unit-1" if unit is None else unit.terminal.unit, unit.spool, unit.data_dir,
                    url, **settings)  # fmt: skip


@contextlib.contextmanager
def running(*links):
    """Each in a thread of its own, until the end of the `with`."""
    stop = threading.Event()
    threads = [threading.Thread(target=each.run, args=(stop,)) for each in links]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(15)
        assert not any(thread.is_alive() for thread in threads)


def until(probe, within_s=40.0):
    ends = time.monotonic() + within_s
    while not (found := probe()):
        assert time.monotonic() < ends, "not in time"
        time.sleep(0.02)
    return found


def pull(office, server, capsys, *options):
    """`sscoffice pull --nats`: (exit status, what it says)."""
    capsys.readouterr()
    command = ["pull", "--dir", str(office.path), "--nats", server.url, "--json", *options]
    status = main(command)
    return status, json.loads(capsys.readouterr().out)


def on_server(server, act):
    """act(JetStream context) of a client of the test's."""

    async def run():
        client = Client()
        await client.connect(server.url)
        try:
            return await act(client.jetstream(timeout=5))
        finally:
            await client.close()

    return asyncio.run(run())


def messages(server, stream=subjects.BATCHES):
    async def act(js):
        return (await js.stream_info(stream)).state.messages

    return on_server(server, act)


def test_batches_go_up_and_receipts_come_back(office, server, tmp_path, capsys):
    unit = Unit(office, tmp_path)
    assert pull(office, server, capsys)[0] == 0  # the streams are there from now on
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
        until(lambda: all(len(each.receipts()) == 8 for each in units), 60)
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


def publish(server, unit, content, **headers):
    async def act(js):
        return await js.publish(subjects.batch(unit), content, headers=headers or None)

    return on_server(server, act)


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
    assert pull(office, server, capsys)[0] == 0
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


class Bare:
    """unit-1 without an office."""

    def __init__(self, folder):
        self.data_dir, self.terminal = folder / "unit-1", Terminal()
        self.spool = Spool(self.data_dir)


def provide(server, offers, leaves=(), hub=None):
    async def take(batches):
        return []

    async def offered():
        return offers

    at = Server(server.url, leaves=leaves, hub=hub)
    asyncio.run(NatsOffice(at, take, offered).run(lambda: False, idle_s=0.1))


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


# -- who may speak -------------------------------------------------------------------------------


def test_a_seed_is_read_as_nats_writes_it(tmp_path):
    """The pair that the NATS documentation shows."""
    path = tmp_path / "creds"
    path.write_text("SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY\n")
    path.chmod(0o600)
    read = nkey.read(path)
    assert read.public == "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"
    assert read.jwt is None
    path.write_text(
        "-----BEGIN NATS USER JWT-----\nabc.def\n------END NATS USER JWT------\n\n"
        "-----BEGIN USER NKEY SEED-----\n"
        "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY\n"
        "------END USER NKEY SEED------\n"
    )
    assert nkey.read(path).jwt == "abc.def"
    assert "SUAC" not in repr(read)
    for text, mode in (("SUACSSL3", 0o600), (nkey.encode_seed(bytes(32)), 0o640),
                       (nkey.encode_seed(bytes(32))[:-1] + "A", 0o600)):  # fmt: skip
        path.write_text(text)
        path.chmod(mode)
        with pytest.raises(nkey.CredentialsError) as caught:
            nkey.read(path)
        assert "SUA" not in str(caught.value)


def users(**seeds):
    """Permissions of each unit: its own subjects and nothing else (docs/links.md)."""
    rules = []
    for unit, seed in seeds.items():
        unit = unit.replace("_", "-")
        public = nkey.Credentials(Ed25519Signer(seed), None).public
        direct = ", ".join(
            f'"$JS.API.DIRECT.GET.{stream}.{subject}"'
            for stream, subject in (
                ("SSC_RECEIPTS", f"ssc.receipt.{unit}.*"),
                ("SSC_DOWN", "ssc.down.all"),
                ("SSC_DOWN", f"ssc.down.{unit}"),
                ("SSC_DOWN", "ssc.file.*.*"),
            )
        )
        rules.append(
            f"{{ nkey: {public}, permissions {{ publish: [ssc.batch.{unit}, {direct}],"
            f" subscribe: [ssc.receipt.{unit}.*, ssc.refusal.{unit}.*, _INBOX.>] }} }}"
        )
    office = "{ user: office, password: secret }"
    return f"authorization {{ users: [ {office}, {', '.join(rules)} ] }}\n"


def credentials(path, seed):
    path.write_text(nkey.encode_seed(seed))
    path.chmod(0o600)
    return path


def test_a_unit_may_use_its_own_subjects_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("firmware.uplink.nats.TIMEOUT_S", 1.0)
    one, two = bytes(range(32)), bytes(range(1, 33))
    with NatsServer(tmp_path / "nats", more=users(unit_1=one, unit_2=two)) as server:
        as_office = server.url.replace("nats://", "nats://office:secret@")
        provide(type("At", (), {"url": as_office}), {"all": [offer("stoplist", b"list")]})
        unit = Bare(tmp_path)
        (unit.data_dir / "out" / "00000001.batch").write_bytes(b"content")
        own = credentials(tmp_path / "own", one)
        with running(link_of(unit, server.url, credentials=own)):
            until(lambda: (unit.data_dir / "down" / "stoplist.cose").exists())
        inside = type("At", (), {"url": as_office})
        assert messages(inside) == 1
        (unit.data_dir / "out" / "00000002.batch").write_bytes(b"other")
        foreign = credentials(tmp_path / "foreign", two)
        unknown = credentials(tmp_path / "unknown", bytes(32))
        for path in (foreign, unknown, None):
            with running(link_of(unit, server.url, credentials=path)):
                time.sleep(0.6)
        assert messages(inside) == 1


def test_over_tls_the_units_own_certificate_names_it(office, tmp_path):
    """verify_and_map: the DNS name in the unit's certificate is the user."""
    unit, other = Unit(office, tmp_path), Unit(office, tmp_path, "unit-2", 2)
    served = tmp_path / "served"
    give_office(office.authority, ["127.0.0.1"], served)
    more = (
        f'tls {{ cert_file: "{served}/tls.crt", key_file: "{served}/tls.key",'
        f' ca_file: "{served}/ca.crt", verify_and_map: true }}\n'
        'authorization { users: [ { user: unit-1 }, { user: "urn:ssc:office" } ] }\n'
    )
    with NatsServer(tmp_path / "nats", more=more) as server:
        url = server.url.replace("nats:", "tls:")
        command = ["pull", "--dir", str(office.path), "--nats", url, "--json"]
        assert pull_tls(office, command) == 0
        unit.seal(0)
        other.seal(0)
        with running(link_of(unit, url), link_of(other, url)):
            ends = time.monotonic() + 10
            while not unit.receipts() and time.monotonic() < ends:
                assert pull_tls(office, command) == 0
        assert len(unit.receipts()) == 1
        assert other.receipts() == []
    assert {name for name, _ in office.numbers()} == {"unit-1"}


def pull_tls(office, command):
    """With a server certificate that names 127.0.0.1, as `serve` would have made it."""
    for name, made in (("server.key", "tls.key"), ("server.crt", "tls.crt")):
        path = office.path / name
        if not path.exists():
            path.write_bytes((office.path.parent / "served" / made).read_bytes())
            path.chmod(0o600)
    return main(command)


# -- a leaf node for a city ----------------------------------------------------------------------


def leaf_config(port):
    """docs/links.md shows this line."""
    remote = f'{{ url: "nats://127.0.0.1:{port}", deny_exports: ["ssc.batch.>"] }}'
    return f"leafnodes {{ remotes [ {remote} ], reconnect: 1 }}\n"


def test_a_city_goes_on_while_its_line_is_cut(office, tmp_path, capsys):
    """At the leaf: batches kept while the hub is away, each once at the office, receipts back."""
    port = free_port()
    hub = NatsServer(tmp_path / "hub", domain="hub", leaf_port=port)
    city = NatsServer(tmp_path / "city", domain="city", more=leaf_config(port))
    options = ("--hub", "hub", "--leaf", "city")
    with hub, city:
        until(lambda: leaf_is_up(hub))
        assert pull(office, hub, capsys, *options)[0] == 0
        unit = Unit(office, tmp_path)
        unit.seal(0)
        with running(link_of(unit, city.url, poll_s=1)):
            until(lambda: messages(city) == 1)
            until(lambda: messages(hub) == 1)
            assert pull(office, hub, capsys)[1]["batches"] == 1
            until(lambda: len(unit.receipts()) == 1)
            hub.end(signal.SIGKILL)
            unit.seal(1)
            unit.seal(2)
            until(lambda: messages(city) == 3)
            hub.start()
            until(lambda: messages(hub) == 3)
            assert pull(office, hub, capsys)[1]["batches"] == 2
            until(lambda: len(unit.receipts()) == 3)
    assert office.numbers() == [("unit-1", n) for n in range(1, 13)]


def leaf_is_up(hub):
    async def act(js):
        try:
            return await js._nc.jetstream(domain="city", timeout=1).account_info()
        except Exception:
            return None

    return on_server(hub, act)


def test_a_server_that_is_not_there_is_said(office, tmp_path, capsys):
    url = f"nats://127.0.0.1:{free_port()}"
    assert main(["pull", "--dir", str(office.path), "--nats", url]) == 2
    assert "931" in capsys.readouterr().err
    assert main(["pull", "--dir", str(office.path), "--nats", "http://x"]) == 2
