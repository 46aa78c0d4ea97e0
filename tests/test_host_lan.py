"""Hosts on the network: who gets in, and what slow and flooding ones cost the others."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.host import lan
from firmware.host.tls import client_context, names_in
from tests.host_rig import Card, HostAuthority, LanHost, Listener, is_refused, works
from tests.waiting import SOON_S, until


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Card]:
    with contextlib.closing(Card(tmp_path)) as made:
        yield made


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> HostAuthority:
    return HostAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def guarded(card: Card, authority: HostAuthority) -> Iterator[Listener]:
    with contextlib.closing(Listener(card.socket, authority=authority)) as made:
        yield made


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


def test_a_handshake_that_does_not_come_frees_its_place(
    guarded: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lan, "HANDSHAKE_S", 0.2)
    silent = [socket.create_connection(("127.0.0.1", guarded.port)) for _ in range(20)]
    context = client_context(*guarded.authority.issue("h"), guarded.authority.certificate)
    until(lambda: not is_refused(guarded, context))
    for each in silent:
        each.close()


def test_only_the_hosts_of_the_board_where_it_names_them(
    card: Card, authority: HostAuthority, caplog: pytest.LogCaptureFixture
) -> None:
    listener = Listener(card.socket, authority=authority, hosts=("his-1", "his-9"))
    try:
        assert works(listener.host("his-1"))
        context = client_context(*authority.issue("his-2"), authority.certificate)
        assert is_refused(listener, context)
        assert is_refused(listener, None)  # a stranger's noise keeps nothing of it out of the log
        for _ in range(3):
            assert told_of_its_end(listener.port, context)
        until(lambda: "his-2" in caplog.text)
    finally:
        listener.close()
    (line,) = [each.getMessage() for each in caplog.records if "his-2" in each.getMessage()]
    assert line.startswith("643 HOST_NOT_LISTED: The host's certificate names nobody on the list. ")
    assert line.endswith("it a listed one. (127.0.0.1: 'his-2')")


def told_of_its_end(port: int, context: ssl.SSLContext) -> bool:
    """Whether TLS itself says that nothing more comes; a connection that breaks raises OSError."""
    with socket.create_connection(("127.0.0.1", port), SOON_S) as link:
        secured = context.wrap_socket(link, server_hostname="127.0.0.1", suppress_ragged_eofs=False)
        with secured:
            return secured.recv(1) == b""


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
