"""The HTTPS link from the unit's spool through real TLS 1.3 to the collector and back."""

from __future__ import annotations

import http.client
import json
import random
import re
import socket
import ssl
import threading
import time

import pytest

from firmware.uplink import https
from firmware.uplink.https import HttpsCollector
from firmware.uplink.push import Barred, BatchRefused, DownFile, Pusher, Unreachable
from firmware.uplink.spool import Spool
from office.collector import MAX_FILE
from office.errors import OfficeError
from tests import tls_rig
from tests.collector_rig import CollectorRig, offer, receipt_of
from tests.waiting import SOON_S

CONTENT = random.Random(5).randbytes(50_000)


@pytest.fixture
def rig(tmp_path):
    with CollectorRig(tmp_path) as rig:
        yield rig


class Unit:
    """unit-1 with its spool and its link."""

    def __init__(self, rig, name="unit-1"):
        self.data_dir = rig.unit(name)
        self.spool = Spool(self.data_dir)
        self.link = HttpsCollector(rig.url, self.data_dir, timeout_s=SOON_S)
        self.pusher = Pusher("https", self.spool, self.link, 300)

    def seal(self, number, content=CONTENT):
        (self.data_dir / "out" / f"{number:08d}.batch").write_bytes(content)

    def step(self):
        return self.pusher.step(threading.Event())

    def receipt(self, number):
        path = self.data_dir / "up" / f"{number:08d}.receipt"
        return path.read_bytes() if path.exists() else None


@pytest.fixture
def unit(rig):
    return Unit(rig)


def raw(rig, unit, method, path, body=None, headers=None):
    """One request with the unit's certificate: (status, body, headers)."""
    context = tls_rig.context(unit.data_dir)
    connection = http.client.HTTPSConnection("127.0.0.1", rig.port, timeout=SOON_S, context=context)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def test_batches_go_up_and_their_receipts_come_back(rig, unit):
    """Same bytes at the office; one connection carries them all, TLS 1.3 under the unit's name."""
    contents = {n: CONTENT + bytes([n]) for n in (1, 2, 3)}
    for number, content in contents.items():
        unit.seal(number, content)
    unit.step()
    assert {n: unit.receipt(n) for n in contents} == {
        n: receipt_of(content) for n, content in contents.items()
    }
    assert list(rig.intake.held) == [("unit-1", content) for content in contents.values()]


def test_a_repeated_batch_gets_its_receipt_again(rig, unit):
    batch_1 = (unit.seal(1), unit.spool.whole(1))[1]
    assert unit.link.send(*batch_1) == unit.link.send(*batch_1) == receipt_of(CONTENT)
    assert rig.intake.held == {("unit-1", CONTENT): 2}


def test_signed_files_come_down_and_go_on_where_they_stopped(rig, unit):
    content = random.Random(6).randbytes(300_000)
    rig.intake.offered["unit-1"] = [offer("stoplist", content, 7), offer("operators", b"who")]
    digest = offer("stoplist", content).digest
    unit.spool.append_down("stoplist", digest, content[:100_000])
    asked = []
    answer = unit.link._asked
    unit.link._asked = lambda c, m, path, b, h: asked.append(h) or answer(c, m, path, b, h)
    unit.step()
    assert (unit.data_dir / "down" / "stoplist.cose").read_bytes() == content
    assert (unit.data_dir / "down" / "operators.cose").read_bytes() == b"who"
    assert {"Range": "bytes=100000-"} in asked


def test_a_file_that_is_another_than_announced_is_not_taken(rig, unit):
    rig.intake.offered["unit-1"] = [offer("stoplist", b"right")]
    digest = offer("stoplist", b"right").digest
    unit.spool.append_down("stoplist", digest, b"wr")
    unit.step()
    assert list((unit.data_dir / "down").iterdir()) == []
    unit.pusher._next_poll_s = 0
    unit.step()
    assert (unit.data_dir / "down" / "stoplist.cose").read_bytes() == b"right"


