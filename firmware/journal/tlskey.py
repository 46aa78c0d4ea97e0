"""The uplink's TLS key: P-256 in tls.key (PKCS #8 PEM, mode 0600), and its certificate request.

The card process makes it at enrolment; the uplink process uses it, with tls.crt and ca.crt that the
office gave out.  It signs nothing but handshakes: whoever steals it can connect as the unit, and
can write no record.
"""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from firmware.journal import ownfile
from firmware.journal.devicekey import DeviceKeyError
from firmware.journal.ownfile import OwnFileError

KEY, CERTIFICATE, AUTHORITY = "tls.key", "tls.crt", "ca.crt"
"""Their names in data_dir."""

_MAX_KEY = 4096  # bytes of PEM
_MAX_CERTIFICATE = 65_536


def certificate_request(unit: str, path: Path) -> bytes:
    """A PKCS #10 request (DER, CN = unit) of the key in `path`, made there if there is none.

    Raises DeviceKeyError for a key that must not be used, OSError.
    """
    if not path.exists():
        ownfile.create(path, _new_key())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, unit)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(_load(path), hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def validity(path: Path) -> tuple[float, float]:
    """From when to when a certificate (PEM) holds, in s since 1970.  Raises OSError, ValueError."""
    with path.open("rb") as file:
        certificate = x509.load_pem_x509_certificate(file.read(_MAX_CERTIFICATE))
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return begins.timestamp(), ends.timestamp()


def _new_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _load(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        raw = ownfile.read(path, _MAX_KEY, "remove the file and enrol the unit again")
        key = serialization.load_pem_private_key(raw, None)
    except OwnFileError as error:
        raise DeviceKeyError(str(error)) from None
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise DeviceKeyError(f"{path} holds no P-256 key: remove the file, enrol the unit again")
    return key
