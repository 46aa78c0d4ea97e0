"""Plugs a simulated slot into a real pcscd, through vsmartcard-vpcd.

vpcd is a reader driver that listens on TCP; the card connects to it.  A message is a length (2
bytes, big-endian) and a body; a body of one byte is an order (power off, power on, reset, give the
ATR), anything else a command.  Only GET ATR and commands are answered.
What PC/SC cannot say, vpcd cannot either: two cards in the field look like no card.  A held command
is not dropped with a killed client, since pcscd keeps waiting for it: remove the card to drop it.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time

from firmware.outcome import TransportError
from simulator.client import is_gone
from simulator.slot import SimulatedSlot

_OFF, _ON, _RESET, _GET_ATR = 0, 1, 2, 4
_LENGTH = struct.Struct(">H")

# pcscd looks each 400 ms whether a card is there: a swapped card must stay out longer than that.
OUT_S = 1.0
# A card that stays mute this long is reset by its reader.  vpcd itself would wait for ever.
MUTE_S = 5.0
_CONNECT_S = 5.0
_RETRY_S = 0.2


class Plug:
    """Keeps the card of a slot connected to vpcd's port while it is in; start(), then stop()."""

    def __init__(self, slot: SimulatedSlot, port: int, host: str = "127.0.0.1"):
        self._slot = slot
        self._address = (host, port)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Take the card out of the reader; returns when it is."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        count, seen = self._slot.wait_beyond(-1, 0)
        while not self._stopping.is_set():
            if count == 1:
                self._stay_in(seen)
                count, seen = self._slot.wait_beyond(-1, 0)
            else:
                count, seen = self._slot.wait_beyond(seen, _RETRY_S)

    def _stay_in(self, seen: int) -> None:
        """Connected until the slot changes, the card was cut off, or stop(); then out a while."""
        try:
            link = socket.create_connection(self._address, _CONNECT_S)
        except OSError:
            self._stopping.wait(_RETRY_S)  # pcscd is not up yet
            return
        with link:
            link.settimeout(None)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = threading.Thread(target=self._serve, args=(link,), daemon=True)
            server.start()
            now = seen
            while now == seen and server.is_alive() and not self._stopping.is_set():
                _, now = self._slot.wait_beyond(seen, _RETRY_S)
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            server.join()
        self._slot.power_off()
        self._stopping.wait(OUT_S)

    def _serve(self, link: socket.socket) -> None:
        # pcscd asks for the ATR before it powers the card, and powers it up and down of its own
        # accord.  A card to which nothing was said since its reset is not reset again: so it draws
        # the same random numbers (from its seed and its starts) as under a reader that does not.
        try:
            atr, is_fresh = self._power_on(), True
            while True:
                body = _read_message(link)
                if body in (bytes((_ON,)), bytes((_RESET,))):
                    if not is_fresh:
                        atr, is_fresh = self._power_on(), True
                elif body == bytes((_OFF,)):
                    if not is_fresh:
                        self._slot.power_off()
                elif body == bytes((_GET_ATR,)):
                    link.sendall(_LENGTH.pack(len(atr)) + atr)
                else:
                    is_fresh = False
                    answer = self._slot.exchange(body, is_abandoned=lambda: is_gone(link))
                    link.sendall(_LENGTH.pack(len(answer)) + answer)
        except TransportError as fault:
            if fault.kind == "silent":
                self._stay_mute()
        except (OSError, EOFError):
            pass
        with contextlib.suppress(OSError):
            link.shutdown(socket.SHUT_RDWR)

    def _power_on(self) -> bytes:
        answer = self._slot.power_on()
        return pcsc_atr(answer, self._slot.is_block_protocol)

    def _stay_mute(self) -> None:
        """No answer: until the card is taken out, or its reader loses patience."""
        _, seen = self._slot.wait_beyond(-1, 0)
        ends = time.monotonic() + MUTE_S
        while time.monotonic() < ends and not self._stopping.is_set():
            if self._slot.wait_beyond(seen, _RETRY_S)[1] != seen:
                return


def pcsc_atr(answer: bytes, is_contactless: bool) -> bytes:
    """The ATR a PC/SC reader shows: a contact card's own; for an ATS the one made from its
    historical bytes, `3B 8n 80 01 historical TCK` (PC/SC part 3, 3.1.3.2.3.1).
    """
    if not is_contactless:
        return answer
    interface_bytes = (answer[1] >> 4 & 7).bit_count() if len(answer) > 1 else 0
    historical = answer[2 + interface_bytes : answer[0]][:15]
    body = bytes((0x80 | len(historical), 0x80, 0x01)) + historical
    check = 0
    for byte in body:
        check ^= byte
    return b"\x3b" + body + bytes((check,))


def _read_message(link: socket.socket) -> bytes:
    (length,) = _LENGTH.unpack(_read_exactly(link, 2))
    return _read_exactly(link, length)


def _read_exactly(link: socket.socket, count: int) -> bytes:
    """Raises EOFError when pcscd closed the connection."""
    got = b""
    while len(got) < count:
        # vpcd sends length and body apart without TCP_NODELAY: unless each is acknowledged at once,
        # Nagle and the delayed ACK cost 44 ms a message.  The option does not last.
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        more = link.recv(count - len(got))
        if not more:
            raise EOFError("pcscd is gone")
        got += more
    return got
