"""Hosts on the network: who gets in, and what slow and flooding ones cost the others."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import subprocess
import threading
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.host import lan, pace, process, rpc
from firmware.host.rpc import RpcServer
from firmware.host.tls import client_context, names_in
from firmware.outcome import TransportError
from tests.host_rig import HostAuthority, LanHost, Listener
from tests.waiting import SOON_S, until


class Card:
    """A card process with two methods: one answers at once, one when it may."""

    def __init__(self, folder: Path):
        self.socket = folder / "unit.sock"
        self.go = threading.Event()
        self.begun = threading.Semaphore(0)
        self.done = 0
        self._server = RpcServer(self.socket, 0o600, {"add": self._add, "slow": self._slow})
        self._server.start()

    def _add(self, one: int) -> dict[str, Any]:
        return {"sum": one + 1}

    def _slow(self) -> dict[str, Any]:
        self.begun.release()
        self.go.wait(SOON_S)
        self.done += 1
        return {"done": True}

    def close(self) -> None:
        self.go.set()
        self._server.close()


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Card]:
    made = Card(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> HostAuthority:
    return HostAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def guarded(card: Card, authority: HostAuthority) -> Iterator[Listener]:
    made = Listener(card.socket, authority=authority)
    yield made
    made.close()


@pytest.fixture
def plain(card: Card) -> Iterator[Listener]:
    made = Listener(card.socket)
    yield made
    made.close()


def works(host: LanHost) -> bool:
    try:
        return bool(host.call("add", one=1) == {"jsonrpc": "2.0", "id": 7, "result": {"sum": 2}})
    finally:
        host.close()


def is_refused(listener: Listener, context: ssl.SSLContext | None) -> bool:
    """In the handshake, or (TLS 1.3) at the first word after it; never an answer."""
    try:
        host = LanHost(listener.port, context)
    except OSError:
        return True
    try:
        return host.call("add", one=1) is None
    except OSError:
        return True
    finally:
        host.close()


# -- who gets in -----------------------------------------------------------------------------------


def test_a_host_with_a_certificate_of_the_authority_is_served(guarded: Listener) -> None:
    assert works(guarded.host())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3(guarded: Listener, version: ssl.TLSVersion) -> None:
    files = guarded.authority.issue("his-1")
    context = client_context(*files, guarded.authority.certificate)
    context.minimum_version = context.maximum_version = version
    assert works(LanHost(guarded.port, context))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_no_older_tls(guarded: Listener) -> None:
    context = bare(guarded.authority.certificate)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(*guarded.authority.issue("his-1"))
    assert is_refused(guarded, context)


def bare(trusted: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(trusted)
    return context


WRONG = {
    "expired": {"first_day": -9, "last_day": -2},
    "not yet valid": {"first_day": 2, "last_day": 9},
    "for servers": {"is_server": True},
}


@pytest.mark.parametrize("why", WRONG)
def test_a_certificate_that_does_not_hold_is_refused(guarded: Listener, why: str) -> None:
    files = guarded.authority.issue("his-2", **WRONG[why])
    assert is_refused(guarded, client_context(*files, guarded.authority.certificate))
    assert works(guarded.host())


def test_a_stranger_is_refused(guarded: Listener, tmp_path: Path) -> None:
    """Of another authority, without any certificate, without TLS."""
    stranger = HostAuthority(tmp_path / "stranger").issue("his-1")
    assert is_refused(guarded, client_context(*stranger, guarded.authority.certificate))
    assert is_refused(guarded, bare(guarded.authority.certificate))
    assert is_refused(guarded, None)
    assert works(guarded.host())


def test_only_the_hosts_of_the_board_where_it_names_them(
    card: Card, authority: HostAuthority, caplog: pytest.LogCaptureFixture
) -> None:
    listener = Listener(card.socket, authority=authority, hosts=("his-1", "his-9"))
    try:
        assert works(listener.host("his-1"))
        files = authority.issue("his-2")
        assert is_refused(listener, client_context(*files, authority.certificate))
        until(lambda: "his-2" in caplog.text)
    finally:
        listener.close()


def test_the_names_of_a_certificate() -> None:
    found = {
        "subject": ((("countryName", "CN"),), (("commonName", "his-1"),)),
        "subjectAltName": (("DNS", "his.example"), ("URI", "his-x"), ("IP Address", "192.0.2.1")),
    }
    assert names_in(found) == {"his-1", "his.example"}
    assert names_in(None) == set()


def test_a_host_trusts_only_the_unit_of_that_authority(guarded: Listener, tmp_path: Path) -> None:
    other = HostAuthority(tmp_path / "other")
    with pytest.raises(ssl.SSLCertVerificationError):
        LanHost(guarded.port, client_context(*guarded.authority.issue("h"), other.certificate))


def test_a_key_that_everybody_reads_serves_nobody_until_it_is_mended(
    guarded: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    """The files are read for each connection: a renewed certificate needs no restart."""
    key = guarded.authority.folder / "unit.key"
    context = client_context(*guarded.authority.issue("h"), guarded.authority.certificate)
    key.chmod(0o644)
    assert is_refused(guarded, context)
    until(lambda: "unit.key can be read by everybody" in caplog.text)
    key.chmod(0o640)
    assert works(guarded.host())


# -- bounds ----------------------------------------------------------------------------------------


def test_a_host_in_the_clear_on_loopback(plain: Listener) -> None:
    host = plain.host()
    assert host.say(b"{")["error"]["code"] == rpc.PARSE_ERROR
    assert host.call("nothing")["error"]["code"] == rpc.METHOD_NOT_FOUND
    assert works(host)


def test_an_overlong_line_ends_the_connection(plain: Listener) -> None:
    host = plain.host()
    with contextlib.suppress(OSError):
        host.link.sendall(b"x" * (rpc.MAX_LINE + 10))
    assert host.hear()["error"]["code"] == rpc.INVALID_REQUEST
    with contextlib.suppress(ConnectionResetError):
        assert host.hear() is None
    host.close()
    assert works(plain.host())


def test_six_from_one_address_and_no_more(plain: Listener) -> None:
    hosts = [plain.host() for _ in range(lan.MAX_OF_ONE)]
    for each in hosts:
        assert each.call("add", one=1)["result"] == {"sum": 2}
    more = plain.host()
    assert more.hear()["error"]["code"] == rpc.TOO_MANY
    assert more.hear() is None
    more.close()
    hosts.pop().close()
    until(lambda: is_served(plain))
    for each in hosts:
        each.close()


def is_served(listener: Listener) -> bool:
    try:
        host = listener.host()
    except OSError:
        return False
    with contextlib.closing(host), contextlib.suppress(OSError):
        return "result" in host.call("add", one=1)
    return False


def test_a_handshake_that_does_not_come_frees_its_place(
    guarded: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lan, "HANDSHAKE_S", 0.2)
    silent = [socket.create_connection(("127.0.0.1", guarded.port)) for _ in range(20)]
    context = client_context(*guarded.authority.issue("h"), guarded.authority.certificate)
    until(lambda: not is_refused(guarded, context))
    for each in silent:
        each.close()


def test_a_drip_of_bytes_and_silence_end(plain: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LINE_S", 0.2)
    monkeypatch.setattr(process, "IDLE_S", 0.3)
    for first in (b"{", b""):
        host = plain.host()
        host.link.sendall(first)
        assert host.hear() is None
        host.close()


class Recorder(threading.Event):
    """Waits for nothing, and keeps how long it should have."""

    def __init__(self) -> None:
        super().__init__()
        self.waits_s: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits_s.append(timeout or 0.0)
        return False


def test_a_flood_is_slowed_and_others_are_served(
    plain: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each connection has its own pace: the flood waits, nobody else does."""
    monkeypatch.setattr(process, "Pace", lambda: pace.Pace(2, 0.001))
    stop = Recorder()
    plain.talks._stop = stop
    flood, calm = plain.host(), plain.host()
    line = b'{"jsonrpc":"2.0","id":1,"method":"add","params":{"one":1}}\n'
    flood.link.sendall(line * 4)
    for _ in range(4):
        assert "result" in flood.hear()
    first, second, third, fourth = stop.waits_s
    assert first == second == 0.0
    assert 800 < third < fourth
    assert calm.call("add", one=1)["result"] == {"sum": 2}
    assert stop.waits_s[4:] == [0.0]
    stop.set()
    for each in (flood, calm):
        each.close()


