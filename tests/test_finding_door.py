"""Issue "The technician", item 3: `find` at a unit's own door: its line program, its sshd."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import door_rig
from tests.door_rig import Door
from tools.door.announce import PROVISIONED, Said
from tools.technician import finding
from tools.technician.finding import SERIAL, UNIT
from tools.technician.ident import Ident
from tools.technician.place import Place

SAID = Said("1.2.3", "pharmacy-7", PROVISIONED)
IDENT = Ident("1.2.3", "pharmacy-7", PROVISIONED)
NO_DOOR = door_rig.missing()
pytestmark = pytest.mark.skipif(NO_DOOR is not None, reason=str(NO_DOOR))


class Named(Door):
    """Its sshd says what tools/door/announce.py writes for it."""

    def sshd(self) -> list[str]:
        return [*super().sshd(), "-o", f"VersionAddendum={SAID.addendum()}"]


def test_a_serial_line_is_asked_again_and_again_and_then_serves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    door = Named(tmp_path)
    with door.serial() as (target, device):
        for _ in range(3):
            found = finding.on_line(str(device), 115200, 60)
            assert (found.what, found.said) == (UNIT, IDENT)
            assert found.place == Place(SERIAL, str(device), 115200, "pharmacy-7")
        assert door.flash("info", target, "--json", key=door.stranger) == 2  # 1402: it was asked
        assert '"number": 1402' in capsys.readouterr().out


def test_an_address_is_asked_again_and_again(tmp_path: Path) -> None:
    door = Named(tmp_path)
    with door.lan() as at:
        host, _, port = at.partition(":")
        for _ in range(3):
            assert finding.on_address(host, int(port), 60).said == IDENT
