"""One terminal's day on the recorded disk, drawn from a seed: payments and loads of every end,
service acts, batches, receipts, checkpoints, scrubs, prunings, restarts, changes of the device key.
Each is noted the moment its call returned.

What is noted is what the terminal may rely on from then on:

    records    [[number, digest], ...]  appended, or ridden along: on the disk
    sealed     [batch, digest of its file]  `seal` returned
    out        [batch, digest of its file]  `put_out` returned
    receipting [batch, its file in hex]  the office has it, `accept_receipt` begins
    receipted  batch                     `accept_receipt` has returned
    paid       [[number, order], ...]    of payments that are DONE
    pruning    name                      old records may go from now on
    pruned     [name, [number, ...]]     these went
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware.journal import batch, kinds, rotation, spool
from firmware.journal.devicekey import FileKeys
from firmware.journal.receipt import accept_receipt
from firmware.journal.record import Record
from firmware.journal.sealed import Sealer
from firmware.journal.store import Journal
from tests.journal_maker import (
    TEST_OFFICE_KEY,
    done_body,
    intent_body,
    start_body,
    totals_body,
    uncertain_body,
    void_body,
)
from tests.powercut.unit import (
    OFFICE_SEALING,
    PERSONAL,
    digest_hex,
    load_body,
    load_done_body,
    office_receipts,
    open_unit,
)

TURNS = (8, 14)  # how many a sequence has, at least and at most
NEIGHBOUR = "neighbour.log"  # of another program on the same file system
_fsync = os.fsync  # the neighbour's, whatever the build makes of the firmware's


class Day:
    """Writes in `folder`, where there may be a journal, and notes into the open file `notes`.

    office: number -> file of the batches that the office has.
    """

    def __init__(self, folder: Path, notes: int, seed: int, office: dict[int, bytes]):
        self._folder = folder
        self._notes = notes
        self._office = dict(office)
        self._seed = self._days = seed
        self._chance = random.Random(seed)
        self._orders = 0
        self._riding: list[Record] = []
        self._journal = self._open()
        # INTENTs whose end was not seen
        self._torn = [each.number for each in self._journal.open_intents()]

    def run(self, turns: int | None = None) -> None:
        """As many turns, or as the seed will have it, and an orderly end."""
        count = turns or self._chance.randint(*TURNS)
        grows_old = self._chance.choice((None, self._chance.randrange(count // 2, count)))
        for turn in range(count):
            self._neighbour()
            if turn == grows_old:
                self._grow_old()
                continue
            self._chance.choices(
                (self._pay, self._lose, self._find, self._load, self._serve, self._chore),
                weights=(5, 2, 1, 1, 1, 4),
            )[0]()
        self._flush()
        self._close()

    def note(self, **said: Any) -> None:
        os.write(self._notes, json.dumps(said).encode())

    def _neighbour(self) -> None:
        """Another program writes a little; the kernel begins to write back, and waits for nothing.

        So some writes are always on their way when the journal syncs its own.
        """
        path = self._folder / NEIGHBOUR
        with open(path, "r+b" if path.exists() else "w+b", buffering=0) as handle:
            for _ in range(self._chance.randint(0, 4)):
                handle.seek(self._chance.randrange(64) * 4096)
                handle.write(self._chance.randbytes(4096))
            os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            if self._chance.random() < 0.1:
                _fsync(handle.fileno())

    # --- payments ---

    def _pay(self) -> None:
        """DONE with TOTALS riding, or VOID and the same order once more, or UNCERTAIN."""
        intent = self._begin()
        end = self._chance.choice(("done", "done", "done", "void", "uncertain", "suspect"))
        if end == "void":
            self._append(kinds.KIND_VOID, void_body(intent.number))
            intent = self._begin(intent.body[kinds.KEY_ORDER_NO])
        if end == "uncertain":
            self._append(kinds.KIND_UNCERTAIN, uncertain_body(intent.number))
            self._torn.append(intent.number)
            return
        if end == "suspect":
            self._append(kinds.KIND_SUSPECT, {**done_body(intent.number), kinds.KEY_OUTCOME: 503})
            return
        self._append(kinds.KIND_DONE, done_body(intent.number))
        self.note(paid=[[intent.number, intent.body[kinds.KEY_ORDER_NO]]])
        totals = totals_body(intent.number)
        self._riding.append(self._journal.append(kinds.KIND_TOTALS, totals, ride=True))

    def _lose(self) -> None:
        """A card pulled out: the INTENT stays open."""
        self._torn.append(self._begin().number)

    def _find(self) -> None:
        """A card that comes back: what happened to its payment is known now."""
        if not self._torn:
            return self._lose()
        intent = self._torn.pop(self._chance.randrange(len(self._torn)))
        kind, body = self._chance.choice(
            ((kinds.KIND_DONE, done_body), (kinds.KIND_VOID, void_body))
        )
        return self._append(kind, body(intent))

    def _load(self) -> None:
        """Credited, not credited, or not known."""
        intent = self._append(kinds.KIND_LOAD_INTENT, load_body(self._next_order(), 1)).number
        ends: tuple[tuple[int, Callable[[int], dict[int, Any]]] | None, ...] = (
            (kinds.KIND_LOAD_DONE, load_done_body),
            (kinds.KIND_LOAD_VOID, void_body),
            None,
        )
        if end := self._chance.choice(ends):
            kind, body = end
            self._append(kind, body(intent))

    def _serve(self) -> None:
        """A service act whose personal values are for the office alone."""
        before = self._journal.head()[0]
        body = {kinds.KEY_OPERATOR: "clerk-7", kinds.KEY_DETAIL: "act", kinds.KEY_OUTCOME: 1}
        self._sealer.append(kinds.KIND_SERVICE, body, PERSONAL)
        self._on_disk(*self._journal.records(before))

    def _next_order(self) -> str:
        self._orders += 1
        return f"2026{self._seed:06d}{self._orders:04d}"

    def _begin(self, order_no: str | None = None) -> Record:
        card = self._chance.randint(1, 1 << 30)
        body = intent_body(order_no or self._next_order(), card, self._chance.randint(1, 99_999))
        return self._append(kinds.KIND_INTENT, body)

    def _append(self, kind: int, body: dict[int, Any]) -> Record:
        new = self._journal.append(kind, body)
        self._on_disk(new)
        return new

    def _on_disk(self, *new: Record) -> None:
        durable = [*self._riding, *new]
        self._riding.clear()
        if durable:
            self.note(records=[[each.number, digest_hex(each.raw)] for each in durable])

    # --- between cards ---

    def _chore(self) -> None:
        chores: tuple[Callable[[], None], ...] = (
            *(self._seal, self._seal, self._receive, self._receive),
            *(self._checkpoint, self._scrub, self._flush, self._restart, self._change_key),
        )
        self._chance.choice(chores)()

    def _seal(self) -> None:
        sealed = batch.seal(self._journal, self._chance.choice((2, 5, 100)))
        self._on_disk()
        if sealed is None:
            return
        self.note(sealed=[sealed.number, digest_hex(sealed.raw)])
        self._put_out()

    def _put_out(self, *, check: bool = False) -> None:
        for number in batch.put_out(self._journal, check=check):
            file = spool.batch_path(self._folder, number).read_bytes()
            self.note(out=[number, digest_hex(file)])

    def _receive(self) -> None:
        """The uplink brings the receipt of the oldest batch that waits for one."""
        waiting = "SELECT batch FROM batches WHERE receipt IS NULL ORDER BY batch LIMIT 1"
        row = self._journal.row(waiting)
        if row is None:
            return self._seal()
        number = row[0]
        self._office[number] = spool.batch_path(self._folder, number).read_bytes()
        self.note(receipting=[number, self._office[number].hex()])
        path = spool.receipt_path(self._folder, number)
        spool.write_atomic(path, office_receipts(self._journal, self._office)[number])
        accept_receipt(self._journal, path.read_bytes(), TEST_OFFICE_KEY.public_key)
        self.note(receipted=number)
        return spool.remove(path)

    def _grow_old(self) -> None:
        """The office has all there is, or nearly; days later what is old and receipted may go."""
        while self._journal.row("SELECT max(last) FROM batches")[0] != self._journal.head()[0]:
            self._seal()
        left = self._chance.choice((0, 0, 1))
        while self._journal.row("SELECT count(*) FROM batches WHERE receipt IS NULL")[0] > left:
            self._receive()
        self._days += 3
        self._restart()
        before = self._numbers()
        name = f"{self._seed}-{self._days}"
        self.note(pruning=name)
        while self._journal.prune(self._chance.choice((4, 16, 256))):
            pass
        self._on_disk()
        self.note(pruned=[name, sorted(before - self._numbers())])

    def _numbers(self) -> set[int]:
        return {number for (number,) in self._journal.rows("SELECT number FROM records")}

    def _checkpoint(self) -> None:
        self._journal.checkpoint()
        self._on_disk()

    def _scrub(self) -> None:
        self._journal.scrub(8)
        self._on_disk()

    def _flush(self) -> None:
        self._journal.flush()
        self._on_disk()

    def _change_key(self) -> None:
        """Which seals what the old key signed."""
        self._on_disk(rotation.rotate(self._journal, FileKeys(self._folder / "device.key")))
        self._put_out()

    def _restart(self) -> None:
        self._close()
        self._journal = self._open()

    def _open(self) -> Journal:
        """A start, as the terminal makes it."""
        self._journal = open_unit(self._folder, self._days)
        self._sealer = Sealer(self._journal, lambda: OFFICE_SEALING)
        self._append(kinds.KIND_START, start_body(self._journal.signer.public_key))
        self._put_out(check=True)
        return self._journal

    def _close(self) -> None:
        self._journal.close()
        self._on_disk()
