"""Every act of the office says the same over SQLite and over PostgreSQL."""

import json
from contextlib import closing

import pytest

from firmware.journal.kinds import KIND_DECLINED, KIND_UNCERTAIN, KIND_VOID
from firmware.journal.receipt import read_receipt
from office import serving, status
from office.__main__ import main
from office.folder import Folder
from tests import postgres_rig
from tests.office_rig import DATABASES, Terminal, enrol, intent_body, made_office, take

ACTS = (
    ("day", "--json"),
    ("check", "--json"),
    ("check", "--deep", "--json"),
    ("report", "--json"),
    ("resolve", "--json"),
    ("keys",),
    ("stop-list", "add", "--card", f"{'00' * 16}:A1:2", "--out", "OUT"),
    ("stop-list", "import", "--csv", "CSV", "--out", "OUT"),
    ("stop-list", "remove", "--card", f"{'11' * 16}:A2", "--out", "OUT"),
    ("stop-list", "make", "--out", "OUT"),
    ("operators", "make", "--out", "OUT"),
    ("revoke", "unit-2", "--since", "2026-11-22", "--json"),
    ("check", "--json"),
    ("reinstate", "unit-2", "--json"),
    ("export", "--csv", "OUT"),
    ("day", "--date", "2026-11-22", "--json"),
)


def fill(office):
    """Two units; one batch missing between two, a purchase twice, an UNCERTAIN one."""
    one, two = Terminal("unit-1"), Terminal("unit-2", seed=2)
    for each in (one, two):
        enrol(office, each)
        each.purchase("A1", serial=1)
        each.add(KIND_DECLINED, {1: "A2", 2: "clerk", 22: 5, 23: 0, 24: 0, 36: 108})
        take(office, each.unit, each.batch())
        torn = each.add(1, intent_body("A3", serial=2))
        each.add(KIND_UNCERTAIN, {30: torn, 36: 502})
        missing = each.batch()
        void = each.add(1, intent_body("A4", serial=3))
        each.add(KIND_VOID, {30: void, 36: 501})
        take(office, each.unit, each.batch())
    take(office, "unit-2", missing)


@pytest.mark.skipif(postgres_rig.missing() is not None, reason="PostgreSQL is not installed")
def test_every_act_says_the_same_over_both_databases(tmp_path, capsys):
    said = {}
    (tmp_path / "cards.csv").write_text(f"card_id,card_number,state\n{'11' * 16},A2,2\n")
    for database in DATABASES:
        place = tmp_path / database
        place.mkdir()
        with closing(made_office(place, database)) as office:
            fill(office)
        assert isinstance(office, Folder)
        for act in ACTS:
            names = {"OUT": str(tmp_path / "out"), "CSV": str(tmp_path / "cards.csv")}
            ended = main([*(names.get(each, each) for each in act), "--dir", str(office.path)])
            told = capsys.readouterr()
            said.setdefault(database, []).append((act, ended, plain(told.out), told.err))
    assert said["sqlite"] == said["postgresql"]
    assert not any("Error" in err for *_, err in said["sqlite"])


def plain(text):
    """Without what depends on the clock or on random keys."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    if isinstance(found, dict):
        for name in ("office", "made", "now"):
            found.pop(name, None)
    return found


@pytest.mark.skipif(postgres_rig.missing() is not None, reason="PostgreSQL is not installed")
def test_an_office_is_made_over_a_database_by_its_url(tmp_path, capsys):
    url = postgres_rig.shared().new_database()
    assert main(["init", str(tmp_path / "one"), "--store", url]) == 0
    assert not (tmp_path / "one" / "office.db").exists()
    assert main(["check", "--json", "--dir", str(tmp_path / "one")]) == status.NOTHING
    assert main(["init", str(tmp_path / "two"), "--store", url]) == status.FAILED
    assert "Error 902" in capsys.readouterr().err
    assert (
        main(["init", str(tmp_path / "two"), "--store", "postgresql://x@127.0.0.1:1/x"])
        == status.FAILED
    )
    assert "Error 909" in capsys.readouterr().err
    assert not (tmp_path / "two").exists()


@pytest.mark.parametrize("url", ["mysql://x/y", "office.db"])
def test_another_kind_of_address_is_said(tmp_path, capsys, url):
    assert main(["init", str(tmp_path / "office"), "--store", url]) == status.FAILED
    assert "Error 922" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["store = 5", "store = 'mysql://x'", "other = 1", "= ="])
def test_settings_that_are_wrong_are_said(tmp_path, capsys, text):
    with closing(made_office(tmp_path)) as office:
        kept = office.path / "office.toml"
        kept.touch(mode=0o600)
        kept.write_text(text)
    assert main(["check", "--dir", str(office.path)]) == status.FAILED
    assert "Error 922" in capsys.readouterr().err


def test_each_collector_has_its_own_tree(tmp_path):
    """A unit that goes to another collector gets receipts of another issuer, from its first."""
    with closing(made_office(tmp_path)) as office:
        terminal = Terminal()
        enrol(office, terminal)
        issuers = []
        for serial, name in enumerate(("east", "west", "east")):
            terminal.purchase(f"A{serial}", serial=serial)
            with serving.open_intake(office.path, name) as intake:
                (taken,) = intake.take([("unit-1", terminal.batch())])
            receipt = read_receipt(taken.receipt)
            issuers.append((receipt.issuer, receipt.size, receipt.consistency is not None))
        assert issuers == [
            ("Office 1/east", 1, False),
            ("Office 1/west", 1, False),
            ("Office 1/east", 2, True),
        ]


def test_a_collectors_name_is_a_plain_one(tmp_path, capsys):
    with closing(made_office(tmp_path)) as office:
        where = ["--dir", str(office.path), "--listen", "127.0.0.1:0"]
    assert main(["serve", "--collector", "a/b", *where]) == status.FAILED
    assert "Error 930" in capsys.readouterr().err
