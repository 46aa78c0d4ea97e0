"""Certificates for tests: an office's authority, and the TLS files of units and servers."""

from __future__ import annotations

import ssl
import time
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import CertificateSigningRequestBuilder, Name, NameAttribute
from cryptography.x509.oid import NameOID

from office import ca


def now_ms() -> int:
    return int(time.time() * 1000)


def authority(folder: Path) -> ca.Authority:
    """Of a new office in `folder`, or the one that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / ca.KEY).exists():
        ca.create(folder, "test office", now_ms())
    return ca.load(folder)


def give_unit(office: ca.Authority, unit: str, data_dir: Path) -> None:
    """tls.key, tls.crt and ca.crt in data_dir, as enrolment leaves them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = Name([NameAttribute(NameOID.COMMON_NAME, unit)])
    request = CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    certificate = office.tls(unit, request.public_bytes(serialization.Encoding.DER), now_ms())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write(data_dir, pem, certificate, office.certificate)


def give_office(office: ca.Authority, names: list[str], folder: Path) -> None:
    """The same files for a server or client of the office."""
    issued = office.issue_server(names, now_ms())
    _write(folder, issued.key, issued.certificate, office.certificate)


def _write(folder: Path, key: bytes, certificate: bytes, trusted: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tls.key").write_bytes(key)
    (folder / "tls.key").chmod(0o600)
    (folder / "tls.crt").write_bytes(certificate)
    (folder / "ca.crt").write_bytes(trusted)


def context(folder: Path, *, is_server: bool = False) -> ssl.SSLContext:
    protocol = ssl.PROTOCOL_TLS_SERVER if is_server else ssl.PROTOCOL_TLS_CLIENT
    made = ssl.SSLContext(protocol)
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    made.load_verify_locations(folder / "ca.crt")
    return made
