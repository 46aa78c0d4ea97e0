"""Intake under faults: the database lost or killed at every statement, and a cloned request.

Nothing lost, nothing twice, a clear error, and it goes on by itself.
"""

import itertools
import os
import random
import signal
import threading
import time
from contextlib import closing

import psycopg
import pytest

from firmware.journal.receipt import read_receipt
from office import folder
from office.check import check
from office.database import StoreLost
from office.errors import OfficeError, Refused
from office.folder import Folder
from office.intake import PAUSES_S, Intake
from tests import postgres_rig
from tests.office_rig import DATABASES, Terminal, enrol, made_office
from tests.waiting import until

METHODS = ("execute", "execute_all", "load", "begin", "commit", "lock_rows", "prefer_indexes")
AFTER_COMMIT = 0


class Striking:
    """Calls `strike` before the n-th call of a database, or directly after its commit."""

    def __init__(self, database, at, strike):
        self._database, self._at, self._strike = database, at, strike
        self._calls, self._is_lost = 0, False

    def __getattr__(self, name):
        method = getattr(self._database, name)
        if name not in METHODS:
            return method

        def counted(*arguments):
            self._calls += 1
            if self._at == self._calls:
                self._strike()
            result = method(*arguments)
            if self._at == AFTER_COMMIT and name == "commit" and not self._is_lost:
                self._is_lost = True
                self._strike()
                raise StoreLost("the answer to COMMIT was lost")
            return result

        return counted


def files(unit, count=2):
    """So many batches of a new unit, one purchase each."""
    terminal = Terminal(unit, seed=random.Random(unit).randrange(1, 250))
    made = []
    for serial in range(count):
        terminal.purchase(f"{unit}-{serial}", card=terminal.signer.public_key[0], serial=serial)
        made.append((unit, terminal.batch()))
    return terminal, made


def whole(office, batches, records):
    found = check(office)
    assert found.problems == []
    assert found.missing == []
    counted = office.store.row("SELECT count(*) FROM batches"), found.records, found.verified
    assert counted == ((batches,), records, records)


def test_sqlite_killed_at_every_statement(tmp_path):
    """SIGKILL of the whole process directly after the commit, and before each call."""
    with closing(made_office(tmp_path)) as office:
        for at in itertools.count(AFTER_COMMIT):
            terminal, made = files(f"unit-{at}")
            enrol(office, terminal)
            if not (child := os.fork()):
                _killed_in_child(office.path, made, at)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            again = Intake(office).take(made)
            is_stored = at == AFTER_COMMIT or code == 0
            assert [each.is_new for each in again] == [not is_stored] * 2
            if code == 0:  # there is no such call
                break
            assert code == -signal.SIGKILL
        assert at > 15
        whole(office, 2 * (at + 1), 4 * (at + 1))


def _killed_in_child(path, made, at):
    code = 1
    try:
        office = Folder(path)
        intake = Intake(office)
        database = office.store.database
        office.store.database = Striking(database, at, lambda: os.kill(os.getpid(), signal.SIGKILL))
        code = int(any(isinstance(each, Refused) for each in intake.take(made)))
    finally:
        os._exit(code)


def test_postgresql_connection_lost_at_every_statement(tmp_path):
    """The server ends the connection directly after the commit, and before each call; the intake
    connects again by itself and nothing is lost or twice."""
    with closing(made_office(tmp_path, "postgresql")) as office:
        real = office.store.database
        for at in itertools.count(AFTER_COMMIT):
            terminal, made = files(f"unit-{at}")
            enrol(office, terminal)
            pauses, struck = [], []
            intake = Intake(office, pause=pauses.append)

            def strike(struck=struck):
                struck.append(end_connection(real))

            office.store.database = Striking(real, at, strike)
            results = intake.take(made)
            office.store.database = real
            assert not any(isinstance(each, Refused) for each in results)
            assert len(pauses) == len(struck)
            assert [each.is_new for each in results] == [at != AFTER_COMMIT] * 2
            if not struck:  # there is no such call
                break
        assert at > 15
        whole(office, 2 * (at + 1), 4 * (at + 1))


def end_connection(database):
    """As an administrator, or a restart of the server, would."""
    with psycopg.connect(database._info, autocommit=True) as other:
        pid = database._db.info.backend_pid
        other.execute("SELECT pg_terminate_backend(%s)", (pid,))
        sql = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"
        until(lambda: other.execute(sql, (pid,)).fetchone() is None)


def test_a_postgresql_that_stays_away_is_error_909_after_a_bounded_while(tmp_path):
    with closing(made_office(tmp_path, "postgresql")) as office:
        terminal, made = files("unit-1")
        enrol(office, terminal)
        pauses = []
        intake = Intake(office, pause=pauses.append)
        office.store.database._info = "host=127.0.0.1 port=1 user=nobody password=hunter2"
        end_connection_of(office)
        with pytest.raises(OfficeError) as caught:
            intake.take(made)
        assert caught.value.number == 909
        assert "hunter2" not in caught.value.lines
        assert len(pauses) == len(PAUSES_S)
        assert all(0 < pause <= most for pause, most in zip(pauses, PAUSES_S, strict=True))


def end_connection_of(office):
    office.store.database.close()


