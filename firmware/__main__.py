"""`python -m firmware --board board.toml`: read the board, build every object, start the loops."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from firmware import __version__, attached, offspring
from firmware.authorize.inbox import Inbox
from firmware.authorize.unit import Unit
from firmware.board import Board, BoardError, load
from firmware.channel import Channel, Reader, open_channel
from firmware.clock import Clock
from firmware.display.screen import Display, Surface
from firmware.display.window import Window
from firmware.drivers.registry import open_pad, open_reader
from firmware.host.desk import Desk
from firmware.host.rpc import RpcServer
from firmware.journal import record as rec
from firmware.journal import spool
from firmware.journal.devicekey import DeviceKey
from firmware.journal.enrolment import make_enrolment
from firmware.journal.schema import JournalError
from firmware.journal.store import Journal
from firmware.outcome import Fault
from firmware.psam.session import PsamSession
from firmware.terminal import Terminal

EXIT_OK, EXIT_FAULT, EXIT_BOARD = 0, 1, 2


def main(argv: list[str] | None = None) -> int:
    arguments = _arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        board = load(arguments.board)
        if arguments.check:
            return attached.check(board, open_reader, open_pad)
        if arguments.only == "uplink":
            return _run_uplink(board, arguments.with_parent)
        return _run_card(board, None if arguments.only else Path(arguments.board))
    except BoardError as error:
        print(error, file=sys.stderr)
        return EXIT_BOARD
    except ValueError as error:  # an address that no driver knows
        print(f"{arguments.board}: {error}", file=sys.stderr)
        return EXIT_BOARD
    except (Fault, JournalError, OSError) as error:
        print(f"the terminal cannot run: {error}", file=sys.stderr)
        return EXIT_FAULT


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m firmware", description=__doc__)
    parser.add_argument("--board", default="board.toml", help="what this unit is")
    parser.add_argument(
        "--check", action="store_true", help="check the board, say what is attached"
    )
    parser.add_argument("--only", choices=("card", "uplink"), help="run one of the processes")
    parser.add_argument("--with-parent", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


# -- the card process ----------------------------------------------------------------------------


def _run_card(board: Board, board_path: Path | None) -> int:
    board.unit.data_dir.mkdir(parents=True, exist_ok=True)
    display = Display(_surfaces(board))
    unit = build_unit(board, display)
    terminal = Terminal(unit, Inbox(unit))
    desk = Desk(unit, terminal, display, __version__)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: terminal.stop())
    server = RpcServer(board.host.socket, board.host.mode, desk.methods())
    child = None if board_path is None else offspring.start_uplink(board, board_path)
    server.start()
    try:
        terminal.run()
    finally:
        server.close()
        if child is not None:
            child.stop()
        unit.journal.close()
    return EXIT_OK


def _surfaces(board: Board) -> list[Surface]:
    if board.display is None:
        return []
    surfaces: list[Surface] = []
    if board.display.window:
        surfaces.append(Window(sys.stdout, board.display.language))
    if board.display.panel_png is not None:
        from firmware.display.panel import Panel  # Pillow only where there is a panel

        surfaces.append(Panel(board.display.panel_png, board.display.language))
    return surfaces


def build_unit(board: Board, display: Display) -> Unit:
    """Open the devices, the key and the journal of that board; journal the start."""
    clock = Clock(
        has_rtc=board.clock.rtc,
        trust_h=board.clock.trust_h,
        utc_offset_minutes=board.clock.utc_offset_minutes,
    )
    key = DeviceKey.load_or_create(board.unit.data_dir / "device.key")
    journal = Journal.open(
        board.unit.data_dir / "journal.db",
        signer=key,
        unit=board.unit.id,
        profile=rec.PROFILE_PRODUCTION
        if board.unit.profile == "production"
        else rec.PROFILE_DEVELOPMENT,
        clock=clock,
        min_free_mb=board.journal.min_free_mb,
    )
    start = {
        rec.KEY_PUBLIC_KEY: key.public_key,
        rec.KEY_FIRMWARE: __version__,
        rec.KEY_BOOT_ID: os.urandom(16),
    }
    journal.append(rec.KIND_START, start)
    _write_enrolment(board, key, clock)
    return Unit(
        board=board,
        journal=journal,
        clock=clock,
        readers=[open_reader(each.address) for each in board.readers],
        psam=PsamSession(_powered(open_reader(board.psam.address), board.timing.exchange_s)),
        pad=None if board.pad is None else open_pad(board.pad.address),
        show=display.show,
        random=os.urandom,
        monotonic=time.monotonic,
        wait=time.sleep,
    )


def _write_enrolment(board: Board, key: DeviceKey, clock: Clock) -> None:
    """The request a person carries to the office, written once."""
    path = board.unit.data_dir / "enrolment.cose"
    if not path.exists():
        request = make_enrolment(
            unit=board.unit.id,
            region=board.unit.region,
            time_ms=clock.now().epoch_ms,
            signer=key,
        )
        spool.write_atomic(path, request)


def _powered(reader: Reader, exchange_s: float) -> Callable[[], Channel]:
    """Power-cycles the PSAM's slot and opens its channel."""

    def power_on() -> Channel:
        reader.power_on()
        return open_channel(reader, exchange_s)

    return power_on


# -- the uplink process --------------------------------------------------------------------------


def _run_uplink(board: Board, with_parent: bool) -> int:
    # Here, for the card process is up sooner and smaller without an HTTP server and pyserial.
    from firmware.drivers.uart import open_uart
    from firmware.uplink import process as uplink

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if with_parent:
        offspring.stop_when_orphaned(stop)
    serial, http = board.uplink.serial, board.uplink.http
    uplink.run(
        board.unit.id,
        board.unit.data_dir,
        None if serial is None else lambda: open_uart(str(serial.device), serial.baud),
        None if http is None else http.listen,
        stop,
    )
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
