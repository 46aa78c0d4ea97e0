"""Files from outside that did not verify: each is shown and journaled once."""

from __future__ import annotations

import hashlib
import logging

from firmware.authorize.unit import Unit
from firmware.journal import kinds as rec
from firmware.outcome import outcome

log = logging.getLogger(__name__)

MAX_JOURNALED = 100
"""In one start: a stranger who sends ever new files must not fill the journal."""
MAX_REMEMBERED = 1000
"""The newest ones: nor the memory."""


class Refusals:
    def __init__(self, unit: Unit):
        self._unit = unit
        self._digests: dict[bytes, None] = {}
        self._journaled = 0

    def holds(self, raw: bytes) -> bool:
        """These bytes were complained of already."""
        return hashlib.sha256(raw).digest() in self._digests

    def add(self, raw: bytes, name: str, detail: str) -> None:
        """name: the outcome's.  Raises JournalError, and then it is tried again."""
        digest = hashlib.sha256(raw).digest()
        if digest in self._digests:
            return
        log.warning("%s: %s", name, detail)
        self._unit.show(name)
        if self._journaled < MAX_JOURNALED:
            self._journal(name, detail)
        self._digests[digest] = None
        while len(self._digests) > MAX_REMEMBERED:
            del self._digests[next(iter(self._digests))]

    def _journal(self, name: str, detail: str) -> None:
        body = {
            rec.KEY_OPERATOR: "terminal",
            rec.KEY_DETAIL: detail[:200],
            rec.KEY_OUTCOME: outcome(name).number,
        }
        self._unit.journal.append(rec.KIND_SERVICE, body)
        self._journaled += 1
