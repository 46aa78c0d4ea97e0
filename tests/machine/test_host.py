"""Issue "The technician": the three processes inside their walls, the third: a host on the network
pays through the image's own host process, over TLS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from firmware.host.client import AnswerLost, Remote, TlsFiles, Unreachable, call
from tests.host_rig import HostAuthority
from tests.machine import lan
from tests.machine.conftest import States
from tests.machine.provisioned import HIS, HOST_PORT, HOSTS
from tests.machine.unit import ORDER_FEN, Unit
from tests.ports import free_port

At = Callable[[Path], Unit]
ORDER = {"order_no": "HIS-1", "amounts": {"account_fen": ORDER_FEN}, "operator": "07"}


def test_a_host_on_the_network_pays_and_a_stranger_does_not(
    states: States, at: At, tmp_path: Path
) -> None:
    unit = at(states.ready)
    port = free_port()
    lan.plug_in(unit.machine, port, HOST_PORT)
    folder = states.folder / HOSTS
    authority = folder / "ca.crt"
    his = TlsFiles(folder / f"{HIS}.crt", folder / f"{HIS}.key", authority)
    stranger = TlsFiles(*HostAuthority(tmp_path / "strangers").issue(HIS), authority)
    unit.insert()
    with pytest.raises((Unreachable, AnswerLost)):
        call(Remote("127.0.0.1", port, stranger), "purchase", ORDER | {"order_no": "STRANGER-1"})
    told = call(Remote("127.0.0.1", port, his), "purchase", ORDER)
    assert told["state"] == "DONE", told
    unit.remove()
    unit.pull()
    unit.check_money(1)
