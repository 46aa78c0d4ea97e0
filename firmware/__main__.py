"""`python -m firmware --board board.toml`: read the board, build every object, start the loops."""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from firmware import __version__, attached, identity, offspring, parts, selftest, supervise
from firmware.authorize.inbox import Inbox
from firmware.authorize.jobs import Jobs
from firmware.authorize.tamper import Tamper
from firmware.authorize.unit import Pad, Unit
from firmware.board import Board, BoardError, load
from firmware.card import region
from firmware.card.region import RegionTable
from firmware.clock import Clock
from firmware.display.messages import message
from firmware.display.screen import Display
from firmware.drivers.gpio import Pins
from firmware.host import client
from firmware.host.desk import Desk
from firmware.host.outside import OUTSIDE
from firmware.host.rpc import RpcServer
from firmware.journal import kinds as rec
from firmware.journal.devicekey import DeviceKeyError
from firmware.journal.rotation import KeyStore, KeyStoreError
from firmware.journal.schema import (
    JournalCorruptError,
    JournalDamagedError,
    JournalError,
    JournalFullError,
)
from firmware.journal.store import Journal
from firmware.menu import Menu
from firmware.outcome import Fault, outcome
from firmware.parts import AddressError
from firmware.supervise import Supervisor
from firmware.terminal import Terminal

EXIT_OK, EXIT_FAULT, EXIT_BOARD = 0, 1, 2
SELF_TEST_S = 60.0


class RunningError(Exception):
    """Another process is the terminal of this data_dir."""


_NAMES = {
    BoardError: "BOARD_REFUSED",
    AddressError: "BOARD_REFUSED",
    DeviceKeyError: "DEVICE_KEY_REFUSED",
    KeyStoreError: "DEVICE_KEY_REFUSED",
    JournalFullError: "DISK_FULL",
    JournalCorruptError: "JOURNAL_DAMAGED",
    JournalDamagedError: "JOURNAL_DAMAGED",
    RunningError: "ALREADY_RUNNING",
}
"""Why the terminal does not start -> its outcome; UNIT_FAULT for the rest."""


def main(argv: list[str] | None = None) -> int:
    arguments = _arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        board = load(arguments.board)
        if arguments.only == "uplink":
            return _run_uplink(board, arguments.with_parent)
        if arguments.only == "host":
            return _run_host(board, arguments.with_parent)
        if arguments.check:
            return _check(board)
        if arguments.self_test:
            return _self_test(board, arguments.json)
        if arguments.rotate_key:
            return _rotate_key(board)
        return _run_card(board, None if arguments.only else Path(arguments.board))
    except (BoardError, AddressError, DeviceKeyError, RunningError) as error:
        _complain(error)
        return EXIT_BOARD if isinstance(error, BoardError | AddressError) else EXIT_FAULT
    except (Fault, JournalError, OSError) as error:
        _complain(error)
        return EXIT_FAULT


def _complain(error: Exception) -> None:
    """Number and name of the outcome, the cause, and what to do, for whoever started it."""
    names = [name for kind, name in _NAMES.items() if isinstance(error, kind)]
    result = outcome(names[0] if names else "UNIT_FAULT")
    text = message(result.name).filled({})
    print(f"{result.number} {result.name}: {error}", file=sys.stderr)
    print(f"{text.zh}{text.zh_next}\n{text.en} {text.en_next}", file=sys.stderr)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m firmware", description=__doc__)
    parser.add_argument("--board", default="board.toml", help="what this unit is")
    parser.add_argument(
        "--check", action="store_true", help="check the board, say what is attached"
    )
    parser.add_argument(
        "--rotate-key", action="store_true", help="change the device key; the terminal is stopped"
    )
    parser.add_argument(
        "--self-test", action="store_true", help="ask the running unit whether all of it works"
    )
    parser.add_argument("--json", action="store_true", help="--self-test prints one JSON object")
    parser.add_argument(
        "--only", choices=("card", "uplink", "host"), help="run one of the processes"
    )
    parser.add_argument("--with-parent", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


# -- the card process ----------------------------------------------------------------------------


def _check(board: Board) -> int:
    if board.unit.data_dir.is_dir():
        os.close(_claim(board.unit.data_dir))  # a PSAM in use must not be reset
    header = parts.header(board)
    try:
        return attached.check(
            board,
            lambda part: parts.slot(part, header),
            parts.looks(board, header),
        )
    finally:
        header.close()


def _self_test(board: Board, is_json: bool) -> int:
    def ask(method: str, params: dict[str, Any]) -> Any:
        try:
            return client.call(board.host.socket, method, params, SELF_TEST_S)
        except (client.Unreachable, client.AnswerLost) as error:
            raise OSError(str(error).splitlines()[0]) from None

    return EXIT_OK if selftest.run(board, ask, is_json) else EXIT_FAULT


def _rotate_key(board: Board) -> int:
    """The old key signs its successor in the journal; the office follows it by itself."""
    _make_private(board.unit.data_dir)
    claim = _claim(board.unit.data_dir)
    clock = _clock(board)
    keys = identity.key_store(board)
    journal = _open_journal(board, keys, clock)
    try:
        print(identity.change_key(board, journal, keys, clock))
    finally:
        journal.close()
        os.close(claim)
    return EXIT_OK


def _run_card(board: Board, board_path: Path | None) -> int:
    _make_private(board.unit.data_dir)
    claim = _claim(board.unit.data_dir)
    supervisor = supervise.from_environment()
    supervisor.warn_if_short(board.timing.exchange_s)
    header = parts.header(board)
    surfaces = [*parts.surfaces(board, header), *parts.signals(board, header), supervisor]
    display = Display(surfaces, parts.language(board))
    keys = parts.keys(board, header)
    pad = parts.pad(board, header, keys)
    unit = build_unit(board, display, header, pad, supervisor)
    jobs = Jobs()
    if keys is not None:
        keys.when_cancelled = jobs.cancel_at_unit
    presses = parts.presses(board, pad, keys)
    menu = None if presses is None else Menu(unit, jobs, presses, display.next_language)
    looks = () if keys is None else (keys.look,)
    terminal = Terminal(unit, Inbox(unit), jobs, menu=menu, looks=looks, supervisor=supervisor)
    desk = Desk(unit, jobs, terminal.status, display, __version__)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: terminal.stop())
    server = RpcServer(board.host.socket, board.host.mode, desk.methods(), OUTSIDE)
    children = [] if board_path is None else offspring.start(board, board_path)
    server.start()
    try:
        terminal.run()
    finally:
        server.close()
        for child in children:
            child.stop()
        unit.journal.close()
        display.close()
        header.close()
        os.close(claim)
    return EXIT_OK


