"""The unit's HTTP server: ranges, bounds, loopback only."""

import contextlib
import http.client
import random
import socket
import threading

import pytest

from firmware.uplink.frame import MAX_DOWN, MAX_RECEIPT
from firmware.uplink.http import UplinkServer, listen_address
from firmware.uplink.spool import Spool
from office.errors import LinkError
from office.fetch import fetch
from office.web import HttpLink
from tests.waiting import SOON_S, until

CONTENT = random.Random(2).randbytes(200_003)


@pytest.fixture
def data_dir(tmp_path):
    Spool(tmp_path)
    (tmp_path / "out" / "00000003.batch").write_bytes(CONTENT)
    return tmp_path


@pytest.fixture
def server(data_dir):
    server = UplinkServer("unit-1", Spool(data_dir), "127.0.0.1:0")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def port(server):
    return server.server_address[1]


@pytest.fixture
def link(port):
    return HttpLink(f"http://127.0.0.1:{port}", timeout_s=SOON_S)


def ask(port, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SOON_S)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read(), response.headers
    finally:
        connection.close()


def test_a_batch_is_pulled_and_receipted(link, data_dir, tmp_path):
    assert link.hello() == ("unit-1", 3, 3, 0)
    assert fetch(link, link.next_after(0), tmp_path, lambda held, size: None) == CONTENT
    assert link.next_after(3) is None
    assert link.put_receipt(3, b"receipt") is True
    assert (data_dir / "up" / "00000003.receipt").read_bytes() == b"receipt"
    assert link.put_receipt(4, b"receipt") is False
    link.put_down("stoplist", b"signed", lambda held, size: None)
    assert (data_dir / "down" / "stoplist.cose").read_bytes() == b"signed"


def test_a_transfer_goes_on_at_the_byte_it_stopped(link, tmp_path):
    offer = link.next_after(0)
    (tmp_path / f"{offer.digest.hex()}.part").write_bytes(CONTENT[:70_000])
    held = []
    assert fetch(link, offer, tmp_path, lambda now, _: held.append(now)) == CONTENT
    assert held == [70_000, 135_536, 200_003]


def test_ranges(port):
    """RFC 9110 14: 206 with Content-Range, 416 behind the end, 200 without a Range."""
    path = "/v1/batches/3"
    status, body, headers = ask(port, "GET", path, headers={"Range": "bytes=10-19"})
    assert (status, body) == (206, CONTENT[10:20])
    assert headers["Content-Range"] == "bytes 10-19/200003"
    status, body, _ = ask(port, "GET", path, headers={"Range": "bytes=200000-999999"})
    assert (status, body) == (206, CONTENT[200_000:])
    status, body, _ = ask(port, "GET", path, headers={"Range": "bytes=150000-"})
    assert (status, body) == (206, CONTENT[150_000:])
    for wrong in ("bytes=200003-", "bytes=5-4", "bytes=-5", "bytes=1-2,4-5", "lines=1-2"):
        assert ask(port, "GET", path, headers={"Range": wrong})[0] == 416
    assert ask(port, "GET", path)[:2] == (200, CONTENT)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/", None, 404),
        ("GET", "/v1/batches/4", None, 404),
        ("GET", "/v1/batches/3/receipt", None, 404),
        ("GET", "/v1/batches/..%2f..%2fdevice.key", None, 404),
        ("GET", "/v1/batches/../../device.key", None, 404),
        ("GET", "/v1/batches?after=x", None, 400),
        ("PUT", "/v1/down/../x", b"x", 404),
        ("PUT", "/v1/down/1x", b"x", 400),
        ("PUT", "/v1/batches/3/receipt", b"", 413),
        ("PUT", "/v1/batches/3/receipt", bytes(MAX_RECEIPT + 1), 413),
        ("PUT", "/v1/batches/4/receipt", b"x", 404),
        ("DELETE", "/v1/batches/3", None, 501),
    ],
)
def test_what_is_not_offered_is_refused(port, data_dir, method, path, body, status):
    assert ask(port, method, path, body)[0] == status
    assert sorted(each.name for each in data_dir.rglob("*")) == [
        "00000003.batch", "down", "out", "up",
    ]  # fmt: skip


