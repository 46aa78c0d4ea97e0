"""A revoked unit is refused on every link, with its number; what it sent is kept, not booked."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from firmware.journal.signedfile import make_signed_file
from firmware.uplink.drop import DropLink
from firmware.uplink.push import Barred
from office import quarantine
from office.__main__ import main
from office.folder import Folder
from tests.link_rig import Office, Unit
from tests.nats_rig import NatsServer, link_of, messages, pull, running
from tests.office_rig import T0_MS
from tests.waiting import until


@pytest.fixture
def office(tmp_path):
    made = Office(tmp_path / "office")
    yield made
    if made.process is not None and made.process.poll() is None:
        made.end()


@pytest.fixture
def unit(office, tmp_path):
    """Revoked since its first record, with one sealed batch; its stop is signed."""
    made = Unit(office, tmp_path)
    made.seal(0)
    with contextlib.closing(Folder(office.path)) as folder:
        quarantine.revoke(folder.store, "unit-1", T0_MS)
        body = {1: "unit-1", 2: True, 3: "stolen"}
        stop = make_signed_file(
            what="unitstop", number=1, issued_ms=T0_MS, body=body, signer=folder.signer
        )
        folder.store.write("INSERT INTO signed_files VALUES (?, ?, ?)", "unitstop", 1, stop)
    made.stop = stop
    entry = "00" * 16 + ":A00000001"
    command = ["stop-list", "add", "--dir", str(office.path), "--card", entry]
    assert main([*command, "--out", str(tmp_path / "list")]) == 0
    return made


def kept(office):
    """(batches in quarantine, records in the books)."""
    db = sqlite3.connect(office.path / "office.db")
    count = "SELECT count(*) FROM batches WHERE quarantined IS NOT NULL"
    found = (
        db.execute(count).fetchone()[0],
        db.execute("SELECT count(*) FROM records").fetchone()[0],
    )
    db.close()
    return found


def test_https_answers_403_and_still_hands_down_the_stop(office, unit):
    """Nothing else comes down: the stop list is not for a stolen unit."""
    office.start()
    with pytest.raises(Barred, match=r"^808 "):
        unit.link(office).send(*unit.spool.whole(1))
    unit.push(office)
    assert unit.receipts() == []
    down = unit.data_dir / "down"
    assert [each.name for each in down.iterdir()] == ["unitstop.cose"]
    assert (down / "unitstop.cose").read_bytes() == unit.stop
    assert kept(office) == (1, 0)


def test_nats_ends_the_message_and_tells_why(office, unit, tmp_path, capsys, caplog):
    with NatsServer(tmp_path / "nats") as server:
        pull(office, server, capsys)
        with running(link_of(unit, server.url, poll_s=1)):
            until(lambda: messages(server) == 1)
            status, told = pull(office, server, capsys)
            assert (status, [each["error"] for each in told["refused"]]) == (1, [808])
            until(lambda: "batch 1 is refused: 808" in caplog.text)
            until(lambda: (unit.data_dir / "down" / "unitstop.cose").exists())
        assert pull(office, server, capsys)[1]["refused"] == []
    assert unit.receipts() == []
    assert kept(office) == (1, 0)


def test_a_stick_comes_back_without_receipts(office, unit, tmp_path, capsys):
    stick = tmp_path / "stick"
    (stick / "ssc-drop").mkdir(parents=True)
    link = DropLink("unit-1", unit.spool, stick)
    link.visit("w")
    assert main(["pull", "--dir", str(office.path), "--folder", str(stick), "--json"]) == 1
    assert '"error": 808' in capsys.readouterr().out
    link.visit("w")
    assert unit.receipts() == []
    assert (unit.data_dir / "down" / "unitstop.cose").read_bytes() == unit.stop
    assert kept(office) == (1, 0)
