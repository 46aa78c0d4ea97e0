"""Who signs a release: the key, its certificate and the CA that units and flash.py trust."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tools.image.disk import ImageError, run

CURVE = ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
NEW = ("openssl", "req", "-x509", "-newkey", *CURVE, "-nodes", "-days", "3650")


@dataclass(frozen=True)
class Signer:
    """PEM files, P-256.  certificate: for codeSigning, by `authority`.  is_test: kept by nobody."""

    key: Path
    certificate: Path
    authority: Path
    is_test: bool = False

    def check(self) -> None:
        """Raises ImageError unless the CA signed the certificate and the key is the certificate's.

        Otherwise the image would start, and no unit that runs it could ever be updated.
        """
        run("openssl", "verify", "-purpose", "any", "-CAfile", self.authority, self.certificate)
        own = run("openssl", "pkey", "-in", self.key, "-pubout")
        if own != run("openssl", "x509", "-in", self.certificate, "-pubkey", "-noout"):
            raise ImageError(f"{self.key} is not the key of {self.certificate}")


def for_tests(folder: Path, name: str = "test") -> Signer:
    """Keys that protect nothing, made on the spot and kept in the folder; their names say so."""
    ends = (".key", ".crt", "-ca.crt")
    key, certificate, authority = (folder / f"{name}{end}" for end in ends)
    if not authority.exists():
        ca_key, ca = folder / f"{name}-ca.key", folder / f"{name}-ca.crt.new"
        run(
            *NEW, "-subj", f"/CN={name} CA: FOR TESTS ONLY", "-keyout", ca_key, "-out", ca,
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip
        run(
            *NEW, "-subj", f"/CN={name}: FOR TESTS ONLY", "-keyout", key, "-out", certificate,
            "-CA", ca, "-CAkey", ca_key, "-addext", "basicConstraints=critical,CA:FALSE",
            "-addext", "keyUsage=critical,digitalSignature",
            "-addext", "extendedKeyUsage=codeSigning",
        )  # fmt: skip
        ca.rename(authority)  # the last of them
    return Signer(key, certificate, authority, is_test=True)