def test_a_host_that_does_not_read_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lan, "WRITE_S", 0.2)
    path = tmp_path / "unit.sock"
    server = RpcServer(path, 0o600, {"long": lambda: {"text": "x" * 1_900_000}})
    server.start()
    listener = Listener(path, methods=("long",))
    host = listener.host()
    for _ in range(10):
        host.link.sendall(b'{"jsonrpc":"2.0","id":1,"method":"long"}\n')
    until(lambda: listener.server._open.total() == 0)
    host.close()
    listener.close()
    server.close()


def test_a_host_that_reads_in_drips_is_dropped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each piece in time, the whole not."""

    class Dripping:
        def settimeout(self, seconds: float) -> None: ...

        def send(self, data: memoryview) -> int:
            time.sleep(0.001)
            return 1

    monkeypatch.setattr(lan, "WRITE_S", 0.05)
    with pytest.raises(TransportError):
        lan.Connection(Dripping()).write(b"x" * 100_000)


# -- hosts and terminals that go -------------------------------------------------------------------


def test_a_host_that_leaves_does_not_end_what_it_asked_for(plain: Listener, card: Card) -> None:
    for leave in (LanHost.close, _reset):
        host = plain.host()
        host.link.sendall(b'{"jsonrpc":"2.0","id":1,"method":"slow"}\n')
        assert card.begun.acquire(timeout=SOON_S)
        leave(host)
    card.go.set()
    until(lambda: card.done == 2)
    until(lambda: plain.server._open.total() == 0)
    assert works(plain.host())


def _reset(host: LanHost) -> None:
    host.link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    host.close()


def test_the_terminal_goes_and_comes_and_one_connection_is_enough(tmp_path: Path) -> None:
    first = Card(tmp_path)
    listener = Listener(first.socket)
    host = listener.host()
    assert host.call("add", one=1)["result"] == {"sum": 2}
    first.close()
    told = host.call("add", one=1)["error"]
    assert (told["code"], told["data"]["outcome"]["number"]) == (rpc.TERMINAL_AWAY, 641)
    second = Card(tmp_path)
    assert works(host)
    listener.close()
    second.close()


def test_an_address_that_is_taken_is_had_when_it_is_free(
    card: Card, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lan, "RETRY_S", 0.05)
    made = Listener(card.socket)
    made.close()
    with socket.create_server(("127.0.0.1", made.port)) as taken:
        again = lan.LanServer(made.server._settings, made.talks.of_network)
        thread = threading.Thread(target=again.run, daemon=True)
        thread.start()
        until(lambda: "in use" in caplog.text)
        time.sleep(0.2)
        assert caplog.text.count("in use") == 1
        taken.close()
    made.stop.clear()
    until(lambda: is_served(made))
    again.close()
    thread.join(SOON_S)
    assert not thread.is_alive()


def test_nothing_is_logged_of_what_hosts_say(
    plain: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    host = plain.host()
    host.say(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "add", "x": "secret-7"}).encode())
    host.say(b"secret-7 is no JSON")
    host.close()
    assert "secret-7" not in caplog.text


# -- docs/integrator.md ----------------------------------------------------------------------------


def test_the_page_for_integrators_makes_certificates_and_connects(
    card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commands and its ten lines of Python, as they stand there."""
    page = Path(__file__).parent.parent / "docs" / "integrator.md"
    section = page.read_text().split("## Over the network")[1].split("\n## ")[0]
    commands, program = (
        found[1]
        for found in re.finditer(r"```(?:python)?\n((?:name=|import).*?)```", section, re.S)
    )
    monkeypatch.chdir(tmp_path)
    subprocess.run(["sh", "-ec", commands], check=True, capture_output=True, timeout=SOON_S)
    shown = tomllib.loads(section.split("```toml\n")[1].split("```")[0])["host"]["lan"]
    pair = (tmp_path / shown["certificate"], tmp_path / shown["key"])
    listener = Listener(
        card.socket, files=(*pair, tmp_path / shown["ca"]), hosts=tuple(shown["hosts"])
    )
    scope: dict[str, Any] = {}
    exec(program, scope)
    with scope["connect"]("127.0.0.1", listener.port) as link:
        link.sendall(b'{"jsonrpc":"2.0","id":1,"method":"add","params":{"one":1}}\n')
        assert json.loads(link.recv(4096))["result"] == {"sum": 2}
    listener.close()
