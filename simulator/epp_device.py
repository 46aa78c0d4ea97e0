"""An encrypting PIN pad on a pseudo-terminal, with the simulator's holder at its keys.

Written from docs/hardware.md, "The serial pad", and from ISO 9564-1, sharing nothing with the
driver: frames, key agreement and PIN blocks are its own.
"""

from __future__ import annotations

import os
import select
import threading
import tty
from binascii import crc_hqx

from firmware.psam.cipher import aes_encrypt, des_encrypt
from simulator.holder import Holder

KEYS = [*"0123456789", "confirm", "cancel", "clear", "menu", "up", "down", "language"]
_POLL_S = 0.02


class EppDevice:
    """path: of the device to open.  form: 3 (key of 16 bytes) or 4 (16 or 32)."""

    def __init__(self, holder: Holder, key: bytes, form: int = 4):
        self._holder = holder
        self._key = key
        self.form = form
        self.bad_block = False
        """True: its next PIN block is damaged."""
        self.is_mute = False
        self.sent = bytearray()
        self.received = bytearray()
        self._ours, theirs = os.openpty()
        tty.setraw(theirs)
        self.path = os.ttyname(theirs)
        self._theirs = theirs
        self._encrypt = aes_encrypt if form == 4 else des_encrypt
        self._block = 16 if form == 4 else 8
        self._session = b""
        self._begun: tuple[bytes, bytes] | None = None
        self._buffer = b""
        self._entry: int | None = None
        self._listening = threading.Event()
        self._stopped = threading.Event()
        self._writing = threading.Lock()
        self._threads = [
            threading.Thread(target=self._serve, daemon=True),
            threading.Thread(target=self._tell_keys, daemon=True),
        ]
        for each in self._threads:
            each.start()

    def close(self) -> None:
        self._stopped.set()
        for each in self._threads:
            each.join(2)
        os.close(self._ours)
        os.close(self._theirs)

    @property
    def is_idle(self) -> bool:
        """It takes no PIN now."""
        return self._entry is None

    def send_raw(self, data: bytes) -> None:
        """Noise on the line, or a frame that nobody asked for."""
        with self._writing:
            self.sent += data
            os.write(self._ours, data)

    # -- frames ----------------------------------------------------------------------------------

    def _send(self, code: int, sequence: int, data: bytes = b"") -> None:
        if self.is_mute:
            return
        content = (len(data) + 2).to_bytes(2, "big") + bytes((code, sequence)) + data
        self.send_raw(b"\x02" + content + crc_hqx(content, 0xFFFF).to_bytes(2, "big"))

    def _serve(self) -> None:
        while not self._stopped.is_set():
            if not select.select([self._ours], [], [], _POLL_S)[0]:
                continue
            data = os.read(self._ours, 1024)
            self.received += data
            self._buffer += data
            while (question := self._cut()) is not None:
                self._answer(*question)

    def _cut(self) -> tuple[int, int, bytes] | None:
        """(code, sequence, data) of the next whole frame."""
        while b"\x02" in self._buffer:
            at = self._buffer.index(b"\x02")
            content = self._buffer[at + 1 :]
            if len(content) < 2:
                return None
            end = 2 + int.from_bytes(content[:2], "big")
            if not 4 <= end <= 70:
                self._buffer = content
                continue
            if len(content) < end + 2:
                return None
            if crc_hqx(content[: end + 2], 0xFFFF) != 0:  # the CRC of data and its CRC is 0
                self._buffer = content
                continue
            self._buffer = content[end + 2 :]
            return content[2], content[3], content[4:end]
        self._buffer = b""
        return None

    def _answer(self, code: int, sequence: int, data: bytes) -> None:
        if code == 0x01:
            self._send(0x81, sequence, bytes((1, self.form)))
        elif code == 0x02 and len(data) == 8:
            self._begin(sequence, data)
        elif code == 0x03 and len(data) > 14:
            self._enter(sequence, data)
        elif code == 0x04:
            self._entry = None
            self._send(0x84, sequence)
        elif code == 0x05:
            self._listening.set()
            self._send(0x85, sequence)
        else:
            self._send(0xFF, sequence, b"\x01")

    # -- keys ------------------------------------------------------------------------------------

    def _begin(self, sequence: int, unit_random: bytes) -> None:
        """The same question again, on a noisy line, gets the same answer."""
        if self._begun is None or self._begun[0] != unit_random:
            self._begun = unit_random, os.urandom(8)
        pad_random = self._begun[1]
        end = b"SSC PIN\0" + unit_random + pad_random + (len(self._key) * 8).to_bytes(4, "big")
        blocks = [self._mac(self._key, bytes((0, 0, 0, at)) + end) for at in range(1, 5)]
        self._session = b"".join(blocks)[: len(self._key)]
        check = self._mac(self._session, b"pad" + unit_random + pad_random)[:8]
        self._send(0x82, sequence, pad_random + check)

    def _mac(self, key: bytes, message: bytes) -> bytes:
        """CMAC, by integers: RFC 4493 2.3 and 2.4, for either block."""
        size = self._block
        top, polynomial = 1 << (size * 8), 0x87 if size == 16 else 0x1B

        def twice(number: int) -> int:
            return number * 2 if number * 2 < top else (number * 2 - top) ^ polynomial

        mask = twice(int.from_bytes(self._encrypt(key, bytes(size)), "big"))
        if not message or len(message) % size:
            mask = twice(mask)
            message = message + b"\x80" + bytes(-(len(message) + 1) % size)
        state = 0
        while message:
            state ^= int.from_bytes(message[:size], "big")
            message = message[size:]
            state ^= 0 if message else mask
            state = int.from_bytes(self._encrypt(key, state.to_bytes(size, "big")), "big")
        return state.to_bytes(size, "big")

    # -- one PIN ---------------------------------------------------------------------------------

    def _enter(self, sequence: int, data: bytes) -> None:
        asked, check = data[:-8], data[-8:]
        if not self._session or self._mac(self._session, b"unit" + asked)[:8] != check:
            self._send(0xFF, sequence, b"\x02")
            return
        self._send(0x83, sequence)
        if self._entry == sequence:
            return  # asked again: the line lost the answer
        self._entry, session = sequence, self._session
        self._session, self._begun = b"", None  # good for one entry
        self._listening.clear()
        threading.Thread(target=self._type, args=(sequence, session, asked), daemon=True).start()

    def _type(self, entry: int, session: bytes, asked: bytes) -> None:
        least, timeout_s, pan = asked[0], int.from_bytes(asked[2:4], "big"), asked[6:].decode()

        def is_over() -> bool:
            return self._entry != entry or self._stopped.is_set()

        def typed(stars: int, left_s: float) -> None:
            if stars:
                self._send(0x91, entry, bytes((stars,)))

        try:
            digits = self._holder.digits(timeout_s, is_over, typed)
        except TimeoutError:
            self._entry = None
            self._send(0x93, entry, b"\x02")
            return
        if is_over():
            return
        self._entry = None
        if digits is None or len(digits) < least:
            self._send(0x93, entry, b"\x01" if digits is None else b"\x02")
            return
        block = self._pin_block(session, digits.decode(), pan)
        if self.bad_block:
            block = bytes((block[0] ^ 1,)) + block[1:]
        self._send(0x92, entry, block)

    def _pin_block(self, key: bytes, digits: str, pan: str) -> bytes:
        """ISO 9564-1 9.3.5 and 9.4.2, as numbers in hexadecimal."""
        if self.form == 3:
            fill = "".join("ABCDEF"[each % 6] for each in os.urandom(14))
            field = int(f"3{len(digits):X}{(digits + fill)[:14]}", 16)
            return self._encrypt(key, (field ^ int(pan[-13:-1], 16)).to_bytes(8, "big"))
        field = int(f"4{len(digits):X}{digits:A<14}" + os.urandom(8).hex(), 16)
        account = int(f"{len(pan) - 12:X}{pan:0<31}", 16)
        inner = int.from_bytes(self._encrypt(key, field.to_bytes(16, "big")), "big")
        return self._encrypt(key, (inner ^ account).to_bytes(16, "big"))

    def _tell_keys(self) -> None:
        while not self._stopped.is_set():
            if not self._listening.wait(_POLL_S):
                continue
            name = self._holder.key(_POLL_S, self._is_deaf)
            if name is not None:
                self._send(0x95, 0, bytes((KEYS.index(name),)))

    def _is_deaf(self) -> bool:
        return self._stopped.is_set() or not self._listening.is_set()
