"""A simulated card at a reader of the machine: the VSC protocol of QEMU's ccid-card-passthru.

The messages (QEMU, docs/ccid.txt and libcacard's vscard_common.h): type, reader, length, each 32
bits big-endian, then so many bytes.  QEMU's reader takes whole APDUs and tells nobody of a reset:
the card has power as long as it is in the slot.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from pathlib import Path

from firmware.outcome import TransportError
from simulator.ccid_slot import CcidSlot
from simulator.slot import SimulatedSlot
from tests.machine.wire import connect

INIT, ERROR, READER_ADD, READER_REMOVE, ATR, CARD_REMOVE, APDU = range(1, 8)
_HEAD = struct.Struct(">III")
_MAGIC, _VERSION = b"VSCD", 2
_GENERAL_ERROR = b"\0\0\0\2"
_NO_READER = 0xFFFFFFFF
_LOOK_S = 0.2
_TOLD_S = 60.0
_FETCHED_S = 0.5
"""QEMU's reader answers nothing to a command whose error the host has not fetched when it hears
that the card left; pcscd then waits for 232 s, and nobody else gets at the reader."""


class CardEnd:
    """What is in `slot` is in the reader behind the socket `path`, until close() or the machine
    ends.  Started when made."""

    def __init__(self, path: Path, slot: SimulatedSlot):
        self.slot, self._chip = slot, CcidSlot(slot, is_apdu=True)
        self._link = connect(path)
        self._writing, self._transferring = threading.Lock(), threading.Lock()
        self._stopped = threading.Event()
        self._told_in = threading.Condition()
        self._is_in = False  # as the machine was told
        self._say(INIT, _MAGIC + struct.pack(">II", _VERSION, 0), _NO_READER)
        self._threads = [
            threading.Thread(target=each, daemon=True) for each in (self._answer, self._watch)
        ]
        self._threads[0].start()

    def wait_out(self) -> None:
        """Until the machine was told that no card is in, or ended.  Raises TimeoutError."""
        with self._told_in:
            gone = self._told_in.wait_for(
                lambda: self._stopped.is_set() or not self._is_in, _TOLD_S
            )
            if not gone:
                raise TimeoutError("the machine was not told that the card left")

    def close(self) -> None:
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)
        for each in self._threads:
            if each.ident is not None:
                each.join(10)
        self._link.close()

    def _answer(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                kind, _, length = _HEAD.unpack(self._read(_HEAD.size))
                data = self._read(length)
                if kind == INIT:
                    self._say(READER_ADD, b"test")
                    self._threads[1].start()
                elif kind == APDU:
                    self._transfer(data)
        self._stopped.set()
        with self._told_in:
            self._told_in.notify_all()
        self._chip.power_off()

    def _transfer(self, apdu: bytes) -> None:
        with self._transferring:
            try:
                self._say(APDU, self._chip.transfer(apdu))
            except TransportError:  # it left; a reader says so at once
                self._say(ERROR, _GENERAL_ERROR)

    def _watch(self) -> None:
        """The hand at the slot: cards come and go."""
        seen = -1
        while not self._stopped.is_set():
            count, now = self.slot.wait_beyond(seen, _LOOK_S)
            if now == seen:
                continue
            seen = now
            with contextlib.suppress(OSError):
                if self._is_in:
                    with self._transferring:
                        time.sleep(_FETCHED_S)
                    self._say(CARD_REMOVE)
                if count == 1:
                    self._say(ATR, self._chip.power_on(1))
            with self._told_in:
                self._is_in = count == 1
                self._told_in.notify_all()

    def _say(self, kind: int, data: bytes = b"", reader: int = 0) -> None:
        with self._writing:
            self._link.sendall(_HEAD.pack(kind, reader, len(data)) + data)

    def _read(self, count: int) -> bytes:
        got = b""
        while len(got) < count:
            more = self._link.recv(count - len(got))
            if not more:
                raise EOFError
            got += more
        return got
