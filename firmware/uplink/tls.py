"""Mutual TLS 1.3 with the unit's own key: data_dir/tls.key, tls.crt and ca.crt.

The card process makes tls.key at enrolment; the office issues tls.crt and hands out ca.crt, its
authority's certificate, which alone is trusted: no certificate of the public web opens this link.
"""

from __future__ import annotations

import ssl
import stat
from pathlib import Path
from typing import Any

KEY, CERTIFICATE, AUTHORITY = "tls.key", "tls.crt", "ca.crt"

OFFICE_URI = "urn:ssc:office"
"""In the certificate of an office's server or client, and in no unit's."""


class TlsFilesError(Exception):
    """One of the three files is not there, or must not be used; the text says which and why."""


def client_context(data_dir: Path) -> ssl.SSLContext:
    """For a connection to the office; its name is checked.  Raises TlsFilesError."""
    return _context(ssl.PROTOCOL_TLS_CLIENT, data_dir)


def server_context(data_dir: Path) -> ssl.SSLContext:
    """For connections from the office: a client certificate is required.  Raises TlsFilesError."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, data_dir)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def is_of_office(certificate: dict[str, Any] | None) -> bool:
    """certificate: SSLSocket.getpeercert().  False for a unit's, which the same authority signs."""
    names = (certificate or {}).get("subjectAltName", ())
    return ("URI", OFFICE_URI) in names


def _context(protocol: int, data_dir: Path) -> ssl.SSLContext:
    key, certificate, authority = (data_dir / each for each in (KEY, CERTIFICATE, AUTHORITY))
    for path in (key, certificate, authority):
        if not path.is_file():
            raise TlsFilesError(f"{path.name} is not in the data folder")
    if stat.S_IMODE(key.stat().st_mode) & 0o077:
        raise TlsFilesError(f"{KEY} can be read by others: its mode must be 0600")
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(authority)
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or error.strerror
        raise TlsFilesError(f"tls.key, tls.crt and ca.crt do not work: {reason}") from None
    return context
