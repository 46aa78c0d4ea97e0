"""Terminals for the storm: keys, certificates and sealed batches, made before anything is timed.

`python -m tests.bench.storm_world FOLDER FIRST TERMINALS` writes one share: for each terminal a PEM
with its certificate and TLS key, and its batches; the authority lies in FOLDER/authority.
"""

from __future__ import annotations

import random
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from office import ca
from tests.bench.office_batches import Maker, unit_name

BATCHES, RECORDS = 7, 10
"""Of each terminal; records of each batch (the issue's storm)."""


class Simulated(NamedTuple):
    """One terminal.  public_key: of its records; pem: the file of its TLS identity."""

    unit: str
    public_key: bytes
    pem: Path
    batches: list[bytes]


def make(folder: Path, first: int, terminals: int) -> None:
    authority = ca.load(folder / "authority")
    (folder / "pem").mkdir(exist_ok=True)
    chance = random.Random()
    with (folder / f"share-{first:05d}").open("wb") as out:
        for at in range(first, first + terminals):
            maker = Maker(unit_name(at), chance)
            batches = [maker.batch(RECORDS) for _ in range(BATCHES)]
            _identity(authority, maker.unit, folder / "pem" / f"{maker.unit}.pem")
            for piece in (maker.unit.encode(), maker.signer.public_key, *batches):
                out.write(struct.pack(">I", len(piece)) + piece)


def _identity(authority: ca.Authority, unit: str, path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, unit)])
    asked = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    request = asked.public_bytes(serialization.Encoding.DER)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.touch(mode=0o600)
    path.write_bytes(authority.tls(unit, request, int(time.time() * 1000)) + private)


def load(folder: Path) -> Iterator[Simulated]:
    """Every terminal of every share."""
    for share in sorted(folder.glob("share-*")):
        content = share.read_bytes()
        pieces, at = [], 0
        while at < len(content):
            (length,) = struct.unpack_from(">I", content, at)
            pieces.append(content[at + 4 : at + 4 + length])
            at += 4 + length
        for start in range(0, len(pieces), 2 + BATCHES):
            unit, key, *batches = pieces[start : start + 2 + BATCHES]
            yield Simulated(unit.decode(), key, folder / "pem" / f"{unit.decode()}.pem", batches)


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
