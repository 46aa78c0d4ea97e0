"""kill -9 at every statement of the write path: append, ride, scrub, seal, receipt, prune, the log.

A forked process does a fixed piece of work and kills itself before, or after, its n-th statement,
sync or rename; n goes through all of them.  What it was told is durable it notes in a file first.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from journal_maker import (
    START_MS,
    TEST_OFFICE_KEY,
    clock,
    done_body,
    intent_body,
    open_journal,
    purchase,
    receipt_for,
    totals_body,
    void_body,
)
from prune_rig import pad, send

from firmware.journal import batch, prune, spool, writer
from firmware.journal.kinds import KIND_DONE, KIND_INTENT, KIND_TOTALS, KIND_VOID
from firmware.journal.receipt import accept_receipt
from firmware.journal.schema import OrderSettledError
from firmware.journal.store import Journal

KEEP = 9
LATER = START_MS + 200 * 86_400_000
OLD_ORDERS = [f"old-{turn}" for turn in range(4)]
NEVER = 1 << 30
SHARES = 4  # of the fuses, a test for each


class Fuse:
    """Counts what passes; at `at` the process is gone."""

    def __init__(self, at: int, is_after: bool):
        self.at = at
        self.is_after = is_after
        self.passed = 0
        self.names: list[str] = []

    def around(self, name: str, act: Callable[..., Any], *values: Any) -> Any:
        self.passed += 1
        self.names.append(name)
        is_last = self.passed == self.at
        if is_last and not self.is_after:
            os.kill(os.getpid(), signal.SIGKILL)
        found = act(*values)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return found


class Fused:
    """The writing connection behind the fuse."""

    def __init__(self, connection: Any, fuse: Fuse):
        self._connection = connection
        self._fuse = fuse

    def execute(self, sql: str, *values: Any) -> Any:
        return self._fuse.around(sql.split("(")[0], self._connection.execute, sql, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def light(fuse: Fuse, patch: Callable[[Any, str, Any], None]) -> None:
    """From now on everything that writes passes the fuse."""
    connect = writer.schema.connect
    patch(writer.schema, "connect", lambda path: Fused(connect(path), fuse))
    for name in ("fsync", "replace", "unlink", "posix_fallocate"):
        act = getattr(os, name)
        patch(os, name, lambda *values, n=name, a=act: fuse.around(n, a, *values))


def work(folder: Path, note: Callable[[str], None]) -> None:
    """The piece of work; `note` what must not be lost from that moment on."""
    journal = open_journal(folder, clock=clock(LATER))
    journal._pruner = prune.Pruner(journal, 90, KEEP)
    taken = journal.append(KIND_INTENT, intent_body("new-1"))
    note(f"record {taken.number} {taken.digest.hex()}")
    done = journal.append(KIND_DONE, done_body(taken.number))
    note(f"record {done.number} {done.digest.hex()}")
    totals = journal.append(KIND_TOTALS, totals_body(taken.number), ride=True)
    given_up = journal.append(KIND_INTENT, intent_body("new-2", card=2))
    for each in (totals, given_up):
        note(f"record {each.number} {each.digest.hex()}")
    void = journal.append(KIND_VOID, void_body(given_up.number))
    note(f"record {void.number} {void.digest.hex()}")
    while journal.scrub(20):
        pass
    sealed = batch.seal(journal, 4)
    assert sealed is not None
    note(f"batch {sealed.number} {sealed.statement.digest.hex()}")
    batch.put_out(journal)
    note(f"out {sealed.number}")
    accept_receipt(journal, receipt_for(sealed), TEST_OFFICE_KEY.public_key)
    note(f"receipt {sealed.number}")
    while journal.prune(5):
        pass
    note("pruned")
    journal.checkpoint()
    last = journal.append(KIND_INTENT, intent_body("new-3", card=3))
    note(f"record {last.number} {last.digest.hex()}")
    journal.close()


def run(folder: Path, at: int, is_after: bool) -> int | None:
    """Work in a child; how many fuses it passed, None when it was killed."""
    child = os.fork()
    if child == 0:  # never returns into pytest
        code = 1
        try:
            fuse = Fuse(at, is_after)
            light(fuse, setattr)
            acks = os.open(folder / "acks", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            work(folder, lambda line: os.write(acks, line.encode() + b"\n") and None)
            (folder / "passed").write_text(f"{fuse.passed}\n" + "\n".join(fuse.names))
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return None
    assert os.WEXITSTATUS(status) == 0, "the work itself failed"
    return int((folder / "passed").read_text().split("\n")[0])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four old payments, receipted, one of them open; the newest records stay."""
    folder = tmp_path_factory.mktemp("base")
    journal = open_journal(folder)
    for order_no in OLD_ORDERS:
        purchase(journal, order_no)
    journal.append(KIND_INTENT, intent_body("old-open", card=7))
    send(journal, 5)
    pad(journal, KEEP)
    journal.close()
    return folder


