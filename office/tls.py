"""The office's own certificate, as a server for units and as their client, and mutual TLS 1.3.

server.key (0600) and server.crt in the office's folder, issued by its own authority (ca.py): made
when there are none, for other names, or when they are about to end.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Sequence
from pathlib import Path

from office import ca, secretfile
from office.errors import OfficeError
from office.folder import Folder

KEY, CERTIFICATE = "server.key", "server.crt"
RENEW_DAYS = 30
OFFICE_NAME = "office"  # of a certificate that was never asked for as a server's

_DAY_MS = 86_400_000


def server_context(folder: Folder, names: Sequence[str], now_ms: int) -> ssl.SSLContext:
    """For `sscoffice serve`: a client certificate of our authority is required.

    names: the host names and addresses by which units know this server.  Raises OfficeError 906,
    910, 920, 921.
    """
    _provide(folder, list(names), now_ms)
    context = _context(ssl.PROTOCOL_TLS_SERVER, folder.path)
    context.verify_mode = ssl.CERT_REQUIRED
    context.num_tickets = 0  # a unit comes back after minutes: nothing is resumed
    return context


def page_context(folder: Folder) -> ssl.SSLContext:
    """For people's browsers, which show no certificate: the one that server_context provided.

    Raises OfficeError 920.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, folder.path)
    context.verify_mode = ssl.CERT_NONE
    return context


def client_context(folder: Folder, now_ms: int) -> ssl.SSLContext:
    """For pulling from units over HTTPS.  Raises OfficeError 906, 910, 920."""
    _provide(folder, _held_names(folder.path) or [OFFICE_NAME], now_ms)
    return _context(ssl.PROTOCOL_TLS_CLIENT, folder.path)


def trust(context: ssl.SSLContext, authority: Path) -> None:
    """One more authority, of a server that is not ours.  Raises OfficeError 906."""
    try:
        context.load_verify_locations(authority)
    except OSError as error:  # SSLError is one
        raise OfficeError(906, f"{authority}: {error!s:.100}") from None


def _provide(folder: Folder, names: list[str], now_ms: int) -> None:
    if _held_names(folder.path, now_ms + RENEW_DAYS * _DAY_MS) == names:
        return
    issued = folder.authority().issue_server(names, now_ms)
    try:
        # The certificate goes first: a key without one is asked for again.
        for name in (CERTIFICATE, KEY):
            (folder.path / name).unlink(missing_ok=True)
        secretfile.create(folder.path / KEY, issued.key)
        (folder.path / CERTIFICATE).write_bytes(issued.certificate)
    except OSError as error:
        raise OfficeError(906, f"{folder.path}: {error.strerror}") from None


def _held_names(folder: Path, good_until_ms: int = 0) -> list[str] | None:
    """Of our certificate, in order; None without a key, or when it ends before."""
    with contextlib.suppress(OSError, ValueError):
        names, ends_ms = ca.names_of((folder / CERTIFICATE).read_bytes())
        if (folder / KEY).exists() and ends_ms > good_until_ms:
            return names
    return None


def _context(protocol: int, folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(folder / CERTIFICATE, folder / KEY)
        context.load_verify_locations(folder / ca.CERTIFICATE)
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or error.strerror
        raise OfficeError(920, f"{folder}: {KEY}, {CERTIFICATE}, ca.crt: {reason}") from None
    return context
