"""The collector under load and abuse: connections, time, a clean stop, metrics, its description."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from firmware.uplink.https import HttpsCollector
from firmware.uplink.push import Unreachable
from firmware.uplink.spool import SealedBatch
from office import collector, gate, openapi
from office.dashboard import pages
from office.errors import OfficeError
from office.metrics import Metrics
from office.serve import address, loopback
from tests import tls_rig
from tests.collector_rig import CollectorRig, FakeIntake, receipt_of
from tests.waiting import SOON_S, until

ROOT = Path(__file__).resolve().parents[1]


def send(rig, data_dir, content, number=1):
    link = HttpsCollector(rig.url, data_dir, timeout_s=SOON_S)
    try:
        return link.send(SealedBatch(number, len(content), b""), content)
    finally:
        link.close()


def sent(rig, data_dir, content):
    """The receipt; None where the unit has to come again."""
    try:
        return send(rig, data_dir, content)
    except Unreachable:
        return None


def opened(rig, data_dir):
    """A TLS connection that says nothing."""
    raw = socket.create_connection(("127.0.0.1", rig.port), timeout=SOON_S)
    return tls_rig.context(data_dir).wrap_socket(raw, server_hostname="127.0.0.1")


def test_who_comes_beyond_the_bound_waits_in_line(tmp_path):
    """Three silent units hold every place; the fourth is served when one leaves, not refused."""
    with CollectorRig(tmp_path, connections=3) as rig:
        silent = [opened(rig, rig.unit(f"unit-{n}")) for n in range(3)]
        got, unit = [], rig.unit("unit-9")
        thread = threading.Thread(target=lambda: got.append(send(rig, unit, b"late")))
        thread.start()
        time.sleep(0.3)
        assert got == []
        silent[0].close()
        thread.join(SOON_S)
        assert got == [receipt_of(b"late")]
        for each in silent:
            each.close()


def test_who_gave_up_in_line_costs_no_handshake(tmp_path, monkeypatch):
    with CollectorRig(tmp_path, connections=1) as rig:
        handshakes = []
        real = gate.Gate._open_one
        monkeypatch.setattr(
            gate.Gate, "_open_one", lambda self, c: handshakes.append(c) or real(self, c)
        )
        silent = opened(rig, rig.unit("unit-1"))
        before = len(handshakes)
        for _ in range(5):
            late = socket.create_connection(("127.0.0.1", rig.port), timeout=SOON_S)
            late.sendall(b"\x16\x03\x01")  # the beginning of a ClientHello
            late.close()
        silent.close()
        assert send(rig, rig.unit("unit-2"), b"x") == receipt_of(b"x")
        assert len(handshakes) == before + 1


def test_one_unit_holds_few_places(tmp_path):
    with CollectorRig(tmp_path, connections=20) as rig:
        unit = rig.unit("unit-1")
        held = [opened(rig, unit) for _ in range(gate.OF_ONE_UNIT)]
        late = opened(rig, unit)
        with pytest.raises((ConnectionError, ssl.SSLError)):
            _read_to_the_end(late)
        assert send(rig, rig.unit("unit-2"), b"other") == receipt_of(b"other")
        for each in (*held, late):
            each.close()


def _read_to_the_end(connection):
    if connection.recv(1) == b"":
        raise ConnectionError("closed")


def test_a_connection_has_a_longest_life(tmp_path, monkeypatch):
    """A head that never ends: neither TLS nor HTTP would end it."""
    monkeypatch.setattr(gate, "LONGEST_S", 0.4)
    with CollectorRig(tmp_path) as rig, opened(rig, rig.unit("unit-1")) as slow:
        slow.sendall(b"POST /v1/batches HTTP/1.1\r\n")
        began = time.monotonic()
        with pytest.raises((ConnectionError, ssl.SSLError)):
            _read_to_the_end(slow)
        assert time.monotonic() - began < SOON_S / 2


def test_a_handshake_has_a_deadline(tmp_path, monkeypatch):
    """Half-open connections without a certificate take no place for long."""
    monkeypatch.setattr(gate, "HANDSHAKE_S", 0.4)
    with CollectorRig(tmp_path, connections=2) as rig:
        address = ("127.0.0.1", rig.port)
        idle = [socket.create_connection(address, timeout=SOON_S) for _ in range(4)]
        unit = rig.unit("unit-1")
        # A busy machine may need longer for a handshake too: then it is as for a unit, come again.
        assert until(lambda: sent(rig, unit, b"x")) == receipt_of(b"x")
        for each in idle:
            each.close()


def test_a_body_that_does_not_come_has_a_deadline(tmp_path, monkeypatch):
    monkeypatch.setattr(collector, "BODY_S", 0.3)
    with CollectorRig(tmp_path) as rig, opened(rig, rig.unit("unit-1")) as slow:
        slow.sendall(b"POST /v1/batches HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        assert slow.recv(100).startswith(b"HTTP/1.1 408 ")
        assert rig.intake.held == {}


def test_bodies_on_their_way_are_bounded(tmp_path, monkeypatch):
    """Announced bytes count before any of them is read."""
    monkeypatch.setattr(collector, "BODIES_BYTES", 1000)
    with CollectorRig(tmp_path) as rig:
        with opened(rig, rig.unit("unit-1")) as slow:
            slow.sendall(b"POST /v1/batches HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n")
            two, three = rig.unit("unit-2"), rig.unit("unit-3")
            until(lambda: sent(rig, two, bytes(200)) is None)
            with pytest.raises(Unreachable, match="503") as caught:
                send(rig, two, bytes(200))
            assert caught.value.retry_after_s >= 2
        assert until(lambda: sent(rig, three, bytes(200))) == receipt_of(bytes(200))


def test_a_stop_answers_what_was_accepted(tmp_path):
    """Twenty units wait for a slow commit while the server is told to stop."""
    intake = FakeIntake()
    entered, go = threading.Event(), threading.Event()
    intake.before = lambda: (entered.set(), go.wait(SOON_S))
    got = {}
    with CollectorRig(tmp_path, intake) as rig:
        units = {n: rig.unit(f"unit-{n}") for n in range(20)}

        def one(n):
            got[n] = send(rig, units[n], b"batch %d" % n)

        threads = [threading.Thread(target=one, args=(n,)) for n in units]
        for thread in threads:
            thread.start()
        assert entered.wait(SOON_S)
        until(lambda: intake.taking + metric(rig, "sscoffice_waiting_batches") == 20)
        threading.Timer(0.2, go.set).start()
        rig.stop()
        for thread in threads:
            thread.join(SOON_S)
    assert got == {n: receipt_of(b"batch %d" % n) for n in units}


def metric(rig, name):
    host, port = rig.addresses["metrics"]
    with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=SOON_S) as answer:
        text = answer.read().decode()
    return float(re.search(rf"(?m)^{re.escape(name)} (\S+)$", text)[1])


def test_metrics_count_what_happened(tmp_path):
    with CollectorRig(tmp_path) as rig:
        rig.intake.refuse = lambda unit, content: 802 if content == b"odd" else None
        unit = rig.unit("unit-1")
        for content in (b"a", b"b", b"a"):
            send(rig, unit, content)
        with pytest.raises(Exception, match="802"):
            send(rig, unit, b"odd")
        wanted = {
            'sscoffice_batches_total{result="new"}': 2,
            'sscoffice_batches_total{result="repeated"}': 1,
            'sscoffice_batches_total{result="refused"}': 1,
            'sscoffice_refused_total{error="802"}': 1,
            "sscoffice_records_total": 20,
            "sscoffice_group_batches_sum": 4,
            'sscoffice_request_seconds_count{route="/v1/batches"}': 4,
        }
        assert {name: metric(rig, name) for name in wanted} == wanted


def test_the_page_names_every_metric_and_no_other():
    page = (ROOT / "docs" / "links.md").read_text(encoding="utf-8")
    named = {each.split("{")[0] for each in re.findall(r"`(sscoffice_[^`]+)`", page)}
    made = {
        f"{each.name}_total" if each.type == "counter" else each.name
        for each in Metrics().registry.collect()
    }
    assert named == made


# -- its description -----------------------------------------------------------------------------


def test_the_document_on_the_shelf_is_the_one_that_is_served(tmp_path):
    kept = json.loads((ROOT / "docs" / "collector-openapi.json").read_text(encoding="utf-8"))
    with CollectorRig(tmp_path) as rig, opened(rig, rig.unit("unit-1")) as peer:
        peer.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b""
        while piece := peer.recv(65536):
            answer += piece
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == kept == openapi.document()


def test_the_document_describes_every_route_and_no_other(tmp_path):
    app = collector.Collector(None, None, None).application()
    routes = {(each.method.lower(), each.resource.canonical) for each in app.router.routes()}
    routes |= {("get", path) for path in pages.QUESTIONS}
    paths = openapi.document()["paths"]
    assert routes == {(method, path) for path, ways in paths.items() for method in ways}


def test_the_document_is_sound():
    """OpenAPI 3.1.0: fields that must be there, references that lead somewhere, path parameters."""
    document = openapi.document()
    assert document["openapi"].startswith("3.1.")
    assert {"title", "version"} <= document["info"].keys()
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        found = document
        for name in reference.split("/"):
            found = found[name]
    operations = [(p, m, o) for p, ways in document["paths"].items() for m, o in ways.items()]
    assert len({each["operationId"] for *_, each in operations}) == len(operations)
    for path, method, each in operations:
        assert method in ("get", "post")
        named = {p["name"] for p in each.get("parameters", ()) if p["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))
        assert all(p["required"] and p["schema"] for p in each.get("parameters", ())
                   if p["in"] == "path")  # fmt: skip
        for status, answer in each["responses"].items():
            assert re.fullmatch("[2345]..", status)
            assert "$ref" in answer or answer["description"]
    assert {"unit": []} in document["security"]
    assert document["components"]["securitySchemes"]["unit"]["type"] == "mutualTLS"


@pytest.mark.parametrize("text", ["1", "host:1", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000"])
def test_an_address_that_is_none(text):
    with pytest.raises(OfficeError, match="930"):
        address(text)


def test_metrics_are_for_this_machine():
    assert loopback("[::1]:9464") == ("::1", 9464)
    with pytest.raises(OfficeError, match="930"):
        loopback("0.0.0.0:9464")
