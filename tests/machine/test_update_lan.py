"""Issue "The technician": `flash.py update HOST BUNDLE` on the image itself, over its LAN: through
its own sshd, installed, tried from inside the door's walls, kept."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.machine import lan, updating
from tests.machine.conftest import States
from tests.machine.provisioned import TECHNICIAN, UNIT
from tests.machine.unit import Unit
from tests.machine.updates import NEWER, records_of
from tests.ports import free_port
from tools.image.signers import Signer
from tools.technician.place import SSH_PORT

FLASH = Path(__file__).resolve().parents[2] / "tools" / "flash.py"
At = Callable[[Path], Unit]
ENDED_S = 2400.0


@pytest.mark.long
def test_a_technician_updates_a_unit_over_the_lan(
    states: States, at: At, newer: Path, signer: Signer, tmp_path: Path
) -> None:
    unit = at(states.ready)
    unit.insert()
    assert unit.pay("BEFORE-1")["state"] == "DONE"
    unit.remove()
    records = records_of(unit)
    port = free_port()
    lan.plug_in(unit.machine, port, SSH_PORT)
    words = (
        FLASH, "update", f"127.0.0.1:{port}", newer.with_suffix(".raucb"), "--json",
        "--ca", signer.authority, "--key", states.folder / TECHNICIAN,
        "--state", tmp_path / "flash",
    )  # fmt: skip
    with open(tmp_path / "told.json", "wb") as out:
        flash = subprocess.Popen([sys.executable, *map(str, words)], stdout=out)
    try:
        assert unit.machine.wait_off(ENDED_S) == updating.TRYBOOT
        unit.release()
        unit.start(tryboot=True)
        assert unit.machine.slot == "B"
        lan.plug_in(unit.machine, port, SSH_PORT)
        status = flash.wait(ENDED_S)
    finally:
        flash.kill()
        flash.wait()
    told = json.loads((tmp_path / "told.json").read_text())
    assert status == 0, told
    assert (told["unit"], told["version"], told["kept"]) == (UNIT, NEWER, True)
    assert unit.call("status")["firmware"] == NEWER
    assert records_of(unit)[: len(records)] == records
    unit.pull()
    unit.check_money(1)