def test_a_body_is_bounded_before_it_is_read(port):
    """The announced length alone is refused: nothing of the body was sent."""
    with socket.create_connection(("127.0.0.1", port), timeout=SOON_S) as peer:
        head = (
            f"PUT /v1/down/stoplist HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_DOWN + 1}\r\n\r\n"
        )
        peer.sendall(head.encode())
        assert peer.recv(100).startswith(b"HTTP/1.1 413 ")


def test_half_a_body_is_no_receipt(port, data_dir):
    with socket.create_connection(("127.0.0.1", port), timeout=SOON_S) as peer:
        peer.sendall(
            b"PUT /v1/batches/3/receipt HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf"
        )
        peer.shutdown(socket.SHUT_WR)
        assert peer.recv(100) == b""
    assert list((data_dir / "up").iterdir()) == []


def test_a_body_without_length_is_refused(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SOON_S)
    try:
        connection.putrequest("PUT", "/v1/down/stoplist")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()  # the answer comes before any body
        assert connection.getresponse().status == 411
    finally:
        connection.close()


def test_silent_clients_are_bounded(server, port, link, monkeypatch):
    """Four silent clients take every place; the fifth is closed at once, they after their time."""
    peers = []

    def connected():
        peers.append(socket.create_connection(("127.0.0.1", port), timeout=SOON_S))
        return peers[-1]

    def is_served():
        with contextlib.suppress(Exception):
            return link.hello().unit == "unit-1"
        return False

    try:
        monkeypatch.setattr(server.RequestHandlerClass, "timeout", 2 * SOON_S)
        silent = [connected() for _ in range(4)]
        assert connected().recv(1) == b""
        for peer in silent:
            peer.close()
        until(is_served)
        monkeypatch.setattr(server.RequestHandlerClass, "timeout", 0.5)
        silent = [connected() for _ in range(4)]
        assert [peer.recv(1) for peer in silent] == [b""] * 4
        until(is_served)
    finally:
        for peer in peers:
            peer.close()


def test_two_offices_pull_at_the_same_time(port, tmp_path):
    got = []

    def pull(name):
        (tmp_path / name).mkdir()
        link = HttpLink(f"http://127.0.0.1:{port}", timeout_s=SOON_S)
        got.append(fetch(link, link.next_after(0), tmp_path / name, lambda held, size: None))

    threads = [threading.Thread(target=pull, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON_S)
    assert got == [CONTENT, CONTENT]


@pytest.mark.parametrize(
    "listen",
    ["0.0.0.0:8470", "192.168.1.5:8470", "[::]:8470", "localhost:8470", ":8470", "127.0.0.1",
     "127.0.0.1:x", "127.0.0.1:70000", "127.0.0.1.example.com:80"],
)  # fmt: skip
def test_only_loopback_is_listened_on(listen):
    """In the clear, HTTP is loopback only."""
    with pytest.raises(ValueError, match=r"127\.0\.0\.1"):
        listen_address(listen)


def test_loopback_addresses():
    assert listen_address("127.0.0.1:8470") == ("127.0.0.1", 8470)
    assert listen_address("[::1]:8470") == ("::1", 8470)


def test_a_server_that_is_gone_is_a_numbered_error(server, link):
    server.shutdown()
    server.server_close()
    with pytest.raises(LinkError) as caught:
        link.hello()
    assert caught.value.number == 702


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "127.0.0.1:1", "http://", "file:///etc"])
def test_an_address_that_is_none(url):
    with pytest.raises(LinkError) as caught:
        HttpLink(url)
    assert caught.value.number == 706
