"""A SoftHSM2 token of its own for a test: initialised by softhsm2-util, used through PKCS #11."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from firmware.journal.pkcs11 import TokenSettings
from tests.waiting import SOON_S

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so")
MODULE = next((Path(each) for each in MODULES if Path(each).exists()), None)
WHY = "no SoftHSM2 here (Debian package softhsm2)"
needs_softhsm = pytest.mark.skipif(MODULE is None, reason=WHY)

LABEL = "ssc-unit"
PIN = "invented-4711"
SO_PIN = "invented-0815"


@dataclass
class SoftToken:
    """store: where SoftHSM keeps its tokens.  settings: as a unit would have them."""

    folder: Path
    settings: TokenSettings

    @property
    def store(self) -> Path:
        return self.folder / "tokens"

    def take_out(self) -> None:
        self.store.rename(self.folder / "taken")
        self.store.mkdir()

    def put_back(self) -> None:
        self.store.rmdir()
        (self.folder / "taken").rename(self.store)

    def write_pin(self, pin: str) -> None:
        path = self.settings.pin_file
        path.unlink(missing_ok=True)
        path.touch(0o600)
        path.write_text(pin + "\n")


def soft_token(folder: Path, monkeypatch: pytest.MonkeyPatch, timeout_s: float = 10) -> SoftToken:
    """A fresh token with a PIN and no key; SOFTHSM2_CONF names it for this process and children."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokens").mkdir()
    conf = folder / "softhsm2.conf"
    conf.write_text(
        f"directories.tokendir = {folder / 'tokens'}\n"
        "objectstore.backend = file\nlog.level = ERROR\n"
    )
    monkeypatch.setenv("SOFTHSM2_CONF", str(conf))
    tool = shutil.which("softhsm2-util")
    assert tool is not None
    assert MODULE is not None
    told = ["--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", SO_PIN]
    subprocess.run([tool, *told], check=True, capture_output=True, timeout=SOON_S)
    settings = TokenSettings(MODULE, LABEL, "device", folder / "token.pin", timeout_s)
    token = SoftToken(folder, settings)
    token.write_pin(PIN)
    return token
