"""One sealed day, carried to a new office over any of the four links by what a unit really runs."""

from __future__ import annotations

import contextlib
import shutil
import signal
import threading
from pathlib import Path
from types import SimpleNamespace

from firmware.drivers.uart import open_uart
from firmware.uplink import process
from firmware.uplink.drop import DropLink
from firmware.uplink.https import HttpsCollector
from firmware.uplink.push import Pusher
from firmware.uplink.spool import Spool
from office.__main__ import main
from tests import tls_rig
from tests.board_parts import links
from tests.faulty_line import FaultyLine
from tests.link_rig import Office
from tests.nats_rig import NatsServer, link_of, messages, running
from tests.waiting import SOON_S, until

Day = dict[str, tuple[Path, list[bytes]]]
"""Unit -> its enrolment request, its batch files."""


class Carrier:
    """A unit with nothing but its folders: what is out, and its TLS files."""

    def __init__(self, office: Office, folder: Path, unit: str, day: Day):
        request, files = day[unit]
        self.terminal = SimpleNamespace(unit=unit)  # as the rigs of the links name it
        self.data_dir = folder / unit
        self.spool = Spool(self.data_dir)
        for number, content in enumerate(files, 1):
            (self.data_dir / "out" / f"{number:08d}.batch").write_bytes(content)
        assert main(["enrol", "--dir", str(office.path), str(request), "--yes"]) == 0
        tls_rig.give_unit(office.authority, unit, self.data_dir)


def carry(link: str, folder: Path, day: Day) -> Path:
    """The folder of the office that took it."""
    office = Office(folder / "office")
    units = [Carrier(office, folder, unit, day) for unit in day]
    {"serial": _serial, "https": _https, "nats": _nats, "drop": _drop}[link](office, units, folder)
    return office.path


def _pull(office: Office, *way: str) -> None:
    assert main(["pull", "--dir", str(office.path), *way, "--json"]) == 0


def _serial(office: Office, units: list[Carrier], _: Path) -> None:
    for each in units:
        stop = threading.Event()
        with FaultyLine() as line:
            thread = threading.Thread(
                target=process.run,
                args=(each.terminal.unit, each.data_dir, links(),
                      lambda line=line: open_uart(line.unit, 115200), stop),
            )  # fmt: skip
            thread.start()
            try:
                _pull(office, "--serial", line.office, "--unit", each.terminal.unit)
            finally:
                stop.set()
                thread.join(SOON_S)


def _https(office: Office, units: list[Carrier], _: Path) -> None:
    office.start()
    try:
        for each in units:
            collector = HttpsCollector(office.url, each.data_dir, timeout_s=SOON_S)
            Pusher("https", each.spool, collector, 300).step(threading.Event())
    finally:
        office.end(signal.SIGTERM)


def _nats(office: Office, units: list[Carrier], folder: Path) -> None:
    waiting = sum(len(list((each.data_dir / "out").iterdir())) for each in units)
    with NatsServer(folder / "nats") as server, contextlib.ExitStack() as stack:
        main(["pull", "--dir", str(office.path), "--nats", server.url])  # makes the streams
        stack.enter_context(running(*(link_of(each, server.url) for each in units)))
        until(lambda: messages(server) == waiting)
        _pull(office, "--nats", server.url)


def _drop(office: Office, units: list[Carrier], folder: Path) -> None:
    stick = folder / "stick"
    (stick / "ssc-drop").mkdir(parents=True)
    for each in units:
        DropLink(each.terminal.unit, each.spool, stick).visit("once")
    shutil.copytree(stick, folder / "at the office")
    _pull(office, "--folder", str(folder / "at the office"))