@pytest.fixture(scope="module")
def fuses(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, list[str]]:
    """How many fuses the whole work passes, and their names."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    shutil.copytree(base, folder)
    count = run(folder, NEVER, False)
    assert count is not None
    judge(folder)
    return count, (folder / "passed").read_text().split("\n")[1:]


def judge(folder: Path) -> None:
    """What was noted is there; nothing is damaged, doubled or half gone; the work can go on."""
    acks = (folder / "acks").read_text().split("\n") if (folder / "acks").exists() else []
    told = [line.split() for line in acks if line]
    journal = open_journal(folder, clock=clock(LATER))
    journal._pruner = prune.Pruner(journal, 90, KEEP)
    before = numbers(journal)
    _whole_or_gone(journal)
    for kind, *values in told:
        if kind == "record":
            found = journal.get(int(values[0]))
            assert found is not None
            assert found.digest.hex() == values[1]
        elif kind == "batch":
            raw = journal.row("SELECT header FROM batches WHERE batch = ?", int(values[0]))[0]
            assert prune.hashlib.sha256(raw).hexdigest() == values[1]
        elif kind == "receipt":
            row = journal.row("SELECT receipt FROM batches WHERE batch = ?", int(values[0]))
            assert row[0] is not None
    is_told = {kind for kind, *_ in told}
    if "out" in is_told and "receipt" not in is_told:
        assert batch.put_out(journal, check=True) in ([], [4])
    while journal.scrub(20):
        pass
    assert journal.damaged_ranges() == []
    assert numbers(journal) == before
    assert {each.body[1] for each in journal.open_intents()} >= {"old-open"}
    made = journal.append(KIND_INTENT, intent_body("after", card=9))  # at once
    assert made.number == before[-1] + 1
    pad(journal, KEEP)
    while journal.prune(5):
        pass
    _whole_or_gone(journal)
    assert all(is_settled(journal, order_no) for order_no in OLD_ORDERS)
    for _, path in spool.batches(folder):
        batch.parse_batch(path.read_bytes(), journal.signer.public_key)
    journal.close()


def numbers(journal: Journal) -> list[int]:
    return [number for (number,) in journal.rows("SELECT number FROM records ORDER BY number")]


def is_settled(journal: Journal, order_no: str) -> bool:
    """Has it left, and is it remembered?"""
    try:
        assert journal.by_order(order_no), "a paid order is forgotten"
    except OrderSettledError:
        return True
    return False


def _whole_or_gone(journal: Journal) -> None:
    """No paid order is forgotten, and none looks open because its outcome has left before it."""
    for order_no in OLD_ORDERS:
        if not is_settled(journal, order_no):
            (intent, *rest) = journal.by_order(order_no)
            assert journal.payment_state(intent.number) == KIND_DONE
            assert [each.kind_name for each in rest] == ["DONE", "TOTALS"]
    present = set(numbers(journal))
    expected = set(range(journal.floor + 1, max(present) + 1))
    assert expected <= present


def test_the_work_passes_every_kind_of_statement(fuses: tuple[int, list[str]]) -> None:
    """So that the next test cannot pass by doing nothing."""
    count, names = fuses
    assert count == len(names) > 80
    for expected in (
        "BEGIN IMMEDIATE", "INSERT INTO records VALUES ", "UPDATE records SET state = ?, fen = iif",
        "COMMIT", "INSERT INTO batches VALUES ", "UPDATE batches SET receipt = ? WHERE batch = ?",
        "DELETE FROM records WHERE number = ?", "INSERT OR REPLACE INTO counters VALUES ",
        "PRAGMA wal_checkpoint", "fsync", "replace",
    ):  # fmt: skip
        assert expected in names


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
def test_nothing_is_lost_or_doubled_wherever_the_process_dies(
    base: Path, fuses: tuple[int, list[str]], tmp_path: Path, is_after: bool, share: int
) -> None:
    count, names = fuses
    for at in range(1 + share, count + 1, SHARES):
        folder = tmp_path / str(at)
        shutil.copytree(base, folder)
        assert run(folder, at, is_after) is None, f"fuse {at} was not reached"
        try:
            judge(folder)
        except Exception as error:
            when = "after" if is_after else "before"
            raise AssertionError(f"killed {when} fuse {at}, {names[at - 1]}") from error
        shutil.rmtree(folder)
