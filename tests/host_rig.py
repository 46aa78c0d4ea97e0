"""Hosts on the network for tests: an authority of their own, certificates, a client, a terminal."""

from __future__ import annotations

import datetime
import ipaddress
import json
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import strategies as st

from firmware.board_host import Lan
from firmware.host.lan import LanServer
from firmware.host.process import Talks
from firmware.host.relay import Relay
from firmware.host.rpc import RpcServer
from firmware.host.tls import client_context
from tests.ports import free_port
from tests.waiting import SOON_S, until

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
"""Whatever a host may put where a value stands."""
DAY = datetime.timedelta(days=1)


class HostAuthority:
    """Its certificate, and those it issues, as PEM files in a folder."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hosts of a test")])
        self.certificate = folder / "ca.crt"
        made = self._builder(self._name, self._key, -1, 30).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.certificate.write_bytes(_pem(made.sign(self._key, hashes.SHA256())))

    def issue(
        self, name: str, *, is_server: bool = False, first_day: int = -1, last_day: int = 30
    ) -> tuple[Path, Path]:
        """certificate, key.  first_day, last_day: from today."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        use = ExtendedKeyUsageOID.SERVER_AUTH if is_server else ExtendedKeyUsageOID.CLIENT_AUTH
        here = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))] if is_server else []
        made = (
            self._builder(subject, key, first_day, last_day)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name), *here]), critical=False)
        )
        certificate, secret = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        certificate.write_bytes(_pem(made.sign(self._key, hashes.SHA256())))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        secret.chmod(0o600)
        return certificate, secret

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, first: int, last: int
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + first * DAY)
            .not_valid_after(now + last * DAY)
        )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


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


class Host:
    """A host program: one connection, requests in turn."""

    def __init__(self, link: socket.socket):
        self.link = link
        self.lines = link.makefile("rb")

    def say(self, raw: bytes) -> Any:
        self.link.sendall(raw + b"\n")
        return self.hear()

    def hear(self) -> Any:
        """None when the other side closed."""
        line = self.lines.readline()
        return json.loads(line) if line else None

    def call(self, method: str, **params: Any) -> Any:
        request = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        return self.say(json.dumps(request).encode())

    def close(self) -> None:
        self.lines.close()
        self.link.close()


class LanHost(Host):
    def __init__(self, port: int, context: ssl.SSLContext | None = None):
        link: socket.socket = socket.create_connection(("127.0.0.1", port), SOON_S)
        try:
            if context is not None:
                link = context.wrap_socket(link, server_hostname="127.0.0.1")
            super().__init__(link)
        except BaseException:
            link.close()
            raise


class SocketHost(Host):
    """At the unit's socket."""

    def __init__(self, path: Path):
        link = socket.socket(socket.AF_UNIX)
        link.settimeout(SOON_S)
        link.connect(str(path))
        super().__init__(link)


class Listener:
    """The network side of the host process, before the socket of a card process."""

    def __init__(
        self,
        card_socket: Path,
        *,
        authority: HostAuthority | None = None,
        files: tuple[Path, Path, Path] | None = None,
        hosts: tuple[str, ...] | None = None,
        methods: tuple[str, ...] = ("add", "slow"),
        answer_s: float = SOON_S,
    ):
        self.port = free_port()
        self.authority = authority
        if authority is not None:
            files = (*authority.issue("unit", is_server=True), authority.certificate)
        settings = Lan(f"127.0.0.1:{self.port}", *(files or (None, None, None)), hosts)
        self.stop = threading.Event()
        self.talks = Talks(Relay(card_socket, methods, answer_s), self.stop)
        self.server = LanServer(settings, self.talks.of_network)
        self._thread = threading.Thread(target=self.server.run, daemon=True)
        self._thread.start()
        until(self._is_open)

    def _is_open(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def host(self, name: str = "his-1", **issued: Any) -> LanHost:
        """A host with a certificate of the same authority, if there is one."""
        if self.authority is None:
            return LanHost(self.port)
        files = self.authority.issue(name, **issued)
        return LanHost(self.port, client_context(*files, self.authority.certificate))

    def close(self) -> None:
        self.stop.set()
        self.server.close()
        self._thread.join(SOON_S)
        assert not self._thread.is_alive()


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
