"""The back-office day through `sscoffice` itself: real journal, real serial line, real HTTP."""

import csv
import io
import json
import threading
from pathlib import Path

import pytest

from firmware.clock import Clock
from firmware.drivers.uart import open_uart
from firmware.journal import batch, spool
from firmware.journal.devicekey import DeviceKey
from firmware.journal.enrolment import make_enrolment
from firmware.journal.receipt import ReceiptError, accept_receipt
from firmware.journal.signedfile import signed_file
from firmware.journal.store import Journal
from firmware.uplink import process
from firmware.uplink.http import UplinkServer
from firmware.uplink.spool import Spool
from office.__main__ import main
from office.errors import ROWS
from office.folder import Folder
from tests.board_parts import links
from tests.faulty_line import FaultyLine
from tests.office_rig import T0_MS, done_body, intent_body, spoil
from tests.waiting import SOON_S


class Unit:
    """A journal and its uplink, in one folder."""

    def __init__(self, data_dir, name="unit-1"):
        spool.make_folders(data_dir)
        self.data_dir = data_dir
        self.key = DeviceKey.load_or_create(data_dir / "device.key")
        now = iter(range(T0_MS // 1000, T0_MS // 1000 + 100_000))
        self.journal = Journal.open(
            data_dir / "journal.db",
            signer=self.key,
            unit=name,
            profile=1,
            clock=Clock(has_rtc=True, trust_h=24, wall=lambda: next(now)),
        )
        self.request = data_dir / "enrolment.cose"
        self.request.write_bytes(
            make_enrolment(unit=name, region="110000", time_ms=T0_MS, signer=self.key)
        )

    def purchase(self, order, serial):
        intent = self.journal.append(1, intent_body(order, serial=serial)).number
        self.journal.append(2, done_body(intent))

    def seal(self):
        batch.seal(self.journal)
        batch.put_out(self.journal)

    def accept(self, office_pub):
        """What the card process does with up/; the errors of receipts it refused."""
        refused = []
        for _, path in spool.receipts(self.data_dir):
            try:
                accept_receipt(self.journal, path.read_bytes(), office_pub)
            except ReceiptError as error:
                refused.append(str(error))
        return refused

    @property
    def waiting(self):
        return [number for number, _ in spool.batches(self.data_dir)]


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """run(args...) -> (exit status, stdout, stderr), in the office's folder."""
    monkeypatch.setenv("SSCOFFICE_DIR", str(tmp_path / "office"))

    def run(*args):
        status = main([str(each) for each in args])
        out = capsys.readouterr()
        return status, out.out, out.err

    assert run("init", tmp_path / "office", "--name", "Office 1")[0] == 0
    return run


@pytest.fixture
def office_pub(run, tmp_path):
    return bytes.fromhex((tmp_path / "office" / "office.pub").read_text().split()[0])


@pytest.fixture
def unit(tmp_path, run):
    unit = Unit(tmp_path / "unit")
    assert run("enrol", unit.request, "--yes")[0] == 0
    for serial in range(1, 4):
        unit.purchase(f"A{serial}", serial)
    unit.seal()
    yield unit
    unit.journal.close()


@pytest.fixture
def line(unit, monkeypatch):
    """--serial DEVICE to a running uplink."""
    monkeypatch.setattr("firmware.uplink.serial._READ_TIMEOUT_S", 0.05)
    monkeypatch.setattr("office.line.TIMEOUT_S", 0.3)
    stop = threading.Event()
    with FaultyLine() as line:
        thread = threading.Thread(
            target=process.run,
            args=(
                "unit-1",
                unit.data_dir,
                links(),
                lambda: open_uart(line.unit, 115200),
                stop,
            ),
            daemon=True,
        )
        thread.start()
        yield "--serial", line.office
        stop.set()
        thread.join(SOON_S)


@pytest.fixture
def web(unit):
    """--http URL of a running uplink."""
    server = UplinkServer("unit-1", Spool(unit.data_dir), "127.0.0.1:0")
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield "--http", f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def checked(run):
    status, out, _ = run("check", "--json")
    result = json.loads(out)
    assert (status == 0) == result["ok"]
    return result


def test_a_day_over_the_serial_line(run, unit, line, office_pub):
    """Pull, verify, store, receipt; the terminal marks its records only by that receipt."""
    status, out, err = run("pull", *line, "--unit", "unit-1")
    assert (status, "1: " in err) == (0, True)
    assert unit.waiting == [1]
    assert unit.accept(office_pub) == []
    assert unit.waiting == []
    result = checked(run)
    assert (result["records"], result["verified"], result["gaps"]) == (6, 6, 0)
    assert result["purchases"]["done"] == 3
    status, out, _ = run("day")
    assert status == 0
    lines = out.splitlines()
    assert lines[0] == "2026-11-22 (UTC+8)"
    assert len(lines) == 2 + 6 + 3
    assert "A3" in lines[7]
    assert "DONE" in lines[7]
    assert "12.50" in lines[7]
    assert "1 APPROVED" in lines[7]
    assert lines[7].endswith("✓")
    assert "account 37.50" in lines[-2]
    assert lines[-1] == "TAC: not checked 3"


def test_a_listening_office_pulls_and_then_waits(run, unit, line, web):
    """--listen: each pull is told; over HTTP nobody announces."""
    status, out, _ = run("pull", *line, "--json", "--listen", "0.3")
    pulls = [json.loads(each) for each in out.splitlines()]
    assert (status, pulls[0]["batches"], pulls[0]["records"]) == (0, 1, 6)
    status, _, err = run("pull", *web, "--listen", "0.3")
    assert (status, "Error 706" in err) == (1, True)


def test_a_pull_over_http_and_again(run, unit, web, office_pub, tmp_path):
    """A lost receipt: the batch is not fetched again and gets the same receipt bytes."""
    receipt = unit.data_dir / "up" / "00000001.receipt"
    assert json.loads(run("pull", *web, "--json")[1])["batches"] == 1
    first = receipt.read_bytes()
    receipt.unlink()
    again = json.loads(run("pull", *web, "--json")[1])
    assert (again["batches"], again["repeated"]) == (0, 1)
    assert receipt.read_bytes() == first
    receipt.unlink()
    assert json.loads(run("pull", *web, "--all", "--json")[1])["repeated"] == 1
    assert receipt.read_bytes() == first
    assert unit.accept(office_pub) == []
    assert checked(run)["records"] == 6
    assert list((tmp_path / "office" / "partial").iterdir()) == []


def test_a_receipt_by_a_stranger_is_refused_by_the_terminal(run, unit, web, tmp_path, office_pub):
    """Another office, properly enrolled with its own key, receipts first: nothing is marked."""
    other = tmp_path / "other"
    main(["init", str(other)])
    main(["enrol", str(unit.request), "--yes", "--dir", str(other)])
    assert main(["pull", *web, "--dir", str(other)]) == 0
    assert unit.accept(office_pub) == ["signed by another key"]
    assert unit.waiting == [1]
    assert run("pull", *web)[0] == 0
    assert unit.accept(office_pub) == []
    assert unit.waiting == []


def test_a_spoilt_batch_is_kept_aside_and_the_next_one_still_comes(run, unit, web, tmp_path):
    unit.purchase("A4", 4)
    unit.seal()
    path = spool.batch_path(unit.data_dir, 1)
    raw = bytearray(path.read_bytes())
    raw[200] ^= 1
    path.write_bytes(raw)
    status, out, err = run("pull", *web, "--json")
    assert status == 1
    result = json.loads(out)
    assert [each["error"] for each in result["refused"]] == [802]
    assert result["batches"] == 1
    assert "错误 802" in err
    assert "Next: Do not book it" in err
    assert not (unit.data_dir / "up" / "00000001.receipt").exists()
    assert [p.read_bytes() for p in (tmp_path / "office" / "refused").glob("*.batch")] == [raw]
    assert checked(run)["missing"] == [["unit-1", 1, 6]]


def test_an_unknown_unit_is_refused_until_it_is_enrolled(run, unit, web, tmp_path):
    other = tmp_path / "other"
    main(["init", str(other)])
    assert main(["pull", *web, "--dir", str(other)]) == 1
    assert len(list((other / "refused").glob("*.batch"))) == 1
    main(["enrol", str(unit.request), "--yes", "--dir", str(other)])
    assert main(["pull", *web, "--dir", str(other)]) == 0


def test_another_unit_than_expected_is_not_pulled(run, unit, web):
    status, _, err = run("pull", *web, "--unit", "unit-2")
    assert status == 1
    assert "Error 705" in err


def test_a_stop_list_goes_down_the_line(run, unit, line, office_pub, tmp_path):
    out = tmp_path / "list.cose"
    assert run("stop-list", "add", "--card", "AB" * 16 + ":A1", "--range", "A10-A19",
               "--psam", "010203040506", "--out", out)[0] == 0  # fmt: skip
    assert run("push", out, *line)[0] == 0
    came = signed_file((unit.data_dir / "down" / "stoplist.cose").read_bytes(), office_pub)
    assert (came.what, came.number) == ("stoplist", 1)
    assert came.body == {
        1: [[b"\xab" * 16, "A1"]], 2: [["A10", "A19"]], 3: [bytes.fromhex("010203040506")],
    }  # fmt: skip


def test_a_stop_list_number_only_grows(run, tmp_path, office_pub):
    out = tmp_path / "list.cose"
    numbers = []
    for args in (["make"], ["add", "--card", "AB" * 16], ["remove", "--card", "AB" * 16], ["make"]):
        assert run("stop-list", *args, "--out", out)[0] == 0
        numbers.append(signed_file(out.read_bytes(), office_pub).number)
    assert numbers == [1, 2, 3, 4]
    assert signed_file(out.read_bytes(), office_pub).body == {1: [], 2: [], 3: []}


@pytest.mark.parametrize(
    "wrong",
    [["add", "--card", "AB"], ["add", "--range", "A19-A10"], ["add", "--range", "A1-A10"],
     ["add", "--psam", "xx"], ["remove", "--psam", "010203040506"], ["add"],
     ["make", "--psam", "010203040506"]],
)  # fmt: skip
def test_a_wrong_entry_changes_nothing(run, tmp_path, wrong):
    status, _, err = run("stop-list", *wrong, "--out", tmp_path / "list.cose")
    assert status == 1
    assert "Error 907" in err
    assert not (tmp_path / "list.cose").exists()


def test_a_file_of_another_office_is_not_pushed(run, unit, web, tmp_path):
    other, out = tmp_path / "other", tmp_path / "list.cose"
    main(["init", str(other)])
    main(["stop-list", "make", "--out", str(out), "--dir", str(other)])
    status, _, err = run("push", out, *web)
    assert (status, "Error 908" in err) == (1, True)
    assert list((unit.data_dir / "down").iterdir()) == []


def test_enrolment_asks_and_is_not_replaced_in_silence(run, tmp_path, monkeypatch):
    one, two = Unit(tmp_path / "one"), Unit(tmp_path / "two")
    monkeypatch.setattr("sys.stdin", io.StringIO("no\n"))
    status, out, err = run("enrol", one.request)
    assert (status, "Error 905" in err) == (1, True)
    assert "key id: " in out
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    assert run("enrol", one.request)[0] == 0
    assert run("enrol", one.request)[0] == 2
    status, _, err = run("enrol", two.request, "--yes")
    assert (status, "Error 904" in err) == (1, True)
    assert run("enrol", two.request, "--yes", "--new-key")[0] == 0
    forged = bytearray(one.request.read_bytes())
    forged[-1] ^= 1
    one.request.write_bytes(forged)
    status, _, err = run("enrol", one.request, "--yes")
    assert (status, "Error 903" in err) == (1, True)
    one.journal.close()
    two.journal.close()


def test_export_for_a_spreadsheet(run, unit, web, tmp_path):
    unit.journal.append(8, {1: "=1+1", 2: "clerk", 22: 5, 23: 0, 24: 0, 36: 108})
    unit.seal()
    run("pull", *web)
    out = tmp_path / "all.csv"
    assert run("export", "--csv", out)[0] == 0
    rows = list(csv.DictReader(out.open(encoding="utf-8-sig")))
    assert len(rows) == 7
    assert (rows[5]["kind"], rows[5]["order"], rows[5]["account"]) == ("DONE", "A3", "12.50")
    assert (rows[6]["order"], rows[6]["outcome"]) == ("'=1+1", "108 CARD_ON_STOP_LIST")


def test_a_day_shows_a_record_that_no_longer_verifies(run, unit, web, tmp_path):
    run("pull", *web)
    office = Folder(tmp_path / "office")
    spoil(office.store, office.store.units()[0], 4)
    office.close()
    status, out, _ = run("day", "--json")
    assert status == 1
    result = json.loads(out)
    assert [row["verified"] for row in result["rows"]] == [True] * 3 + [False] * 2 + [True]
    assert result["summary"]["verified"] == 4


def test_what_is_no_office_is_said(tmp_path, capsys):
    assert main(["check", "--dir", str(tmp_path)]) == 3
    assert "Error 901" in capsys.readouterr().err


def test_a_wrong_date_is_said(run):
    status, _, err = run("day", "--date", "22.11.2026")
    assert (status, "Error 906" in err) == (1, True)


def test_no_answer_is_said(run, monkeypatch):
    monkeypatch.setattr("office.line.TIMEOUT_S", 0.02)
    with FaultyLine() as line:
        status, _, err = run("pull", "--serial", line.office)
    assert (status, "错误 702" in err) == (1, True)
    status, _, err = run("pull", "--serial", "/dev/no-such-line")
    assert (status, "错误 701" in err) == (1, True)


def test_pulls_stay_exact_once_over_a_bad_line(run, unit, office_pub, monkeypatch):
    """Noise, repeated pulls, new records between them: each record is stored exactly once."""
    monkeypatch.setattr("firmware.uplink.serial._READ_TIMEOUT_S", 0.02)
    monkeypatch.setattr("office.line.TIMEOUT_S", 0.06)
    monkeypatch.setattr("office.line.ATTEMPTS", 40)
    stop = threading.Event()
    with FaultyLine(seed=7, faults=0.06) as line:
        args = ("unit-1", unit.data_dir, links(), lambda: open_uart(line.unit, 115200), stop)
        thread = threading.Thread(target=process.run, args=args, daemon=True)
        thread.start()
        for serial in range(4, 8):
            assert run("pull", "--serial", line.office)[0] == 0
            if serial % 2:  # every second receipt is lost
                assert unit.accept(office_pub) == []
            unit.purchase(f"A{serial}", serial)
            unit.seal()
        assert run("pull", "--serial", line.office)[0] == 0
        stop.set()
        thread.join(SOON_S)
        assert line.spoilt > 0
    assert unit.accept(office_pub) == []
    assert unit.waiting == []
    result = checked(run)
    assert (result["ok"], result["records"], result["verified"]) == (True, 14, 14)


def test_the_page_for_the_back_office_lists_every_error():
    page = (Path(__file__).resolve().parents[1] / "docs" / "backoffice.md").read_text()
    for number, row in ROWS.items():
        cause = f"| {number} | {row.cause_zh} · {row.cause_en} |"
        assert f"{cause} {row.next_zh} · {row.next_en} |" in page
