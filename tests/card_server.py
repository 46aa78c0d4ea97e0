"""Virtual cards for tests/both/: one server in pytest's process, on loopback, asked in JSON lines.

Also a test that runs in another interpreter plugs its cards in here; tests/both/cards.py asks.
"""

from __future__ import annotations

import functools
import json
import os
import socketserver
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from firmware.drivers.smartcard import scard
from tests import pcscd_rig
from tests.vpcd_card import VpcdCard
from tests.waiting import SOON_S

ADDRESS = "SSC_TEST_CARDS"
_SEEN_S = SOON_S
# pcscd looks each 0.4 s, and may miss for ever a swap that took less.
_OUT_S = 0.6
_SILENT = bytes.fromhex("00FE0000")
_NAMES = {"user": pcscd_rig.USER_READER + " 00 00", "psam": pcscd_rig.PSAM_READER + " 00 00"}


@functools.cache
def shared() -> CardServer:
    """The one of this process, over the one pcscd of this process."""
    return CardServer(pcscd_rig.shared())


class Plugged:
    """One card, and what it heard."""

    def __init__(self, slot: str, port: int, atr: bytes, answers: dict[bytes, bytes]):
        self.slot = slot
        self.commands: list[str] = []
        self._answers = answers
        self.card = VpcdCard(port, atr, self._answer)

    def _answer(self, command: bytes) -> bytes | None:
        self.commands.append(command.hex())
        if command == _SILENT:
            return None
        return self._answers.get(command, command[:4] + b"\x90\x00")


class CardServer:
    def __init__(self, rig: pcscd_rig.PcscdRig):
        self._rig = rig
        self._plugged: dict[int, Plugged] = {}
        self._last = 0
        self._out_since = dict.fromkeys(_NAMES, 0.0)
        self._lock = threading.Lock()
        # pcscd ends with the thread that started it (setpriv), so one is kept for that.
        self._starter = ThreadPoolExecutor(1)
        owner = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for line in self.rfile:
                    self.wfile.write(json.dumps(owner.answer(json.loads(line))).encode() + b"\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        os.environ[ADDRESS] = f"127.0.0.1:{self._server.server_address[1]}"

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            with self._lock:
                done: dict[str, Any] = getattr(self, "_" + request.pop("do"))(**request)
            return done
        except Exception as error:
            return {"error": repr(error)}

    def pull_all(self) -> None:
        """What a test left behind."""
        with self._lock:
            for number in list(self._plugged):
                self._pull(number)
            self._service(True)

    def _plug(self, slot: str, atr: str, answers: dict[str, str]) -> dict[str, Any]:
        port = self._rig.user_port if slot == "user" else self._rig.psam_port
        table = {bytes.fromhex(one): bytes.fromhex(other) for one, other in answers.items()}
        self._wait(slot, scard.SCARD_STATE_EMPTY)
        time.sleep(max(0.0, self._out_since[slot] + _OUT_S - time.monotonic()))
        self._last += 1
        self._plugged[self._last] = Plugged(slot, port, bytes.fromhex(atr), table)
        self._wait(slot, scard.SCARD_STATE_PRESENT)
        return {"card": self._last}

    def _pull(self, card: int, delay_s: float = 0.0) -> dict[str, Any]:
        plugged = self._plugged.get(card)
        if plugged is None:
            return {}
        if delay_s:
            threading.Timer(delay_s, plugged.card.pull).start()
            return {}
        del self._plugged[card]
        plugged.card.pull()
        self._out_since[plugged.slot] = time.monotonic()
        self._wait(plugged.slot, scard.SCARD_STATE_EMPTY)
        return {}

    def _orders(self, card: int) -> dict[str, Any]:
        orders = self._plugged[card].card.orders
        said, orders[:] = list(orders), []
        return {"orders": said}

    def _commands(self, card: int) -> dict[str, Any]:
        commands = self._plugged[card].commands
        said, commands[:] = list(commands), []
        return {"commands": said}

    def _service(self, run: bool) -> dict[str, Any]:
        if run and self._rig._process.poll() is not None:
            self._rig._process = self._starter.submit(self._rig._start).result()
            if not self._rig._is_ready():
                raise RuntimeError(self._rig.log())
        elif not run:
            self._rig._end()
        return {}

    def _wait(self, slot: str, bit: int) -> None:
        """Until pcscd sees it so (it looks each 0.4 s)."""
        if self._rig._process.poll() is not None:
            return
        code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
        if code:
            raise RuntimeError(f"no context: {code:08X}")
        state, ends = scard.SCARD_STATE_UNAWARE, time.monotonic() + _SEEN_S
        try:
            while time.monotonic() < ends:
                request = [(_NAMES[slot], state)]
                _, [(_, state, _)] = scard.SCardGetStatusChange(context, 200, request)
                if state & bit:
                    return
        finally:
            scard.SCardReleaseContext(context)
        raise RuntimeError(f"pcscd does not see the {slot} card as it is")