@pytest.mark.parametrize("kills", [2])
def test_postgresql_killed_while_loading(tmp_path, kills):
    """kill -9 of the whole server, again and again, under two collectors that go on loading."""
    if reason := postgres_rig.missing():
        pytest.skip(reason)
    server = postgres_rig.Postgres()
    try:
        folder.init(tmp_path / "office", "Office 1", server.new_database())
        made = {}
        with closing(Folder(tmp_path / "office")) as office:
            for name in ("a", "b"):
                terminal, made[name] = files(f"unit-{name}", 80)
                enrol(office, terminal)
        receipts, threads = {name: [] for name in made}, []
        for name in made:
            arguments = (tmp_path / "office", name, made[name], receipts[name])
            threads.append(threading.Thread(target=_load, args=arguments))
            threads[-1].start()
        for _ in range(kills):
            time.sleep(0.3)
            server.kill()
            server.start()
        for each in threads:
            each.join(60)
            assert not each.is_alive()
        with closing(Folder(tmp_path / "office")) as office:
            for name in made:
                assert len(receipts[name]) == 80
                rows = office.store.rows(
                    "SELECT receipt FROM batches WHERE unit = ? ORDER BY batch", f"unit-{name}"
                )
                assert [receipt for (receipt,) in rows] == receipts[name]
            whole(office, 160, 320)
    finally:
        server.remove()


def _load(path, collector, made, receipts):
    with closing(Folder(path)) as office:
        intake = Intake(office, collector, pause=lambda s: time.sleep(max(s, 0.1)))
        for file in made:
            (taken,) = _patiently(intake, file)
            receipts.append(taken.receipt)
            time.sleep(0.005)


def _patiently(intake, file):
    def taken():
        try:
            return intake.take([file])
        except StoreLost:
            return None

    return until(taken, lambda: "the server stayed away")


@pytest.mark.parametrize("database", DATABASES)
def test_two_collectors_take_the_same_batches_at_the_same_time(tmp_path, database):
    """Each batch is booked once; both answer with the one receipt."""
    with closing(made_office(tmp_path, database)) as office:
        terminals, made = zip(*(files(f"unit-{at}", 3) for at in range(6)), strict=True)
        for each in terminals:
            enrol(office, each)
        answers = {}

        def work(collector, order):
            with closing(Folder(office.path)) as own:
                answers[collector] = Intake(own, collector).take(order)

        listed = [file for each in made for file in each]
        backwards = [file for each in reversed(made) for file in each]
        threads = [
            threading.Thread(target=work, args=each) for each in (("a", listed), ("b", backwards))
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join(60)
        found = {}
        for answer in (*answers["a"], *answers["b"]):
            found.setdefault((answer.unit, answer.batch), set()).add(answer.receipt)
        assert len(found) == 18
        assert all(len(each) == 1 for each in found.values())
        whole(office, 18, 36)
        issuers = {read_receipt(each.pop()).issuer for each in found.values()}
        assert issuers <= {"Office 1/a", "Office 1/b"}


def test_one_bad_file_does_not_spoil_the_others(tmp_path):
    with closing(made_office(tmp_path)) as office:
        terminal, made = files("unit-1", 3)
        enrol(office, terminal)
        spoilt = made[1][1][:-1] + bytes([made[1][1][-1] ^ 1])
        results = Intake(office).take([made[0], ("unit-1", spoilt), made[1], ("x", b""), made[2]])
        numbers = [each.number if isinstance(each, Refused) else each.batch for each in results]
        assert numbers == [1, 802, 2, 801, 3]
        assert len(list(office.refused.glob("*.batch"))) == 2


def test_a_row_that_is_there_already_stops_only_its_own_batch(tmp_path):
    """Somebody put a row into the store by hand: the others of the group are booked."""
    with closing(made_office(tmp_path)) as office:
        (one, good), (two, other) = files("unit-1", 1), files("unit-2", 1)
        enrol(office, one)
        enrol(office, two)
        office.store.write("INSERT INTO records VALUES ('unit-2', 1, 9, 1, 0, 0, 0, NULL, NULL)")
        results = Intake(office).take([*good, *other])
        assert results[0].is_new
        assert (type(results[1]), results[1].number) == (Refused, 804)


def test_a_server_without_fsync_is_refused(tmp_path):
    if reason := postgres_rig.missing():
        pytest.skip(reason)
    server = postgres_rig.Postgres({"fsync": "off"})
    try:
        with pytest.raises(OfficeError) as caught:
            folder.init(tmp_path / "office", "Office 1", server.new_database())
        assert (caught.value.number, "fsync" in caught.value.detail) == (909, True)
    finally:
        server.remove()


@pytest.mark.parametrize(
    "url", ["postgresql://ssc:hunter2@127.0.0.1:1/x", "postgresql://ssc:hunter2@[bad/x"]
)
def test_the_password_stands_in_no_message(tmp_path, url, capfd):
    with pytest.raises(OfficeError) as caught:
        folder.init(tmp_path / "office", "Office 1", url)
    assert "hunter2" not in caught.value.lines + repr(caught.value) + capfd.readouterr().err
    assert not (tmp_path / "office" / "office.toml").exists()


def test_the_url_is_kept_for_its_owner_only(tmp_path):
    with closing(made_office(tmp_path, "postgresql")) as office:
        kept = office.path / "office.toml"
        assert kept.stat().st_mode & 0o777 == 0o600
        kept.chmod(0o640)
        with pytest.raises(OfficeError) as caught:
            Folder(office.path)
        assert caught.value.number == 910


def test_a_lost_database_is_told_from_a_wrong_statement(tmp_path):
    with closing(made_office(tmp_path, "postgresql")) as office:
        with pytest.raises(OfficeError) as caught:
            office.store.rows("SELECT nothing FROM nowhere")
        assert not isinstance(caught.value, StoreLost)
        assert caught.value.number == 909
