"""`sscoffice serve` as a process of its own: real units, a real store, killed and stopped."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import subprocess
import sys
import threading
import time

import pytest

from firmware.uplink import tls
from firmware.uplink.http import UplinkServer
from firmware.uplink.https import HttpsCollector
from firmware.uplink.push import Barred, BatchRefused, Unreachable
from firmware.uplink.spool import Spool
from office.__main__ import main
from office.folder import Folder
from tests import postgres_rig, tls_rig
from tests.link_rig import Office, Unit
from tests.office_rig import Terminal
from tests.waiting import SOON_S


@pytest.fixture
def office(tmp_path):
    made = Office(tmp_path / "office")
    yield made
    if made.process is not None and made.process.poll() is None:
        made.end(signal.SIGKILL)


def test_units_send_and_the_office_has_their_records(office, tmp_path):
    office.start()
    one, two = Unit(office, tmp_path), Unit(office, tmp_path, "unit-2", 2)
    for unit in (one, two):
        for serial in range(3):
            unit.seal(serial)
        receipts = unit.push(office)
        assert len(receipts) == 3
    assert office.numbers() == [(u, n) for u in ("unit-1", "unit-2") for n in range(1, 13)]
    assert office.end() == 0
    assert main(["check", "--dir", str(office.path), "--json"]) == 0


def test_a_collector_killed_while_loading_loses_and_doubles_nothing(office, tmp_path):
    """kill -9 in the middle, again and again; the units come back until each batch is receipted."""
    units = [Unit(office, tmp_path, f"unit-{n}", n) for n in range(1, 4)]
    for unit in units:
        for serial in range(6):
            unit.seal(serial)
    stop = threading.Event()
    office.start()

    def keep_pushing(unit):
        while not stop.is_set() and len(list((unit.data_dir / "up").iterdir())) < 6:
            unit.push(office)
            time.sleep(0.01)

    threads = [threading.Thread(target=keep_pushing, args=(unit,)) for unit in units]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(0.15)
        office.end(signal.SIGKILL)
        office.start()
    for thread in threads:
        thread.join(SOON_S)
    stop.set()
    assert office.numbers() == [(f"unit-{u}", n) for u in range(1, 4) for n in range(1, 25)]
    assert office.end() == 0
    assert main(["check", "--dir", str(office.path), "--json"]) == 0


@pytest.mark.skipif(bool(postgres_rig.missing()), reason=str(postgres_rig.missing()))
def test_a_database_killed_under_the_collector_loses_and_doubles_nothing(tmp_path):
    """kill -9 of PostgreSQL between units: they are told to come again, and do."""
    server = postgres_rig.Postgres()
    office = Office(tmp_path / "office", server.new_database())
    try:
        units = [Unit(office, tmp_path, f"unit-{n}", n) for n in (1, 2)]
        for unit in units:
            for serial in range(6):
                unit.seal(serial)
        office.start()
        units[0].push(office)
        server.kill()
        units[1].push(office)
        server.start()
        ends = time.monotonic() + 60
        while any(len(each.receipts()) < 6 for each in units):
            assert time.monotonic() < ends
            time.sleep(0.2)
            for unit in units:
                unit.push(office)
        assert office.end() == 0
        with contextlib.closing(Folder(office.path)) as held:
            found = held.store.rows("SELECT unit, number FROM records ORDER BY unit, number")
        assert found == [(f"unit-{u}", n) for u in (1, 2) for n in range(1, 25)]
        assert main(["check", "--dir", str(office.path), "--json"]) == 0
    finally:
        if office.process is not None and office.process.poll() is None:
            office.end(signal.SIGKILL)
        server.remove()


def test_refusals_of_a_real_office(office, tmp_path):
    """A stranger's unit, another unit's batch, a spoilt one: each with its number."""
    office.start()
    unit = Unit(office, tmp_path)
    content = unit.seal(0)
    stranger = Terminal("unit-9", 9)
    tls_rig.give_unit(office.authority, "unit-9", tmp_path / "stranger")
    stranger.purchase("X")
    spool = Spool(tmp_path / "stranger")
    (tmp_path / "stranger" / "out" / "00000001.batch").write_bytes(stranger.batch())
    foreign = HttpsCollector(office.url, tmp_path / "stranger")
    with pytest.raises(Barred, match=r"^801 "):
        foreign.send(*spool.whole(1))
    with pytest.raises(Barred, match=r"^801 "):
        foreign.offered()
    two = Unit(office, tmp_path, "unit-2", 2)
    (two.data_dir / "out" / "00000001.batch").write_bytes(content)
    with pytest.raises((Barred, BatchRefused), match=r"^80[26] "):
        two.link(office).send(*two.spool.whole(1))
    spoilt = content[:-1] + bytes([content[-1] ^ 1])
    (unit.data_dir / "out" / "00000001.batch").write_bytes(spoilt)
    with pytest.raises(BatchRefused, match=r"^802 "):
        unit.link(office).send(*unit.spool.whole(1))
    assert office.numbers() == []


def test_the_stop_list_comes_down(office, tmp_path):
    unit = Unit(office, tmp_path)
    office.start()
    assert unit.link(office).offered() == []
    out = tmp_path / "stoplist.cose"
    entry = "00" * 16 + ":A00000001"
    arguments = ["stop-list", "add", "--dir", str(office.path), "--card", entry]
    assert main([*arguments, "--out", str(out)]) == 0
    unit.push(office)
    assert (unit.data_dir / "down" / "stoplist.cose").read_bytes() == out.read_bytes()


def test_an_address_that_is_taken_is_said(office, capsys):
    office.start()
    address = office.url.removeprefix("https://")
    arguments = ["serve", "--dir", str(office.path), "--listen", address]
    assert (
        subprocess.run([sys.executable, "-m", "office", *arguments], timeout=SOON_S).returncode == 1
    )


# -- the office pulls over TLS -------------------------------------------------------------------


@pytest.fixture
def server(office, tmp_path):
    """unit-1's own HTTPS server."""
    unit = Unit(office, tmp_path)
    unit.seal(0)
    server = UplinkServer(
        "unit-1", unit.spool, "127.0.0.1:0",
        tls_context=lambda: tls.server_context(unit.data_dir),
    )  # fmt: skip
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    server.unit_under_test = unit
    yield server
    server.shutdown()
    server.server_close()


