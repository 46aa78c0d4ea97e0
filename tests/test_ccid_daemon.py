"""Issue D2, D7, D8: the whole daemon with card and PSAM in one serial reader, and a printer.

The reader is unplugged and plugged in again, the paper runs out and is renewed: the terminal says
so meanwhile, and pays on without a restart.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.host.sscterm import call
from simulator.ccid_device import CcidDevice
from simulator.region import Region
from simulator.world import World
from tests.paper import NO_PAPER, PAPER_OK, Roll
from tests.test_daemon import SOON_S, Stand, purchase, told


class Counter:
    """One terminal of processes: the daemon, and a simulator for its pad; reader and printer are
    here, on pseudo-terminals."""

    def __init__(self, folder: Path, roll: Roll):
        self.roll = roll
        self.world = World(Region("510100"))
        self.card = self.world.region.issue_card(1, balance_fen=100_000)
        psam = self.world.region.issue_psam(terminal_number="510100000001")
        self.world.insert("psam", psam.label)
        slots = [self.world.slot("user"), self.world.slot("psam")]
        self.reader = CcidDevice(folder / "reader", slots)
        self.stand = Stand(folder, reader=f"ccid:{folder}/reader#0")
        text = self.stand.board.read_text()
        text = text.replace(f"sim:{folder}/sim#psam", f"ccid:{folder}/reader#1")
        text += f'[printer]\naddress = "{roll.address}"\nwhen = "always"\n'
        self.stand.board.write_text(text)

    def pay(self, order_no: str) -> int:
        """The number of the outcome.  The card is taken out again."""
        assert self.stand.control is not None
        self.stand.control.type_pin(digits="123456")
        paying = purchase(self.stand, order_no)
        self.stand.shows("INSERT_CARD")
        self.world.insert("user", self.card.label)
        found = told(paying)["outcome"]["number"]
        self.world.slot("user").remove()
        return int(found)


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    with Roll() as roll:
        made = Counter(tmp_path, roll)
        with made.reader:
            yield made
            made.stand.end()


def test_d8_a_serial_reader_and_a_printer_that_fail_and_return(counter: Counter) -> None:
    stand = counter.stand
    stand.start_simulator()
    daemon = stand.start_daemon()
    stand.shows("READY")
    assert counter.pay("A-1") == 1
    assert counter.card.balance_fen == 99_000
    lines = counter.roll.receipt().lines
    assert any("A-1" in each for each in lines)

    stand.shows("READY")
    counter.reader.unplug()
    stand.shows("READER_MISSING")
    counter.reader.plug_in()
    stand.shows("READY")
    counter.roll.status = NO_PAPER
    assert counter.pay("A-2") == 1
    stand.shows("PRINTER_NOT_READY")
    stand.shows("READY")

    counter.roll.status = PAPER_OK
    wanted = {"order_no": "A-2", "operator": "07"}
    assert call(stand.socket, "receipt.print", wanted, SOON_S)["outcome"]["number"] == 9
    assert any("A-2" in each for each in counter.roll.receipt().lines)

    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(SOON_S) == 0
    kinds = stand.journal()
    assert kinds.count("RECEIPT_PRINTED") == 2
    assert (kinds.count("DONE"), kinds.count("REPRINT")) == (2, 0)
    assert counter.card.balance_fen == 98_000
