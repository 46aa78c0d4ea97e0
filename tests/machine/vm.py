"""A unit in qemu-system-aarch64: the image's own kernel, initrd and partitions, on one disk file.

    machine = Machine(folder, overlay(image, folder / "disk.qcow2"))
    machine.start()                     # as a board starts, to the agent's first word
    machine.run("systemctl", "is-active", "sscterm-card").out
    machine.kill()                      # the power is cut

    machine.save(state)                 # ends it: `state`/memory, `state`/disk.qcow2
    Machine(folder, overlay(state / "disk.qcow2", ...)).start(state)

Two CCID readers stand at its USB, their cards at the sockets `at("card0")` and `at("card1")`
(cards.py).  Its /dev/ttyS0 is `serial_line` on the host.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.machine import firmware_stage
from tests.machine.wire import Lines
from tools.image import disk as disks

QEMU = "qemu-system-aarch64"
START_S = 900.0
"""From power-on to the agent's first word: 25 s where nothing else runs."""
ANSWER_S = 300.0
END_S = 300.0
READERS = 2


@dataclass(frozen=True)
class Done:
    """Of a program in the machine."""

    status: int
    out: str
    err: str


def missing() -> str | None:
    """What keeps a machine from running here, and what to do."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    needed = (QEMU, "qemu-img", "mcopy", "zstd", "debugfs", "setpriv")
    lacking = [each for each in needed if shutil.which(each, path=path) is None]
    return f"not installed: {', '.join(lacking)}: make test-image" if lacking else None


def overlay(base: Path, new: Path) -> Path:
    """A disk that begins as `base` (raw or qcow2) and leaves it as it is."""
    form = "qcow2" if base.suffix == ".qcow2" else "raw"
    new.unlink(missing_ok=True)
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-F", form, "-b", base.resolve(), new],
        check=True, timeout=120,
    )  # fmt: skip
    return new


class Machine:
    """Off when made.  folder: for its files.  disk: qcow2, written to."""

    def __init__(self, folder: Path, disk: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.disk = folder, disk
        self.console = folder / "console.log"
        self.slot = ""
        """That the board's firmware chose: "A" or "B"."""
        self.up_s = 0.0
        """What start() took."""
        self._sockets = Path(tempfile.mkdtemp(prefix="ssc-vm-"))  # AF_UNIX: at most 107 bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = 0
        self._asking = threading.Lock()

    # -- power -----------------------------------------------------------------------------------

    def start(self, state: Path | None = None, tryboot: bool = False) -> None:
        """Power on, tryboot: with the flag that `reboot "0 tryboot"` sets; or on from what save()
        left.  Ends when the agent answers."""
        assert self._process is None, "it runs"
        began = time.monotonic()
        words: list[str | Path] = ["-incoming", f"exec:cat {state}/memory"]
        if state is None:
            loaded = firmware_stage.load(self.disk, self.folder, tryboot)
            self.slot = loaded.slot
            words = [
                "-kernel", loaded.kernel, "-initrd", loaded.initrd, "-append", loaded.words,
            ]  # fmt: skip
        self._launch(words)
        if state is None:
            self.agent.wait(START_S, up=None)
        else:
            self._go_on()  # its clock stood still
            self.run("date", "-s", f"@{time.time():.3f}")
        self.up_s = time.monotonic() - began

    def kill(self) -> None:
        """Cut the power; quietly when it is off."""
        if self._process is not None:
            self._process.kill()
            self._ended()

    def copy_disk(self, target: Path) -> None:
        """What a cut of the power at this moment would leave; the machine does not notice.

        QEMU is stopped as a whole: what it has not written yet is not in the copy.
        """
        assert self._process is not None
        with self._asking:  # no half of a line lies about meanwhile
            self._process.send_signal(signal.SIGSTOP)
            try:
                self._wait_stopped(self._process.pid)
                disks.run("cp", "--sparse=always", self.disk, target)
            finally:
                self._process.send_signal(signal.SIGCONT)

    @staticmethod
    def _wait_stopped(pid: int) -> None:
        ends = time.monotonic() + ANSWER_S
        for task in Path(f"/proc/{pid}/task").iterdir():
            while (task / "stat").read_text().rpartition(")")[2].split()[0] not in "Tt":
                assert time.monotonic() < ends, "QEMU does not stop"
                time.sleep(0.005)

    def wait_off(self, timeout_s: float = END_S) -> str:
        """Until the machine has gone down by itself: for how it must start again, what was said
        with `reboot` ("" for nothing).  A machine that starts again ends too: the board's
        firmware comes first, which is start()."""
        assert self._process is not None
        self._process.wait(timeout_s)
        told = [each["down"] for each in self.agent.told if "down" in each]
        self._ended()
        return told[-1] if told else ""

    def save(self, state: Path) -> None:
        """Its memory and its disk into the folder `state`; the machine ends."""
        state.mkdir(parents=True, exist_ok=True)
        self.qmp("stop")
        self.qmp("migrate", uri=f"exec:cat >{state}/memory")
        ends = time.monotonic() + ANSWER_S
        while (status := self.qmp("query-migrate").get("status")) != "completed":
            assert status not in ("failed", "cancelled"), self.qmp("query-migrate")
            assert time.monotonic() < ends, "its memory could not be saved"
            time.sleep(0.05)
        self.qmp("quit")
        assert self._process is not None
        self._process.wait(END_S)
        self._ended()
        shutil.copyfile(self.disk, state / "disk.qcow2")

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._sockets, ignore_errors=True)

    def _launch(self, words: list[str | Path]) -> None:
        command: list[str | Path] = [
            "setpriv", "--pdeathsig", "KILL",
            QEMU, "-M", "virt,gic-version=3", "-cpu", "cortex-a72", "-smp", "2", "-m", "1024",
            "-accel", "tcg,thread=multi", "-nodefaults", "-display", "none",
            # What ends a machine ends QEMU: the board's firmware is played anew for each start.
            "-action", "reboot=shutdown,watchdog=reset,panic=none",
            "-serial", f"file:{self.console}",
            "-qmp", f"unix:{self.at('qmp')},server=on,wait=off",
            "-device", "virtio-rng-pci",
            "-drive", f"file={self.disk},if=none,id=card,format=qcow2,cache=writeback",
            "-device", "virtio-blk-pci,drive=card",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=agent,path={self.at('agent')},server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=ssc.test",
            "-chardev", "pty,id=line", "-device", "pci-serial,chardev=line",
            "-device", "i6300esb",
            "-device", "qemu-xhci,id=usb",
        ]  # fmt: skip
        for each in range(READERS):
            place = self.at(f"card{each}")
            command += [
                "-chardev", f"socket,id=card{each},path={place},server=on,wait=off",
                "-device", f"usb-ccid,id=reader{each},bus=usb.0,port={each + 1}",
                "-device", f"ccid-card-passthru,id=in{each},chardev=card{each},bus=reader{each}.0",
            ]  # fmt: skip
        with open(self.folder / "qemu.log", "ab") as log:
            self._process = subprocess.Popen(
                [*command, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            self._qmp = Lines(self.at("qmp"))
            self._qmp.wait(ANSWER_S, QMP=None)
            self.qmp("qmp_capabilities")
            self.agent = Lines(self.at("agent"))
        except BaseException:
            self._process.kill()
            raise

    def _go_on(self) -> None:
        ends = time.monotonic() + ANSWER_S
        while (status := self.qmp("query-status")["status"]) == "inmigrate":
            assert time.monotonic() < ends, "the saved state could not be read"
            time.sleep(0.01)
        assert status == "paused", status
        self.qmp("cont")

    def _ended(self) -> None:
        assert self._process is not None
        self._process.wait(END_S)
        self._process = None
        self.agent.close()
        self._qmp.close()

    # -- talking ---------------------------------------------------------------------------------

    def run(self, *argv: str, input: str = "", timeout_s: float = ANSWER_S) -> Done:
        """A program in the machine, as root.  Raises Closed, TimeoutError."""
        return self._ask(timeout_s, argv=argv, input=input)

    def talk(self, socket: str, line: str, timeout_s: float = ANSWER_S) -> Done:
        """One line to an AF_UNIX socket of the machine, as root; `out` is what came back."""
        return self._ask(timeout_s, socket=socket, input=line)

    def _ask(self, timeout_s: float, **what: Any) -> Done:
        with self._asking:
            self._asked += 1
            number = self._asked
        self.agent.say(id=number, timeout_s=timeout_s, **what)
        told = self.agent.wait(timeout_s + ANSWER_S, id=number)
        return Done(told["status"], told["out"], told["err"])

    def must(self, *argv: str, input: str = "", timeout_s: float = ANSWER_S) -> str:
        """What it printed; an AssertionError unless it ended well."""
        done = self.run(*argv, input=input, timeout_s=timeout_s)
        assert done.status == 0, f"{argv}: {done.status}: {done.out}{done.err}"
        return done.out

    def qmp(self, execute: str, **arguments: Any) -> Any:
        """What QEMU answers.  Raises AssertionError with its words, Closed, TimeoutError."""
        with self._asking:
            self._asked += 1
            number = self._asked
        self._qmp.say(execute=execute, arguments=arguments, id=number)
        told = self._qmp.wait(ANSWER_S, id=number)
        assert "error" not in told, f"{execute}: {told['error']}"
        return told["return"]

    def wait_event(self, name: str, **data: Any) -> dict[str, Any]:
        """QEMU's next event of that name, with such data; its data."""
        ends = time.monotonic() + ANSWER_S
        while True:
            told = self._qmp.wait(max(0.0, ends - time.monotonic()), event=name)["data"]
            if all(told.get(key) == value for key, value in data.items()):
                return dict(told)

    def at(self, socket: str) -> Path:
        return self._sockets / socket

    @property
    def serial_line(self) -> str:
        """The host's end of /dev/ttyS0."""
        (line,) = [each for each in self.qmp("query-chardev") if each["label"] == "line"]
        return str(line["filename"]).removeprefix("pty:")
