"""A real office with its collector as a process, and units that push to it; for tests of links."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading

from firmware.journal.enrolment import make_enrolment
from firmware.uplink.https import HttpsCollector
from firmware.uplink.push import Pusher
from firmware.uplink.spool import Spool
from office import folder
from office.__main__ import main
from tests import tls_rig
from tests.office_rig import T0_MS, Terminal
from tests.waiting import SOON_S


class Office:
    """A folder made with `init`, and its collector."""

    def __init__(self, path, store=None):
        """store: the URL of a PostgreSQL; None: SQLite."""
        self.path = path
        folder.init(path, "test office", store)
        self.authority = tls_rig.authority(path)
        self.process = None

    def enrol(self, terminal, data_dir):
        """By its request, as a person does it; its certificate in data_dir."""
        request = data_dir / "enrolment.cose"
        request.write_bytes(
            make_enrolment(
                unit=terminal.unit, region="110000", time_ms=T0_MS, signer=terminal.signer
            )
        )
        assert main(["enrol", "--dir", str(self.path), str(request), "--yes"]) == 0
        tls_rig.give_unit(self.authority, terminal.unit, data_dir)

    def start(self, *options):
        command = ("-m", "office", "serve", "--dir", str(self.path), "--listen", "127.0.0.1:0")
        self.process = subprocess.Popen(
            [sys.executable, *command, *options], stdout=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        self.url = "https://" + re.fullmatch(r"https (\S+)\n", line)[1]

    def end(self, number=signal.SIGTERM):
        os.kill(self.process.pid, number)
        status = self.process.wait(SOON_S)
        self.process.stdout.close()
        return status

    def numbers(self):
        db = sqlite3.connect(self.path / "office.db")
        found = db.execute("SELECT unit, number FROM records ORDER BY unit, number").fetchall()
        db.close()
        return found


class Unit:
    def __init__(self, office, folder, name="unit-1", seed=1):
        self.terminal, self.card = Terminal(name, seed), seed
        self.data_dir = folder / name
        self.spool = Spool(self.data_dir)
        office.enrol(self.terminal, self.data_dir)

    def seal(self, serial):
        for each in range(2):
            self.terminal.purchase(f"A{serial}{each}", serial=2 * serial + each, card=self.card)
        content = self.terminal.batch()
        number = self.terminal.batches
        (self.data_dir / "out" / f"{number:08d}.batch").write_bytes(content)
        return content

    def link(self, office):
        return HttpsCollector(office.url, self.data_dir, timeout_s=SOON_S)

    def receipts(self):
        return [each.read_bytes() for each in sorted((self.data_dir / "up").iterdir())]

    def push(self, office):
        Pusher("https", self.spool, self.link(office), 300).step(threading.Event())
        return self.receipts()
