"""The office's certificate authority: X.509 for devices, their TLS keys, and its own servers.

ca.key (0600)   P-256, PKCS #8 PEM; whoever has it can make certificates that every link trusts
ca.crt          its own certificate, PEM; every unit and every server holds it

Profile: RFC 5280.  Serial numbers are 20 random bytes, signatures ECDSA with SHA-256.  What a
certificate says of a unit is its name, never what it may do: that is asked of the store.
"""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from firmware.journal.spool import write_atomic
from office import secretfile
from office.errors import OfficeError

KEY, CERTIFICATE = "ca.key", "ca.crt"

OFFICE_URI = "urn:ssc:office"

AUTHORITY_DAYS = 20 * 365
DEVICE_DAYS = 10 * 365
TLS_DAYS = 2 * 365
EARLY_DAYS = 1  # valid from yesterday on: a unit's clock may be behind

UNIT_NAME = re.compile("[A-Za-z0-9-]{1,32}")
"""As board.toml takes it."""

_MAX_KEY = 4096  # bytes of PEM

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


class Issued(NamedTuple):
    """A key this office made, and its certificate, both PEM.  The key belongs in a 0600 file."""

    key: bytes
    certificate: bytes

    def __repr__(self) -> str:
        return "Issued(<key>, certificate)"


class Authority:
    """Issues certificates under ca.key.  Raises OfficeError 920 and 921."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate):
        self._key = key
        self._own = certificate

    @property
    def certificate(self) -> bytes:
        """The authority's own certificate, PEM: the one a peer is verified with."""
        return _pem(self._own)

    def device(self, unit: str, public_key: PublicKey, now_ms: int) -> bytes:
        """The PEM certificate of a record-signing key: CN and urn:ssc:unit:UNIT, 10 years."""
        _check_name(unit)
        uri = x509.UniformResourceIdentifier(f"urn:ssc:unit:{unit}")
        return _pem(self._issue(unit, public_key, [uri], [], now_ms, DEVICE_DAYS))

    def tls(self, unit: str, request: bytes, now_ms: int) -> bytes:
        """The PEM certificate of a unit's TLS key, from its PKCS #10 request (DER): 2 years.

        clientAuth and serverAuth, DNS name = the unit's name, whatever the request asks for.
        """
        _check_name(unit)
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        key = _requested_key(request)
        return _pem(self._issue(unit, key, [x509.DNSName(unit)], uses, now_ms, TLS_DAYS))

    def issue_server(self, names: Sequence[str], now_ms: int) -> Issued:
        """A new P-256 key and certificate of a server under these DNS names or IP addresses.

        Good as a client's too: the office itself asks units on a LAN.  OFFICE_URI tells it from a
        unit's, which may be a server too.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        alternatives = [_alternative(each) for each in names]
        if alternatives:
            alternatives.append(x509.UniformResourceIdentifier(OFFICE_URI))
        else:
            raise OfficeError(921, "a server certificate names at least one host")
        made = self._issue(names[0][:64], key.public_key(), alternatives, uses, now_ms, TLS_DAYS)
        return Issued(_key_pem(key), _pem(made))

    def _issue(
        self,
        name: str,
        public_key: PublicKey,
        alternatives: Sequence[x509.GeneralName],
        uses: Sequence[x509.ObjectIdentifier],
        now_ms: int,
        days: int,
    ) -> x509.Certificate:
        """RFC 5280 4.2: an end entity that signs, and does nothing else."""
        builder = (
            _dated(now_ms, days)
            .subject_name(_common_name(name))
            .issuer_name(self._own.subject)
            .public_key(public_key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        if uses:
            builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def create(folder: Path, name: str, now_ms: int) -> None:
    """Make ca.key and ca.crt in the office's folder, 20 years.  Raises OSError."""
    key = ec.generate_private_key(ec.SECP256R1())
    own = key.public_key()
    made = (
        _dated(now_ms, AUTHORITY_DAYS)
        .subject_name(_common_name(name))
        .issuer_name(_common_name(name))
        .public_key(own)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own), critical=False)
        .sign(key, hashes.SHA256())
    )
    secretfile.create(folder / KEY, _key_pem(key))
    write_atomic(folder / CERTIFICATE, _pem(made))


def load(folder: Path) -> Authority:
    """The office's authority.  Raises OfficeError 910 (its key file) and 920."""
    raw = secretfile.read(folder / KEY, _MAX_KEY)
    try:
        key = serialization.load_pem_private_key(raw, None)
        certificate = x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
    except OSError as error:
        raise OfficeError(920, f"{folder / CERTIFICATE}: {error.strerror}") from None
    except (ValueError, TypeError):
        raise OfficeError(920, f"{folder}: {KEY} or {CERTIFICATE} is not PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != (
        key.public_key()
    ):
        raise OfficeError(920, f"{folder}: {KEY} and {CERTIFICATE} do not belong together")
    return Authority(key, certificate)


def names_of(certificate: bytes) -> tuple[list[str], int]:
    """Of a PEM: DNS names and IP addresses in order, and when it ends in ms.  Raises ValueError."""
    found = x509.load_pem_x509_certificate(certificate)
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise ValueError("a certificate without names") from None
    ends_ms = int(found.not_valid_after_utc.timestamp() * 1000)
    return [str(each.value) for each in names if each.value != OFFICE_URI], ends_ms


def serial_of(pem: str) -> str:
    """The serial number of a certificate, in hex."""
    return f"{x509.load_pem_x509_certificate(pem.encode()).serial_number:040x}"


def public_key(raw: bytes) -> PublicKey:
    """A device's public key: 32 bytes Ed25519, or 65 bytes of a point of P-256; OfficeError 921."""
    try:
        if len(raw) == 32:
            return ed25519.Ed25519PublicKey.from_public_bytes(raw)
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError:
        raise OfficeError(921, "no public key of Ed25519 or P-256") from None


def _requested_key(request: bytes) -> ec.EllipticCurvePublicKey:
    """The key of a PKCS #10 request that signed it, which proves that the unit holds it."""
    try:
        found = x509.load_der_x509_csr(request)
        key = found.public_key()
        is_right = found.is_signature_valid
    except (ValueError, TypeError, InvalidSignature, x509.InvalidVersion):
        raise OfficeError(921, "no certificate request") from None
    if not is_right:
        raise OfficeError(921, "the certificate request is not signed by its own key")
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise OfficeError(921, "the key of the certificate request is not P-256")
    return key


def _check_name(unit: str) -> None:
    if UNIT_NAME.fullmatch(unit) is None:
        raise OfficeError(921, f"{unit!r:.40} is no name of a unit")


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    if re.fullmatch(r"[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){0,8}", name) is None:
        raise OfficeError(921, f"{name!r:.80} is no host name and no IP address")
    return x509.DNSName(name)


def _dated(now_ms: int, days: int) -> x509.CertificateBuilder:
    now = datetime.datetime.fromtimestamp(now_ms // 1000, datetime.UTC)
    return (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=EARLY_DAYS))
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
