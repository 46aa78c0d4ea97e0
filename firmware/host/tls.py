"""TLS between hosts and a unit: both sides show a certificate of the authority that board.toml
names.

Nothing of it is the uplink's: a host's authority may be the hospital's own.
"""

from __future__ import annotations

import ssl
import stat
from pathlib import Path
from typing import Any

_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2, for hosts that know no 1.3."""


class TlsFilesError(Exception):
    """A file is not there, or must not be used; the text says which and why."""


def server_context(certificate: Path, key: Path, authority: Path) -> ssl.SSLContext:
    """Of the unit; a client certificate is required, for clientAuth where it says what for.

    Raises TlsFilesError.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, certificate, key, authority)
    context.verify_mode = ssl.CERT_REQUIRED
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context


def client_context(certificate: Path, key: Path, authority: Path) -> ssl.SSLContext:
    """Of a host; the unit's name or address must stand in its certificate.  TlsFilesError."""
    return _context(ssl.PROTOCOL_TLS_CLIENT, certificate, key, authority)


def names_in(certificate: dict[str, Any] | None) -> set[str]:
    """certificate: SSLSocket.getpeercert().  Its DNS names and its common names."""
    found = certificate or {}
    names = {name for kind, name in found.get("subjectAltName", ()) if kind == "DNS"}
    pairs = [pair for part in found.get("subject", ()) for pair in part]
    return names | {name for kind, name in pairs if kind == "commonName"}


def _context(protocol: int, certificate: Path, key: Path, authority: Path) -> ssl.SSLContext:
    try:
        if stat.S_IMODE(key.stat().st_mode) & 0o007:
            raise TlsFilesError(f"{key} can be read by everybody: its mode must be 0640 or less")
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS)
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(authority)
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or error.strerror
        files = ", ".join(map(str, (certificate, key, authority)))
        raise TlsFilesError(f"{files} do not work: {reason}") from None
    return context