def test_each_unit_is_offered_its_own_files(rig, unit):
    rig.intake.offered["unit-2"] = [offer("unitstop", b"stop")]
    assert unit.link.offered() == []
    path = f"/v1/down/unitstop/{offer('unitstop', b'stop').digest.hex()}"
    assert raw(rig, unit, "GET", path)[0] == 404
    assert Unit(rig, "unit-2").link.offered() == [
        DownFile("unitstop", 4, offer("unitstop", b"stop").digest)
    ]


def test_a_list_that_did_not_change_is_told_in_a_word(rig, unit):
    status, body, headers = raw(rig, unit, "GET", "/v1/down")
    assert (status, json.loads(body)) == (200, {"files": []})
    held = {"If-None-Match": headers["ETag"]}
    assert raw(rig, unit, "GET", "/v1/down", headers=held)[:2] == (304, b"")


@pytest.mark.parametrize(
    ("number", "error"), [(802, BatchRefused), (805, BatchRefused), (801, Barred), (808, Barred)]
)
def test_a_refusal_says_its_number(rig, unit, number, error):
    rig.intake.refuse = lambda unit, content: number
    unit.seal(1)
    with pytest.raises(error, match=f"^{number} "):
        unit.link.send(*unit.spool.whole(1))
    assert unit.receipt(1) is None


def test_a_store_that_is_away_is_asked_later(rig, unit):
    def fail():
        raise OfficeError(909, "the database is away")

    rig.intake.before = fail
    unit.seal(1)
    with pytest.raises(Unreachable, match="503 HTTP: 909") as caught:
        unit.link.send(*unit.spool.whole(1))
    assert 5 <= caught.value.retry_after_s <= 10


def test_what_is_not_offered_is_refused(rig, unit):
    for method, path, body, headers, status in [
        ("GET", "/", None, {}, 404),
        ("PUT", "/v1/batches", b"x", {}, 405),
        ("POST", "/v1/batches", b"", {}, 413),
        ("POST", "/v1/batches", None, {"Content-Length": str(MAX_FILE + 1)}, 413),
        ("POST", "/v1/batches", iter([b"x"]), {}, 411),
        ("GET", "/v1/down/stoplist/" + "0" * 64, None, {}, 404),
        ("GET", "/v1/down/../../ca.key", None, {}, 404),
    ]:
        got = raw(rig, unit, method, path, body, headers)
        assert got[0] == status, (method, path)
        assert json.loads(got[1])["error"] == status
    assert rig.intake.held == {}


def test_the_collector_takes_no_older_tls_and_no_stranger(rig, unit, tmp_path):
    """TLS 1.2, no certificate, a certificate of another authority, the office's own."""
    old = tls_rig.context(unit.data_dir)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    anonymous = ssl.create_default_context(cafile=unit.data_dir / "ca.crt")
    tls_rig.give_unit(tls_rig.authority(tmp_path / "other"), "unit-1", tmp_path / "foreign")
    (tmp_path / "foreign" / "ca.crt").write_bytes((unit.data_dir / "ca.crt").read_bytes())
    for context in (old, anonymous, tls_rig.context(tmp_path / "foreign")):
        connection = http.client.HTTPSConnection(
            "127.0.0.1", rig.port, timeout=SOON_S, context=context
        )
        with pytest.raises((ssl.SSLError, ConnectionError)):
            _ask(connection)
        connection.close()
    office = Unit(rig, "x")
    tls_rig.give_office(rig.authority, ["unit-1"], office.data_dir)
    with pytest.raises(Barred, match=r"^807 "):
        office.link.offered()


def test_the_unit_takes_no_other_server(rig, unit, tmp_path):
    """Of another authority, or under another name; nothing of a batch is sent to either."""
    unit.seal(1)
    tls_rig.give_unit(tls_rig.authority(tmp_path / "other"), "unit-1", unit.data_dir)
    with pytest.raises(Unreachable, match="certificate verify failed"):
        unit.link.send(*unit.spool.whole(1))
    second = Unit(rig, "unit-2")
    second.link._host = "127.0.0.2"
    with pytest.raises(Unreachable, match=r"127\.0\.0\.2"):
        second.link.offered()
    assert rig.intake.held == {}


