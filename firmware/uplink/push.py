"""The unit sends: sealed batches go to a collector, receipts and signed files come back.

The same for every link that pushes; a link is a Collector (uplink/https.py).  What failed is tried
again after a back-off with jitter (uplink/backoff.py); what the office refuses holds up nothing.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from firmware.uplink import backoff
from firmware.uplink.frame import MAX_DOWN
from firmware.uplink.spool import NoSuchBatch, OutOfBounds, SealedBatch, Spool

_log = logging.getLogger(__name__)

LOOK_S = 1.0  # between two looks at out/
AGAIN_S = 60.0  # a batch that is out still
AGAIN_CAP_S = 3600.0
LONGEST_RETRY_AFTER_S = 3600.0
MAX_FILES = 64  # of one list


class Unreachable(Exception):
    """No answer, or one that asks for patience.  retry_after_s: the least wait it names."""

    def __init__(self, text: str, retry_after_s: float = 0.0):
        super().__init__(text)
        self.retry_after_s = min(max(retry_after_s, 0.0), LONGEST_RETRY_AFTER_S)


class BatchRefused(Exception):
    """The office took this batch for none of its own; the text is the office's."""


class Barred(Exception):
    """The office serves this unit no more, or not yet; the text is the office's."""


class DownFile(NamedTuple):
    """A signed file that the office offers: its name, bytes, and their SHA-256."""

    what: str
    size: int
    digest: bytes


def parse_offered(raw: bytes) -> list[DownFile]:
    """The office's list, JSON {"files": [{"what", "size", "sha256"}]}; raises ValueError."""
    try:
        match json.loads(raw):
            case {"files": list(files)} if len(files) <= MAX_FILES:
                return [_offered(each) for each in files]
    except RecursionError:
        pass
    raise ValueError("no list of files")


def _offered(item: object) -> DownFile:
    match item:
        case {"what": str(what), "size": int(size), "sha256": str(digest_hex)}:
            digest = bytes.fromhex(digest_hex)
            if len(digest) == 32 and 0 < size <= MAX_DOWN:
                return DownFile(what, size, digest)
    raise ValueError("no file of the list")


class Collector(Protocol):
    """Every method raises Unreachable and Barred."""

    def send(self, batch: SealedBatch, content: bytes) -> bytes:
        """The receipt.  Raises BatchRefused."""

    def offered(self) -> list[DownFile]: ...

    def fetch(self, file: DownFile, spool: Spool) -> None:
        """Into down/, going on where an earlier attempt stopped.  Raises OutOfBounds, OSError."""

    def close(self) -> None:
        """Until the next call."""


class Outgoing:
    """Which sealed batches are due.  One that was sent, and is out still, is due again later and
    later: its receipt may have been lost, the card process may have refused it, or the office may
    have refused the batch."""

    def __init__(
        self,
        spool: Spool,
        draw: Callable[[], float] = random.random,
        again_s: float = AGAIN_S,
    ):
        self._spool = spool
        self._draw = draw
        self._again_s = again_s
        self._sent: dict[int, tuple[int, float]] = {}

    def due(self, now_s: float) -> list[int]:
        """Oldest first.  now_s: a monotonic clock's."""
        waiting = self._spool.pending()
        is_waiting = set(waiting)
        self._sent = {n: kept for n, kept in self._sent.items() if n in is_waiting}
        return [n for n in waiting if n not in self._sent or self._sent[n][1] <= now_s]

    def sent(self, number: int, now_s: float) -> None:
        times, _ = self._sent.get(number, (0, 0.0))
        limit_s = backoff.limit_s(times, self._again_s, AGAIN_CAP_S)
        self._sent[number] = (times + 1, now_s + limit_s * (1 + self._draw()) / 2)


class Pusher:
    """run() until it is stopped; poll_s: how often signed files are asked for."""

    def __init__(
        self,
        name: str,
        spool: Spool,
        collector: Collector,
        poll_s: float,
        monotonic: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ):
        self._name = name
        self._spool = spool
        self._collector = collector
        self._poll_s = poll_s
        self._monotonic = monotonic
        self._draw = draw
        self._outgoing = Outgoing(spool, draw)
        self._next_poll_s = monotonic()
        self._complaint = ""
        self._failures = 0

    def run(self, stop: threading.Event) -> None:
        """The first attempt waits too: after a power cut in a city all units start at once."""
        wait_s = backoff.delay_s(0, draw=self._draw)
        while not stop.wait(wait_s):
            wait_s = self.step(stop)

    def step(self, stop: threading.Event) -> float:
        """Send and fetch what is due; the seconds until the next time."""
        try:
            is_served = self._is_served(stop)
            self._fetch_offered(stop)
        except Barred as error:
            self._complain(f"the office does not serve this unit: {error}")
            is_served = False
        except (Unreachable, OSError) as error:
            self._complain(str(error))
            self._failures += 1
            wait_s = backoff.delay_s(self._failures - 1, draw=self._draw)
            least_s = error.retry_after_s if isinstance(error, Unreachable) else 0.0
            return least_s + wait_s
        finally:
            self._collector.close()
        self._failures = 0
        return LOOK_S if is_served else backoff.CAP_S * (1 + self._draw()) / 2

    def _is_served(self, stop: threading.Event) -> bool:
        """Send what is due.  A unit that is barred still asks for files: its stop is among them."""
        try:
            self._send_due(stop)
        except Barred as error:
            self._complain(f"the office does not serve this unit: {error}")
            return False
        return True

    def _send_due(self, stop: threading.Event) -> None:
        for number in self._outgoing.due(self._monotonic()):
            if stop.is_set():
                return
            try:
                batch, content = self._spool.whole(number)
                receipt = self._collector.send(batch, content)
                self._outgoing.sent(number, self._monotonic())
                self._spool.put_receipt(number, receipt)
            except NoSuchBatch:  # receipted over another link this moment
                continue
            except (BatchRefused, OutOfBounds) as error:
                self._complain(f"batch {number} is refused: {error}")
                self._outgoing.sent(number, self._monotonic())
            else:
                self._recovered()

    def _fetch_offered(self, stop: threading.Event) -> None:
        if self._monotonic() < self._next_poll_s:
            return
        for file in self._collector.offered():
            if stop.is_set():
                return
            try:
                if not self._spool.holds_down(file.what, file.digest):
                    self._collector.fetch(file, self._spool)
            except OutOfBounds as error:
                self._complain(f"{file.what!r:.40} is not taken: {error}")
        self._recovered()
        self._next_poll_s = self._monotonic() + self._poll_s * (1 + self._draw()) / 2

    def _complain(self, text: str) -> None:
        """Once a change."""
        if text != self._complaint:
            self._complaint = text
            _log.warning("%s: %s", self._name, text)

    def _recovered(self) -> None:
        if self._complaint and self._failures:
            _log.info("%s: the office answers again", self._name)
            self._complaint = ""
