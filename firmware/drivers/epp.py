"""A serial encrypting PIN pad: it takes the digits itself and gives them up as a PIN block only.

For each entry both sides make a new key of the master key that they share (padkey.py), so a block
is good for one entry.  The block's PAN is a number made for the entry: the unit takes the digits
out again for the card beside it, and no account number is known to either (docs/decisions.md).
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from firmware.board_keys import KEY_NAMES
from firmware.drivers import epp_frame as epp
from firmware.drivers import padkey
from firmware.drivers.pad import MAX_DIGITS, MIN_DIGITS, KeysRefusedError, Typed
from firmware.drivers.pinblock import BlockCipher, decipher
from firmware.outcome import TransportError
from firmware.secret import Key

Found = TypeVar("Found")

VERSION = 1
RANDOM = 8
ANSWER_S = 1.0
TRIES = 3
LISTEN_S = 10
_POLL_S = 0.1
_LATE_S = 2.0
"""The pad's own time-out may come so much later than the unit's."""
_STALE_S = 1.0
"""Keys told while nobody asked for so long were meant for something else."""
_BURST = 100  # frames; a pad that sends more at once is broken


class Line(Protocol):
    """drivers/uart.py::Uart.  Each raises TransportError."""

    def read(self, maximum: int, timeout_s: float) -> bytes: ...
    def write(self, data: bytes) -> None: ...
    def close(self) -> None: ...


class EncryptingPad:
    """Keys (drivers/pad.py).  Opens its line at first use, and again after a fault.

    form: of the PIN blocks, 3 or 4.  master: kept as long as the object.
    """

    def __init__(
        self,
        open_line: Callable[[], Line],
        master: Key,
        form: int,
        cipher: BlockCipher,
        key_s: float,
        random: Callable[[int], bytes] = os.urandom,
        monotonic: Callable[[], float] = time.monotonic,
    ):
        self._open_line = open_line
        self._master = master
        self._form = form
        self._cipher = cipher
        self._key_s = key_s
        self._random = random
        self._monotonic = monotonic
        self._line: Line | None = None
        self._frames = epp.Frames()
        self._came: list[epp.Body] = []
        self._sequence = 0
        self._listens_until = self._asked_at = -math.inf

    def look(self) -> str:
        """What the pad says it is.  Raises OSError."""
        told = self._guarded(lambda: self._ask(epp.INFO, b"", epp.TOLD)).data
        if len(told) != 2 or told[0] != VERSION:
            raise KeysRefusedError(f"the pad speaks another protocol: {told[:8].hex()}")
        if told[1] != self._form:
            raise KeysRefusedError(f"the pad makes blocks of format {told[1]}, not {self._form}")
        return f"an encrypting pad, PIN blocks of format {self._form}"

    def digits(
        self, timeout_s: float, cancelled: Callable[[], bool], typed: Typed
    ) -> bytearray | None:
        return self._guarded(lambda: self._enter(timeout_s, cancelled, typed))

    def key(self, timeout_s: float, interrupted: Callable[[], bool]) -> str | None:
        return self._guarded(lambda: self._next_key(timeout_s, interrupted))

    def _guarded(self, act: Callable[[], Found]) -> Found:
        try:
            return act()
        except TransportError as error:
            self._close()
            raise ConnectionError(error.what) from None
        except OSError:
            self._close()
            raise

    def _close(self) -> None:
        self._listens_until = -math.inf
        line, self._line = self._line, None
        if line is not None:
            line.close()

    # -- one PIN ---------------------------------------------------------------------------------

    def _enter(
        self, timeout_s: float, cancelled: Callable[[], bool], typed: Typed
    ) -> bytearray | None:
        self._listens_until = -math.inf  # an entry ends it
        with self._agree_on_key() as key:
            pan = "".join(str(each % 10) for each in self._random(16))
            entry = self._start(key, pan, timeout_s)
            ends = self._monotonic() + timeout_s
            stars, told = 0, (-1, -1)
            while not cancelled():
                left_s = ends - self._monotonic()
                if left_s < -_LATE_S:
                    self._abort()
                    raise TimeoutError("no PIN in time")
                if told != (now := (stars, max(0, math.ceil(left_s)))):
                    typed(stars, max(0.0, left_s))
                    told = now
                body = self._next(_POLL_S)
                if body is None or body.sequence != entry:
                    continue
                if body.code == epp.TYPED and len(body.data) == 1:
                    stars = min(body.data[0], MAX_DIGITS)
                elif body.code in (epp.PIN, epp.ENDED):
                    return self._ended(body, key, pan)
        self._abort()
        return None

    def _agree_on_key(self) -> Key:
        unit_random = self._random(RANDOM)
        begun = self._ask(epp.BEGIN, unit_random, epp.BEGUN).data
        if len(begun) != RANDOM + padkey.CHECK_LENGTH:
            raise KeysRefusedError("the pad's answer has another length")
        pad_random, check = begun[:RANDOM], begun[RANDOM:]
        key = Key(padkey.entry_key(self._cipher, self._master.reveal(), unit_random, pad_random))
        wanted = padkey.check_value(self._cipher, key.reveal(), b"pad" + unit_random + pad_random)
        if check != wanted:
            key.wipe()
            raise KeysRefusedError("the pad holds another key than key_file")
        return key

    def _start(self, key: Key, pan: str, timeout_s: float) -> int:
        """The sequence number of the entry that runs now."""
        asked = bytes((MIN_DIGITS, MAX_DIGITS))
        for seconds in (timeout_s, self._key_s):
            asked += max(1, math.ceil(seconds)).to_bytes(2, "big")
        asked += pan.encode("ascii")
        check = padkey.check_value(self._cipher, key.reveal(), b"unit" + asked)
        return self._ask(epp.ENTER, asked + check, epp.ENTERING).sequence

    def _ended(self, body: epp.Body, key: Key, pan: str) -> bytearray | None:
        if body.code == epp.PIN:
            try:
                return decipher(self._form, self._cipher, key.reveal(), body.data, pan)
            except ValueError as error:
                raise KeysRefusedError(str(error)) from None
        if body.data == bytes((epp.CANCELLED,)):
            return None
        raise TimeoutError("no PIN in time")

    def _abort(self) -> None:
        self._ask(epp.ABORT, b"", epp.ABORTED)

    # -- keys in the clear -----------------------------------------------------------------------

    def _next_key(self, timeout_s: float, interrupted: Callable[[], bool]) -> str | None:
        now = self._monotonic()
        if now - self._asked_at > _STALE_S:
            self._drop_waiting()
        ends = now + timeout_s
        try:
            while not interrupted():
                if self._monotonic() > self._listens_until - LISTEN_S / 2:
                    self._ask(epp.LISTEN, bytes((LISTEN_S,)), epp.LISTENING, tries=1)
                    self._listens_until = self._monotonic() + LISTEN_S
                left_s = ends - self._monotonic()
                body = self._next(max(0.0, min(left_s, _POLL_S)))
                if body is not None and body.code == epp.KEY:
                    name = KEY_NAMES[body.data[0] : body.data[0] + 1] if body.data else ()
                    if name:
                        return name[0]
                if left_s <= 0:
                    return None
            return None
        finally:
            self._asked_at = self._monotonic()

    def _drop_waiting(self) -> None:
        for _ in range(_BURST):
            if self._next(0) is None:
                return

    # -- the line --------------------------------------------------------------------------------

    def _ask(self, code: int, data: bytes, wanted: int, tries: int = TRIES) -> epp.Body:
        """The answer of that code; the same question again when none came.  Raises TransportError,
        and KeysRefusedError when the pad refuses."""
        self._sequence = self._sequence % 0xFF + 1
        question = epp.encode(epp.Body(code, self._sequence, data))
        kept: list[epp.Body] = []
        for _ in range(tries):
            self._open().write(question)
            ends = self._monotonic() + ANSWER_S
            while (left_s := ends - self._monotonic()) > 0:
                body = self._next(left_s)
                if body is None:
                    continue
                if body.sequence != self._sequence:
                    if body.code == epp.KEY and len(kept) < _BURST:
                        kept.append(body)
                    continue
                if body.code == wanted:
                    self._came = kept + self._came
                    return body
                if body.code == epp.REFUSED:
                    raise KeysRefusedError(f"the pad refuses: reason {body.data[:1].hex()}")
        raise TransportError("the PIN pad does not answer: check its cable and power", "silent")

    def _next(self, timeout_s: float) -> epp.Body | None:
        """The next frame; None when none came in that time."""
        ends = self._monotonic() + timeout_s
        while not self._came:
            left_s = ends - self._monotonic()
            self._came = self._frames.feed(self._open().read(256, max(0.0, left_s)))[:_BURST]
            if not self._came and left_s <= 0:
                return None
        return self._came.pop(0)

    def _open(self) -> Line:
        if self._line is None:
            self._line = self._open_line()
            self._frames.forget()
            self._came = []
        return self._line
