"""What the page asks of its server: who may ask, what it answers of a store with everything wrong,
and that the server changes nothing (issue C, 7)."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import socket
import ssl
import stat
import threading

import pytest

from firmware.journal.kinds import KIND_INTENT, KIND_PSAM_SEEN, KIND_START, KIND_UNCERTAIN
from office import quarantine
from office.dashboard import pages, views
from office.database import StoreLost
from office.errors import OfficeError, Refused
from office.report import report
from tests.dashboard_rig import Served
from tests.link_rig import Office, Unit
from tests.office_rig import (
    DATABASES,
    T0_MS,
    Terminal,
    enrol,
    intent_body,
    made_office,
    take,
)
from tests.waiting import SOON_S

LATER_MS = T0_MS + 26 * 3_600_000


def filled(tmp_path, database="sqlite"):
    """unit-1: a gap, an UNCERTAIN, forked; unit-2: the same purchase again; unit-3: revoked."""
    office = made_office(tmp_path, database)
    one, two, three = (Terminal(f"unit-{n}", n) for n in (1, 2, 3))
    for each in (one, two, three):
        enrol(office, each)
    one.add(KIND_START, {53: one.signer.public_key, 54: "1.2.3", 55: bytes(16)})
    one.add(KIND_PSAM_SEEN, {3: bytes.fromhex("510100000001"), 4: bytes(4), 41: True})
    one.purchase("A1", serial=1, fen=1250)
    take(office, "unit-1", one.batch())
    one.purchase("A2", serial=2)
    one.batch()  # never comes
    intent = one.add(KIND_INTENT, intent_body("A3", serial=3, fen=700))
    one.add(KIND_UNCERTAIN, {30: intent, 36: 501})
    one.purchase("A4", serial=4, fen=5)
    take(office, "unit-1", one.batch(), LATER_MS)
    two.purchase("B1", serial=1)
    take(office, "unit-2", two.batch())
    three.purchase("C1", card=3)
    take(office, "unit-3", three.batch())
    quarantine.revoke(office.store, "unit-3", T0_MS)
    twin = Terminal("unit-1", 1)
    twin.purchase("F1", serial=9)
    with pytest.raises(Refused, match="809"):
        take(office, "unit-1", twin.batch())
    return office


@pytest.mark.parametrize("database", DATABASES)
def test_everything_that_does_not_fit_is_found(tmp_path, database):
    office = filled(tmp_path, database)
    found = views.Views(office).findings()
    rows = {name: each["rows"] for name, each in found.items()}
    assert rows["gaps"] == [{"unit": "unit-1", "first": 5, "last": 6}]
    assert rows["duplicates"] == [
        {"unit": "unit-1", "number": 4, "other_unit": "unit-2", "other_number": 2}
    ]
    assert [(each["unit"], each["batch"]) for each in rows["forks"]] == [("unit-1", 1)]
    assert rows["quarantined"] == [{"unit": "unit-3", "batch": 1, "why": "revoked"}]
    assert [(each["unit"], each["batch"]) for each in rows["late"]] == [("unit-1", 3)]
    assert rows["uncertain"] == [{"unit": "unit-1", "number": 7}]
    assert all(each["count"] == len(each["rows"]) for each in found.values())
    office.close()


@pytest.mark.parametrize("database", DATABASES)
def test_a_day_by_site_is_what_the_report_says(tmp_path, database):
    office = filled(tmp_path, database)
    shown = views.Views(office).sites()
    wanted = [
        {name: value for name, value in each.items() if name not in ("day", "loaded_fen")}
        for each in report(office.store).to_json()["sites"]
    ]
    assert shown["sites"] == wanted
    assert shown["date"] == "2026-11-22"
    assert shown["total"]["done"] == 3
    assert shown["total"]["account_fen"] == 1250 + 5 + 1250
    assert views.Views(office).sites("2026-11-21")["sites"] == []
    office.close()


@pytest.mark.parametrize("database", DATABASES)
def test_units_with_what_is_known_of_each(tmp_path, database, monkeypatch):
    office = filled(tmp_path, database)
    asked = views.Views(office)
    one, two, three = asked.units()["units"]
    assert (one["firmware"], one["psam"]) == ("1.2.3", "510100000001")
    assert (one["missing"], one["last"], one["findings"]) == (2, 10, 1)
    assert one["seen_ms"] == LATER_MS
    assert (two["firmware"], two["psam"], two["missing"]) == (None, None, 0)
    assert (two["revoked_ms"], three["revoked_ms"]) == (None, T0_MS)
    monkeypatch.setattr(views, "UNITS", 2)
    first = asked.units()
    assert (len(first["units"]), first["is_more"], first["count"]) == (2, True, 3)
    second = asked.units("unit-2")
    assert ([each["unit"] for each in second["units"]], second["is_more"]) == (["unit-3"], False)
    monkeypatch.setattr(views, "BATCHES", 1)
    assert [each["batch"] for each in asked.unit("unit-1")["batches"]] == [3]
    assert [each["batch"] for each in asked.unit("unit-1", 3)["batches"]] == [1]
    office.close()


def test_a_quarantined_record_is_shown_and_said_to_be_out_of_the_books(tmp_path):
    filled(tmp_path).close()
    with Served(tmp_path / "office") as served:
        batch = served.json("/api/units/unit-3/batches/1")
        assert batch["quarantined"] == "revoked"
        assert [each["number"] for each in batch["records"]] == [1, 2]
        assert served.json("/api/units/unit-3/records/2")["quarantined"] == "revoked"


def test_no_view_but_a_record_holds_a_card(tmp_path):
    filled(tmp_path).close()
    with Served(tmp_path / "office") as served:
        for path in ("units", "units/unit-1", "units/unit-1/batches/1", "sites", "findings"):
            body = json.dumps(served.json(f"/api/{path}"))
            assert "A00000001" not in body
            assert ("01" * 16) not in body


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/units/nobody", 404),
        ("/api/units/unit-1/batches/2", 404),
        ("/api/units/unit-1/records/5", 404),
        ("/api/units/unit-1/records/-1", 400),
        ("/api/units/unit-1/records/99999999999999999999", 400),
        ("/api/units/unit-1/records/x", 400),
        ("/api/units/unit-1?before=x", 400),
        ("/api/sites?date=2026-13-01", 400),
        ("/api/sites?date=%00", 400),
        ("/api/nothing", 404),
        ("/../office.key", 404),
        ("/__init__.py", 404),
    ],
)
def test_what_is_not_there_is_said(tmp_path, path, status):
    filled(tmp_path).close()
    with Served(tmp_path / "office") as served:
        assert served.get(path)[0] == status


def test_this_machine_answers_to_its_own_names_only(tmp_path):
    """A page of others whose name leads to 127.0.0.1 gets nothing (DNS rebinding)."""
    made_office(tmp_path).close()
    with Served(tmp_path / "office") as served:
        statuses = {
            host: served.get("/api/units", Host=host)[0]
            for host in ("127.0.0.1", "localhost:1", "[::1]:80", "evil.example", "10.0.0.1", "")
        }
    allowed = {host for host, status in statuses.items() if status == 200}
    assert allowed == {"127.0.0.1", "localhost:1", "[::1]:80"}
    assert set(statuses.values()) == {200, 403}


def test_every_answer_forbids_what_the_page_does_not_need(tmp_path):
    made_office(tmp_path).close()
    with Served(tmp_path / "office") as served:
        for path in ("/", "/main.js", "/style.css", "/api/units", "/api/units/nobody"):
            _, headers, body = served.get(path)
            policy = headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert headers["X-Content-Type-Options"] == "nosniff"
            if path == "/":
                assert b"<script>" not in body
                assert b"style=" not in body
        tag = served.get("/main.js")[1]["ETag"]
        assert served.get("/main.js", **{"If-None-Match": tag})[0] == 304


def test_the_page_changes_nothing(tmp_path):
    filled(tmp_path).close()
    path = tmp_path / "office" / "office.db"
    before = hashlib.sha256(path.read_bytes()).digest()
    with Served(tmp_path / "office") as served:
        for asked in ("units", "units/unit-1", "units/unit-1/records/3", "sites", "findings"):
            served.json(f"/api/{asked}")
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=SOON_S)
        for method in ("POST", "PUT", "DELETE"):
            connection.request(method, "/api/units")
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 405
        connection.close()
    assert hashlib.sha256(path.read_bytes()).digest() == before


# -- beyond this machine -------------------------------------------------------------------------


def test_others_need_tls_and_the_password(tmp_path):
    """`sscoffice serve --dashboard-listen`: the password is made at the first start, mode 0600."""
    office = Office(tmp_path / "office")
    unit = Unit(office, tmp_path)
    unit.seal(1)
    office.start("--dashboard-listen", "127.0.0.1:0")
    try:
        name, _, address = office.process.stdout.readline().strip().partition(" ")
        assert name == "dashboard"
        kept = tmp_path / "office" / pages.PASSWORD
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        unit.push(office)
        context = ssl.create_default_context(cafile=tmp_path / "office" / "ca.crt")

        def get(password):
            host, port = address.rsplit(":", 1)
            connection = http.client.HTTPSConnection(
                host, int(port), timeout=SOON_S, context=context
            )
            headers = {}
            if password is not None:
                token = base64.b64encode(b"anyone:" + password.encode()).decode()
                headers["Authorization"] = f"Basic {token}"
            connection.request("GET", "/api/units/unit-1", headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            return answer.status, answer.getheader("WWW-Authenticate"), body

        password = kept.read_text().strip()
        assert get(None)[:2] == (401, 'Basic realm="sscoffice"')
        for wrong in ("", password[:-1], password + "x", "密码" * 8):
            assert get(wrong)[0] == 401
        status, _, body = get(password)
        assert status == 200
        assert json.loads(body)["last"] == 4
        idle = [socket.create_connection(address.rsplit(":", 1)) for _ in range(8)]
        assert get(password)[0] == 200  # those who say nothing hold up nobody
        for each in idle:
            each.close()
        plain = http.client.HTTPConnection(*address.rsplit(":", 1), timeout=SOON_S)
        plain.request("GET", "/api/units")
        with pytest.raises((http.client.HTTPException, OSError)):
            plain.getresponse()
        plain.close()
    finally:
        assert office.end() == 0


def test_a_password_that_others_can_read_or_that_is_short_is_refused(tmp_path):
    tmp_path.mkdir(exist_ok=True)
    assert len(pages.password_of(tmp_path)) >= 24
    kept = tmp_path / pages.PASSWORD
    kept.chmod(0o644)
    with pytest.raises(OfficeError, match="910"):
        pages.password_of(tmp_path)
    kept.chmod(0o600)
    kept.write_text("short\n")
    with pytest.raises(OfficeError, match="910"):
        pages.password_of(tmp_path)


def test_questions_beyond_the_bound_are_turned_away(tmp_path, monkeypatch):
    """The store is read by one thread; nobody waits without end."""
    made_office(tmp_path).close()
    monkeypatch.setattr(pages, "WAITING", 0)
    with Served(tmp_path / "office") as served:
        assert served.get("/api/units")[0] == 503
    go = threading.Event()
    monkeypatch.setattr(pages, "WAITING", 64)
    monkeypatch.setattr(pages, "ANSWER_S", 0.05)
    monkeypatch.setattr(views.Views, "units", lambda *_: go.wait(SOON_S) and {})
    with Served(tmp_path / "office") as served:
        assert served.get("/api/units")[0] == 503
        go.set()


def test_a_database_that_went_away_is_asked_once_more(tmp_path, monkeypatch):
    made_office(tmp_path).close()
    lost = [1, 1, 1]

    def units(*_):
        if lost:
            lost.pop()
            raise StoreLost("gone")
        return {"units": []}

    monkeypatch.setattr(views.Views, "units", units)
    with Served(tmp_path / "office") as served:
        status, _, body = served.get("/api/units")
        assert (status, json.loads(body)["error"]) == (503, 909)
        assert served.json("/api/units") == {"units": []}