def _make_private(data_dir: Path) -> None:
    """What the processes write is theirs alone; a group may only pass through to the socket.

    No core dump: one would hold a PIN, and systemd's watchdog ends a process by SIGABRT.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    if not data_dir.exists():
        data_dir.mkdir(parents=True)
        data_dir.chmod(0o710)


def _claim(data_dir: Path) -> int:
    """A lock on the folder, which ends with the process; raises RunningError.

    One writer for each file: a second daemon would break the journal of the first.
    """
    handle = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise RunningError(f"another terminal runs in {data_dir}: stop it first") from None
    return handle


def build_unit(
    board: Board,
    display: Display,
    header: Pins,
    pad: Pad | None,
    supervisor: Supervisor | None = None,
) -> Unit:
    """Open the devices, the key and the journal of that board; journal the start.

    supervisor: hears of every exchange with a card or the PSAM.
    A device that is not there is found out later, and again and again; a wrong address is not.
    """
    recorder = None if supervisor is None else lambda command, answer: supervisor.beat()
    readers, psam = parts.readers(board, header), parts.psam(board, header, recorder)
    clock = _clock(board)
    keys = identity.key_store(board)
    journal = _open_journal(board, keys, clock)
    identity.write_enrolment(board, journal.signer, clock)
    switch = parts.case_switch(board, header)
    return Unit(
        board=board,
        journal=journal,
        clock=clock,
        readers=readers,
        psam=psam,
        pad=pad,
        show=display.show,
        random=os.urandom,
        monotonic=time.monotonic,
        wait=time.sleep,
        typed=display.typed,
        printer=parts.printer(board),
        region=_region(board),
        recorder=recorder,
        tamper=None if switch is None else Tamper(journal, switch),
    )


def _region(board: Board) -> RegionTable:
    """Raises BoardError naming the table's line."""
    path = board.purchase.region_table
    return RegionTable() if path is None else region.load(path)


def _clock(board: Board) -> Clock:
    return Clock(
        has_rtc=board.clock.rtc,
        trust_h=board.clock.trust_h,
        utc_offset_minutes=board.clock.utc_offset_minutes,
    )


def _open_journal(board: Board, keys: KeyStore, clock: Clock) -> Journal:
    is_production = board.unit.profile == "production"
    journal = Journal.open(
        board.unit.data_dir / "journal.db",
        signer=keys.current(),
        unit=board.unit.id,
        profile=rec.PROFILE_PRODUCTION if is_production else rec.PROFILE_DEVELOPMENT,
        clock=clock,
        min_free_mb=board.journal.min_free_mb,
        take=keys.take,
        retention_days=board.journal.retention_days,
    )
    start = {
        rec.KEY_PUBLIC_KEY: journal.signer.public_key,
        rec.KEY_FIRMWARE: __version__,
        rec.KEY_BOOT_ID: os.urandom(16),
    }
    journal.append(rec.KIND_START, start)
    return journal


# -- the uplink process and the host process -----------------------------------------------------


def _run_uplink(board: Board, with_parent: bool) -> int:
    # Here, for the card process is up sooner and smaller without an HTTP server and pyserial.
    from firmware.drivers.uart import open_uart
    from firmware.uplink import process as uplink

    stop = _stop_event(with_parent)
    serial = board.uplink.serial
    selftest.hold_uplink_lock(board.unit.data_dir)  # until the process ends
    uplink.run(
        board.unit.id,
        board.unit.data_dir,
        board.uplink,
        None if serial is None else lambda: open_uart(str(serial.device), serial.baud),
        stop,
        supervise.from_environment(),
    )
    return EXIT_OK


def _run_host(board: Board, with_parent: bool) -> int:
    from firmware.drivers.uart import open_uart
    from firmware.host import process as host

    stop = _stop_event(with_parent)
    serial = board.host.serial
    host.run(
        board,
        None if serial is None else lambda: open_uart(str(serial.device), serial.baud),
        stop,
        supervise.from_environment(),
    )
    return EXIT_OK


def _stop_event(with_parent: bool) -> threading.Event:
    """Set by SIGTERM, SIGINT, and when the parent is gone."""
    os.umask(0o077)
    stop = threading.Event()
    ends: SimpleQueue[None] = SimpleQueue()  # its put may interrupt anything, an Event's set not

    def wait() -> None:
        ends.get()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ends.put(None))
    if with_parent:
        offspring.when_orphaned(lambda: ends.put(None))
    return stop


if __name__ == "__main__":
    sys.exit(main())