@pytest.mark.parametrize("name", ["tls.key", "tls.crt", "ca.crt"])
def test_a_unit_that_is_not_enrolled_yet_waits_for_its_files(rig, unit, name):
    (unit.data_dir / name).rename(unit.data_dir / "kept")
    with pytest.raises(Unreachable, match=f"{name} is not in the data folder"):
        unit.link.offered()
    (unit.data_dir / "kept").rename(unit.data_dir / name)
    assert unit.link.offered() == []


def test_a_key_that_others_can_read_is_not_used(rig, unit):
    (unit.data_dir / "tls.key").chmod(0o640)
    with pytest.raises(Unreachable, match="0600"):
        unit.link.offered()


def _ask(connection):
    connection.request("GET", "/v1/down")
    connection.getresponse()


def read_request(tls):
    """To its end: closing over unread bytes would reset the connection and take the answer."""
    got = b""
    while b"\r\n\r\n" not in got and (piece := tls.recv(100_000)):
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0 and (piece := tls.recv(100_000)):
        missing -= len(piece)


class Peer:
    """A server of the office's name that says what the test wants, and counts who came."""

    def __init__(self, rig, answer, tmp_path):
        self.context = rig.context
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.answer = answer
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
                with self.context.wrap_socket(connection, server_side=True) as tls:
                    read_request(tls)
                    self.answer(tls)
            except OSError:
                if self.socket.fileno() < 0:
                    return

    def url(self):
        return f"https://127.0.0.1:{self.socket.getsockname()[1]}"


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        HEAD % 10 + b"half",
        HEAD % 0,
        HEAD % 100_000 + bytes(100_000),
        b"HTTP/1.1 502 Oh\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 302 Go\r\nLocation: http://x/\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_an_answer_that_is_none_is_no_receipt(rig, unit, answer, tmp_path):
    peer = Peer(rig, lambda tls: tls.sendall(answer), tmp_path)
    unit.seal(1)
    link = HttpsCollector(peer.url(), unit.data_dir, timeout_s=2)
    with pytest.raises(Unreachable):
        link.send(*unit.spool.whole(1))
    link.close()
    peer.socket.close()


def test_a_batch_at_which_the_office_fails_holds_up_no_other(rig, unit, tmp_path):
    answer = b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\n[]"
    peer = Peer(rig, lambda tls: tls.sendall(answer), tmp_path)
    unit.seal(1)
    link = HttpsCollector(peer.url(), unit.data_dir, timeout_s=SOON_S)
    with pytest.raises(BatchRefused):
        link.send(*unit.spool.whole(1))
    link.close()
    peer.socket.close()


def test_an_answer_that_trickles_has_a_deadline(rig, unit, tmp_path, monkeypatch):
    monkeypatch.setattr(https, "LONGEST_S", 0.6)

    def trickle(tls):
        tls.sendall(HEAD % 1000)
        for _ in range(900):
            tls.sendall(b"x")
            time.sleep(0.1)

    peer = Peer(rig, trickle, tmp_path)
    unit.seal(1)
    link = HttpsCollector(peer.url(), unit.data_dir, timeout_s=SOON_S)
    began = time.monotonic()
    with pytest.raises(Unreachable):
        link.send(*unit.spool.whole(1))
    assert time.monotonic() - began < SOON_S / 2
    peer.socket.close()


def test_a_peer_that_is_silent_has_a_deadline(rig, unit, tmp_path):
    free = threading.Event()
    peer = Peer(rig, lambda tls: free.wait(SOON_S), tmp_path)
    link = HttpsCollector(peer.url(), unit.data_dir, timeout_s=0.3)
    began = time.monotonic()
    with pytest.raises(Unreachable):
        link.offered()
    assert time.monotonic() - began < SOON_S / 2
    free.set()
    peer.socket.close()
