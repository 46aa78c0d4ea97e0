"""A provisioned unit in a machine: its cards and its pad on the host, its office across a line."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import io
import json
import re
import threading
import time
from concurrent.futures import Future
from itertools import pairwise
from pathlib import Path
from typing import Any

from office import folder as offices
from office import status as endings
from office.__main__ import main as sscoffice
from simulator import audit
from simulator.epp_device import EppDevice
from simulator.region import Region
from simulator.world import World
from tests.machine import pad
from tests.machine.cards import CardEnd
from tests.machine.provisioned import CARD, UNIT
from tests.machine.vm import Machine

SOCKET = "/data/sscterm/unit.sock"
PIN = "123456"
ORDER_FEN = 1000
CHINA = dt.timezone(dt.timedelta(hours=8))
USER, PSAM = 0, 1
DATA = "/dev/disk/by-partuuid/55c70001-07"
READY_S = 900.0
PAY_S = 900.0
SETTLED_S = 120.0
PIN_TIMES = 3
FINAL = ("DONE", "VOID")


class Unit:
    """What a case holds in its hands.  folder: with region.json and office/ of new_world()."""

    def __init__(self, folder: Path, disk: Path, state: Path | None = None, tryboot: bool = False):
        """Starts at once: as a board does, or from the saved `state`."""
        self.folder = folder
        self.world = World(Region.load(folder / "region.json"), folder / "region.json")
        for label in self.world.region.psams:
            self.world.insert("psam", label)
        self.before = audit.money_of(folder / "region.json")
        self.machine = Machine(folder / "vm", disk)
        self.pad = EppDevice(self.world.holder, pad.KEY)
        self._ends: list[CardEnd] = []
        self._plugged = 0
        self._began_s = time.time()
        self.start(state, tryboot)

    # -- power and plugs --------------------------------------------------------------------------

    def start(self, state: Path | None = None, tryboot: bool = False) -> None:
        self.machine.start(state, tryboot)
        for reader in (USER, PSAM):
            self._put_cards(reader, f"card{reader}")
        pad.plug_in(self.machine, self.pad)
        if state is not None:  # the machine runs, and may be asked for a PIN at once
            there = f"until [ -c {pad.DEVICE} ]; do sleep 0.1; done; udevadm settle"
            self.machine.must("sh", "-c", there)

    def _put_cards(self, reader: int, socket: str) -> None:
        slot = self.world.slot("psam" if reader == PSAM else "user")
        self._ends.append(CardEnd(self.machine.at(socket), slot))

    def pull_out(self, reader: int) -> None:
        """The whole reader, from its USB port."""
        self.machine.qmp("device_del", id=f"reader{reader}")
        self.machine.wait_event("DEVICE_DELETED", device=f"reader{reader}")

    def plug_in(self, reader: int) -> None:
        """Again, after pull_out(): a new reader to everybody, at the same port."""
        self._plugged += 1
        name = f"card{reader}-{self._plugged}"
        address = {"type": "unix", "data": {"path": str(self.machine.at(name))}}
        backend = {"type": "socket", "data": {"addr": address, "server": True, "wait": False}}
        self.machine.qmp("chardev-add", id=name, backend=backend)
        add, bus = ("device_add",), f"reader{reader}.0"
        usb = {"id": f"reader{reader}", "bus": "usb.0", "port": f"{reader + 1}"}
        self.machine.qmp(*add, driver="usb-ccid", **usb)
        self.machine.qmp(*add, driver="ccid-card-passthru", chardev=name, bus=bus)
        self._put_cards(reader, name)

    def cut_power(self) -> None:
        """The cards lose theirs with it."""
        self.machine.kill()
        self.release()

    def hang(self) -> None:
        """The kernel panics: after `kernel.panic` seconds it starts again, with 0 never."""
        crash = ["sh", "-c", "echo c >/proc/sysrq-trigger"]
        self.machine.agent.say(id=-1, argv=crash, timeout_s=60)

    def save(self, state: Path) -> None:
        """The machine ends; the cards' state is as it is then."""
        pad.pull_out(self.machine)
        self.machine.save(state)
        self.release()

    def go_cold(self) -> None:
        """Nothing runs that reads /data, and nothing of it is in memory: what stands on the disk is
        all that a start from here finds."""
        processes = ("sscterm-card", "sscterm-uplink", "sscterm-host")
        self.machine.must("systemctl", "stop", *processes, "pcscd.socket", "pcscd.service")
        self.machine.must("umount", "/data")
        self.machine.must("systemctl", "stop", "systemd-fsck@*")
        self.machine.must("udevadm", "settle")  # it looks at a disk that was let go
        self.machine.must("blockdev", "--flushbufs", DATA)
        # A service that has mounts of its own would keep it: a later mount goes on from that one.
        mounted = self.machine.run("sh", "-c", "grep -l ' /data ' /proc/[0-9]*/mounts").out
        assert mounted == "", mounted

    def warm_up(self, *services: str) -> None:
        """From there on: /data is checked and mounted, then they start."""
        self.machine.must("systemctl", "start", "--no-block", "pcscd.socket", *services)

    def release(self) -> None:
        for each in self._ends:
            each.close()
        self._ends.clear()

    def close(self) -> None:
        self.machine.close()
        self.release()
        self.pad.close()

    def wait_ready(self) -> None:
        """Until the card process says READY on its screen, and said it to systemd."""
        self.wait_screen("READY")
        self.machine.must("systemctl", "is-active", "sscterm-card")

    def wait_screen(self, message: str) -> None:
        """message: its id (docs/errors.md)."""
        ends = time.monotonic() + READY_S
        while (told := self.call("status").get("display") or {}).get("id") != message:
            assert time.monotonic() < ends, told
            time.sleep(1)  # each question costs the machine what a start needs

    def phases(self) -> dict[str, float]:
        """Seconds of this start: kernel, initrd, userspace (to the start of the card process's
        program), daemon (to its READY)."""
        log = self.machine.must("dmesg")
        init = re.search(r"\[ *([0-9.]+)\] Run /init as init process", log)
        assert init is not None, log
        show = ("systemctl", "show", "--timestamp=us")
        manager = "UserspaceTimestampMonotonic"
        own = ("ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic")
        told = self.machine.must(*show, "-p", manager)
        told += self.machine.must(*show, "sscterm-card", *(f"-p{each}" for each in own))
        at = {key: int(value) / 1e6 for key, value in re.findall(r"(\w+)=(\d+)", told)}
        moments = [0.0, float(init[1]), *(at[each] for each in (manager, *own))]
        names = ("kernel", "initrd", "userspace", "daemon")
        return {name: b - a for name, (a, b) in zip(names, pairwise(moments), strict=True)}

    # -- the counter ------------------------------------------------------------------------------

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """What the card process answers on its socket; {} while nobody listens there."""
        line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        done = self.machine.talk(SOCKET, line, PAY_S)
        if not done.out:
            return {}
        told = json.loads(done.out)
        assert "error" not in told, told
        return dict(told["result"])

    def pay(self, order: str) -> dict[str, Any]:
        """ORDER_FEN from the account; the PIN is typed whenever the pad is asked for it."""
        self._holder_knows()
        return self._order(order)

    def begin_order(self, order: str) -> Future[dict[str, Any]]:
        """What pay() does, nobody typing, while the case goes on.  Its result is Closed where the
        machine ends meanwhile."""
        answer: Future[dict[str, Any]] = Future()

        def ask() -> None:
            try:
                answer.set_result(self._order(order))
            except BaseException as error:
                answer.set_exception(error)

        threading.Thread(target=ask, daemon=True).start()
        return answer

    def _order(self, order: str) -> dict[str, Any]:
        amounts = {"account_fen": ORDER_FEN}
        return self.call("purchase", order_no=order, amounts=amounts, operator="07")

    def sscterm(self, *words: str) -> dict[str, Any]:
        """`sscterm WORDS --json` in the machine, as a cash register may do it."""
        self._holder_knows()
        done = self.machine.run("sscterm", *words, "--json", "--socket", SOCKET, timeout_s=PAY_S)
        assert done.status == 0, f"{words}: {done.status}: {done.out}{done.err}"
        told: dict[str, Any] = json.loads(done.out)
        return told

    def _holder_knows(self) -> None:
        self.world.holder.forget()
        for _ in range(PIN_TIMES):
            self.world.holder.type_pin(PIN)

    def settled(self, order: str) -> dict[str, Any]:
        """What became of that order, after insert().  As a cash register does it: it asks again
        with the same number; a payment that never began begins then."""
        ends = time.monotonic() + SETTLED_S
        while (told := self._order(order)).get("state") not in FINAL:
            assert time.monotonic() < ends, told
            time.sleep(1)
        return told

    def insert(self) -> None:
        """The holder comes with it: an open payment asks for the PIN before any order."""
        self._holder_knows()
        self.world.insert("user", CARD)

    def remove(self) -> None:
        """Ends when the machine, if it is on, was told."""
        self.world.slot("user").remove()
        for each in self._ends:
            if each.slot is self.world.slot("user"):
                each.wait_out()

    @property
    def balance_fen(self) -> int:
        balance: int = self.world.region.cards[CARD].balance_fen
        return balance

    # -- the office -------------------------------------------------------------------------------

    def office(self, *words: str | Path, well: tuple[int, ...] = (0,)) -> dict[str, Any]:
        """`sscoffice WORDS --json`, which must end with one of `well`; {} where it says nothing."""
        told = io.StringIO()
        argv = [str(each) for each in (words[0], "--dir", self.folder / "office", *words[1:])]
        with contextlib.redirect_stdout(told):
            status = sscoffice([*argv, "--json"])
        assert status in well, f"{words}: {status}: {told.getvalue()}"
        found: dict[str, Any] = json.loads(told.getvalue() or "{}")
        return found

    def enrol(self) -> None:
        offices.init(self.folder / "office", "QEMU", None)
        request = self.folder / "enrolment.cose"
        raw = self.machine.must("base64", "-w0", "/data/sscterm/enrolment.cose")
        request.write_bytes(base64.b64decode(raw))
        self.office("enrol", request, "--yes")

    def pull(self) -> int:
        """Until the office holds every record of the journal; their number."""
        ends = time.monotonic() + READY_S
        while True:
            words = ("pull", "--serial", self.machine.serial_line, "--unit", UNIT)
            # An uplink that just starts does not answer yet: an office asks again.
            pulled = self.office(*words, well=(endings.DONE, endings.NOTHING, endings.FAILED))
            assert not pulled.get("refused"), pulled
            written = self.call("status")["journal"]["records"]
            held = self.office("check")["records"]
            if held == written:
                return int(written)
            assert time.monotonic() < ends, (held, written)
            time.sleep(1)

    def rows(self) -> list[audit.Row]:
        """Every record that the office holds; a case does not last for two midnights."""
        began = dt.datetime.fromtimestamp(self._began_s, CHINA)
        found = []
        for date in (began, began + dt.timedelta(days=1)):
            words = ("day", "--date", f"{date:%Y-%m-%d}")
            found += self.office(*words, well=(endings.DONE, endings.NOTHING))["rows"]
        return found

    def check_money(self, done: int) -> None:
        """What the office holds is whole and says `done` payments; the card says the same."""
        found = self.office("check", "--deep")
        assert found["ok"], found
        for name in ("gaps", "duplicates", "damaged", "open", "refused"):
            assert not found[name], found
        assert found["purchases"].get("done", 0) == done, found
        mappings, names = {UNIT: "literal"}, dict.fromkeys(self.before, "")
        now = audit.money_of(self.folder / "region.json")
        for each in audit.accounts(self.before, now, names, self.rows(), mappings):
            assert each.is_right, each.differences()