def pull(office, server, *options):
    url = f"https://127.0.0.1:{server.server_address[1]}"
    return main(["pull", "--dir", str(office.path), "--http", url, "--json", *options])


def test_the_office_pulls_over_tls(office, server, capsys):
    assert pull(office, server, "--unit", "unit-1") == 0
    assert json.loads(capsys.readouterr().out)["records"] == 4
    assert len(office.numbers()) == 4
    assert len(list((server.unit_under_test.data_dir / "up").iterdir())) == 1


def test_the_office_takes_no_other_unit_for_it(office, server, capsys):
    assert pull(office, server, "--unit", "unit-2") == 1
    assert "702" in capsys.readouterr().err
    assert pull(office, server) == 1
    assert "706" in capsys.readouterr().err
    assert office.numbers() == []


def test_the_units_server_takes_no_other_unit_for_the_office(office, server, tmp_path, caplog):
    """Its certificate is of the same authority; batches are the office's alone to read."""
    two = Unit(office, tmp_path, "unit-2", 2)
    url = f"https://127.0.0.1:{server.server_address[1]}"
    link = HttpsCollector(url, two.data_dir, timeout_s=SOON_S)
    link._host = "127.0.0.1"
    context = tls_rig.context(two.data_dir)
    context.check_hostname = False
    with pytest.raises(Exception, match=r"closed|reset|EOF|disconnected|Remote"):
        _ask(server.server_address[1], context)
    assert "not the office's" in caplog.text
    with pytest.raises(Unreachable):
        link.offered()


def _ask(port, context):
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=SOON_S, context=context)
    connection.request("GET", "/v1/unit")
    connection.getresponse()


def test_where_it_listens_as_objects(office):
    options = ("--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--json")
    process = subprocess.Popen(
        [sys.executable, "-m", "office", "serve", "--dir", str(office.path), *options],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        told = [json.loads(process.stdout.readline()) for _ in range(2)]
    finally:
        process.terminate()
        process.communicate(timeout=SOON_S)
    assert [(each["listener"], each["host"]) for each in told] == [
        ("https", "127.0.0.1"),
        ("metrics", "127.0.0.1"),
    ]
    assert all(each["port"] > 0 for each in told)
