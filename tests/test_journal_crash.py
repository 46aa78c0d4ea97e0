"""Whatever a crash interrupts, nothing acknowledged is lost (issue part 5; M14)."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from journal_maker import (
    TEST_DEVICE_KEY,
    TEST_OFFICE_KEY,
    done_body,
    intent_body,
    open_journal,
    receipt_for,
    totals_body,
    uncertain_body,
    void_body,
)

from firmware.journal import batch
from firmware.journal.kinds import (
    KEY_INTENT,
    KIND_DONE,
    KIND_INTENT,
    KIND_TOTALS,
    KIND_UNCERTAIN,
    KIND_VOID,
)
from firmware.journal.receipt import accept_receipt
from firmware.journal.view import read_record
from tests.waiting import SOON_S

BODIES = {KIND_DONE: done_body, KIND_VOID: void_body, KIND_UNCERTAIN: uncertain_body}
KILLS = 20


class Crashes(RuleBasedStateMachine):
    """A model beside the journal: what was acknowledged, what rides, what each payment is."""

    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.folder = self.root / "0"
        self.folder.mkdir()
        self.life = 0
        self.journal = open_journal(self.folder)
        self.on_disk: list[bytes] = []
        self.riding: list[bytes] = []
        self.states: dict[int, int] = {}
        self.sealed = []

    def teardown(self):
        self.journal.close()
        shutil.rmtree(self.root)

    def acknowledged(self, made):
        self.on_disk += [*self.riding, made.raw]
        self.riding = []

    @rule()
    def begin(self):
        made = self.journal.append(KIND_INTENT, intent_body(f"order-{len(self.states)}"))
        self.states[made.number] = KIND_INTENT
        self.acknowledged(made)

    @precondition(lambda self: self.open_ones())
    @rule(kind=st.sampled_from(sorted(BODIES)), which=st.integers(0, 99))
    def settle(self, kind, which):
        intent = self.open_ones()[which % len(self.open_ones())]
        if self.states[intent] == kind:
            return
        self.acknowledged(self.journal.append(kind, BODIES[kind](intent)))
        self.states[intent] = kind

    @precondition(lambda self: KIND_DONE in self.states.values())
    @rule()
    def totals_ride(self):
        intent = max(n for n, state in self.states.items() if state == KIND_DONE)
        made = self.journal.append(KIND_TOTALS, totals_body(intent), ride=True)
        self.riding.append(made.raw)

    @rule()
    def flush(self):
        self.journal.flush()
        self.on_disk += self.riding
        self.riding = []

    @rule()
    def checkpoint(self):
        self.journal.checkpoint()
        self.on_disk += self.riding
        self.riding = []

    @rule(size=st.integers(1, 9))
    def seal(self, size):
        sealed = batch.seal(self.journal, size)
        self.on_disk += self.riding
        self.riding = []
        if sealed:
            self.sealed.append(sealed)
            batch.put_out(self.journal)

    @precondition(lambda self: self.sealed)
    @rule()
    def receipt(self):
        sealed = self.sealed.pop(0)
        accept_receipt(self.journal, receipt_for(sealed), TEST_OFFICE_KEY.public_key)

    @rule()
    def stop_and_start(self):
        self.journal.close()
        self.on_disk += self.riding
        self.riding = []
        self.journal = open_journal(self.folder)

    @rule(garbage=st.binary(max_size=9000), keep_shm=st.booleans())
    def crash(self, garbage, keep_shm):
        """The files as they are now, the log with a torn write behind it."""
        self.life += 1
        after = self.root / str(self.life)
        shutil.copytree(self.folder, after)
        self.journal.close()
        shutil.rmtree(self.folder)
        self.folder = after
        with open(after / "journal.db-wal", "ab") as log:
            log.write(garbage)
        if not keep_shm:
            (after / "journal.db-shm").unlink()
        self.riding = []
        self.journal = open_journal(self.folder)

    def open_ones(self):
        return [n for n, state in self.states.items() if state in (KIND_INTENT, KIND_UNCERTAIN)]

    @invariant()
    def nothing_acknowledged_is_lost(self):
        found = self.journal.records(limit=1000)
        assert [each.raw for each in found] == self.on_disk
        assert [each.number for each in found] == list(range(1, len(found) + 1))
        for before, after in itertools.pairwise(found):
            assert after.previous == before.digest

    @invariant()
    def every_payment_is_what_its_records_say(self):
        assert [each.number for each in self.journal.open_intents()] == self.open_ones()
        for intent, state in self.states.items():
            assert self.journal.payment_state(intent) == state
        assert self.journal.damaged_ranges() == []

    @invariant()
    def unreceipted_batches_lie_in_out(self):
        names = sorted(path.name for path in (self.folder / "out").iterdir())
        assert names == [f"{each.number:08d}.batch" for each in self.sealed]


Crashes.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
test_crashes = Crashes.TestCase

WRITER = """
import os, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from journal_maker import *
from firmware.journal import batch
journal = open_journal(Path(sys.argv[1]))
for turn in range(10_000):
    order = f"{journal.boot}-{turn}"
    intent = journal.append(KIND_INTENT, intent_body(order))
    os.write(1, b"%d %s\\n" % (intent.number, intent.digest.hex().encode()))
    done = journal.append(KIND_DONE, done_body(intent.number))
    os.write(1, b"%d %s\\n" % (done.number, done.digest.hex().encode()))
    journal.append(KIND_TOTALS, totals_body(intent.number), ride=True)
    if turn % 7 == 0:
        batch.seal(journal, 10)
        batch.put_out(journal)
    if turn % 5 == 0:
        journal.checkpoint()
"""


def test_kill_9_at_any_moment_loses_nothing_acknowledged(tmp_path):
    """A writer process is killed 20 times; each number it told us of is there, once, unchanged."""
    acknowledged: dict[int, str] = {}
    chance = random.Random(2026)
    for _ in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(Path(__file__).parent)],
            stdout=subprocess.PIPE,
        )
        os.set_blocking(child.stdout.fileno(), True)
        for _ in range(chance.randrange(1, 30)):
            line = child.stdout.readline()
            assert line, "the writer died by itself"
            note(acknowledged, line)
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read()
        child.wait(SOON_S)
        for line in rest.splitlines(keepends=True):
            if line.endswith(b"\n"):
                note(acknowledged, line)
    journal = open_journal(tmp_path)
    keys = journal.keys
    rows = journal.rows("SELECT number, raw FROM records ORDER BY number")
    found = {number: read_record(number, raw, journal.unit, keys) for number, raw in rows}
    assert list(found) == list(range(1, len(found) + 1))
    assert {n: found[n].digest.hex() for n in acknowledged} == acknowledged
    assert all(found[n].previous == found[n - 1].digest for n in found if n > 1)
    assert {each.boot for each in found.values()} == set(range(1, KILLS + 1))
    settled = {each.body[KEY_INTENT] for each in found.values() if each.kind == KIND_DONE}
    begun = {n for n, each in found.items() if each.kind == KIND_INTENT}
    assert {each.number for each in journal.open_intents()} == begun - settled
    sealed = [path.read_bytes() for path in sorted((tmp_path / "out").glob("*.batch"))]
    batch.put_out(journal)
    covered = [
        each.number
        for raw in sealed
        for each in batch.parse_batch(raw, TEST_DEVICE_KEY.public_key).records
    ]
    assert covered == sorted(set(covered))
    journal.close()


def note(acknowledged: dict[int, str], line: bytes) -> None:
    number, digest = line.decode().split()
    assert acknowledged.setdefault(int(number), digest) == digest
