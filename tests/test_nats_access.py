"""Who may speak on the NATS link, and a leaf node for a city: real servers."""

from __future__ import annotations

import signal
import time

import pytest

from firmware.journal.cose import Ed25519Signer
from firmware.uplink import nkey
from office.__main__ import main
from tests.collector_rig import offer
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
from tests.ports import free_port
from tests.tls_rig import give_office
from tests.waiting import until

AGAIN_S = 200.0  # servers that lost each other wait longer from time to time


@pytest.fixture
def office(tmp_path):
    made = Office(tmp_path / "office")
    yield made
    if made.process is not None and made.process.poll() is None:
        made.end(signal.SIGKILL)


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
        assert pull_tls(office, command) == 2
        unit.seal(0)
        other.seal(0)
        with running(link_of(unit, url), link_of(other, url)):
            until(lambda: pull_tls(office, command) == 0 and unit.receipts())
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


@pytest.mark.timeout(4 * AGAIN_S)
def test_a_city_goes_on_while_its_line_is_cut(office, tmp_path, capsys):
    """At the leaf: batches kept while the hub is away, each once at the office, receipts back."""
    port = free_port()
    hub = NatsServer(tmp_path / "hub", domain="hub", leaf_port=port)
    city = NatsServer(tmp_path / "city", domain="city", more=leaf_config(port))
    options = ("--hub", "hub", "--leaf", "city")
    with hub, city:
        until(lambda: leaf_is_up(hub), within_s=AGAIN_S)
        assert pull(office, hub, capsys, *options)[0] == 2
        unit = Unit(office, tmp_path)
        unit.seal(0)
        with running(link_of(unit, city.url, poll_s=1)):
            until(lambda: messages(city) == 1, within_s=AGAIN_S)
            until(lambda: messages(hub) == 1, within_s=AGAIN_S)
            assert pull(office, hub, capsys)[1]["batches"] == 1
            until(lambda: len(unit.receipts()) == 1, within_s=AGAIN_S)
            hub.end(signal.SIGKILL)
            unit.seal(1)
            unit.seal(2)
            until(lambda: messages(city) == 3, within_s=AGAIN_S)
            hub.start()
            until(lambda: messages(hub) == 3, within_s=AGAIN_S)
            told = pull(office, hub, capsys)[1]
            assert (told["batches"], told["repeated"]) == (2, 0)
            until(lambda: len(unit.receipts()) == 3, within_s=AGAIN_S)
        assert messages(hub) == 3
    assert office.numbers() == [("unit-1", n) for n in range(1, 13)]


def test_a_leaf_hands_nothing_over_twice(tmp_path):
    """A message without an id, which nothing would deduplicate: the hub draws it, and only that."""
    port = free_port()
    hub = NatsServer(tmp_path / "hub", domain="hub", leaf_port=port)
    city = NatsServer(tmp_path / "city", domain="city", more=leaf_config(port))
    with hub, city:
        until(lambda: leaf_is_up(hub))
        provide(hub, {}, leaves=("city",), hub="hub")
        publish(city, "unit-1", b"content")
        until(lambda: messages(hub))
        time.sleep(0.7)
        assert (messages(city), messages(hub)) == (1, 1)


def leaf_is_up(hub):
    async def act(js):
        try:
            return await js._nc.jetstream(domain="city", timeout=1).account_info()
        except Exception:
            return None

    return on_server(hub, act)


def test_a_server_that_is_not_there_is_said(office, tmp_path, capsys):
    url = f"nats://127.0.0.1:{free_port()}"
    assert main(["pull", "--dir", str(office.path), "--nats", url]) == 1
    assert "931" in capsys.readouterr().err
    assert main(["pull", "--dir", str(office.path), "--nats", "http://x"]) == 1
