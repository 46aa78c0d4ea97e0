"""The page of the office in a real browser (issue C, 7): the demo's day is in it, and a record's
signature and proofs are checked in front of the reader."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest

from firmware.journal import cose
from firmware.journal.kinds import KEY_CARD_NUMBER, KIND_DONE
from office.__main__ import main
from tests import chromium_rig
from tests.chromium_rig import Browser, pages
from tests.dashboard_rig import STEPS, Served, play_demo, states

pytestmark = pytest.mark.skipif(
    chromium_rig.missing() is not None, reason=str(chromium_rig.missing())
)
UNIT = "pharmacy-1"
VIEWS = {
    "#/": "overview",
    "#/day": "day",
    "#/terminals": "terminals",
    "#/findings": "findings",
    "#/unit/{unit}": "unit",
    "#/batch/{unit}/{batch}": "batch",
    "#/record/{unit}/{intent}": "record",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The office of one whole demo."""
    return play_demo(tmp_path_factory.mktemp("demo") / "kept")


@pytest.fixture(scope="module")
def demo(folder):
    with Served(folder) as served:
        yield served


@pytest.fixture(scope="module")
def browser():
    with Browser() as opened:
        yield opened


@pytest.fixture
def opened(browser):
    with pages(browser) as open_page:
        yield open_page


class Places(NamedTuple):
    """A payment of the demo, INTENT and DONE in one batch."""

    batch: int
    intent: int
    done: int


@pytest.fixture(scope="module")
def places(demo):
    for each in demo.json(f"/api/units/{UNIT}")["batches"]:
        batch = demo.json(f"/api/units/{UNIT}/batches/{each['batch']}")
        numbers = {record["number"] for record in batch["records"]}
        for record in batch["records"]:
            if record["kind"] == KIND_DONE and record["intent"] in numbers:
                return Places(each["batch"], record["intent"], record["number"])
    raise AssertionError("no such payment")


def told(capsys, *arguments):
    main([*arguments, "--json"])
    return json.loads(capsys.readouterr().out)


def yuan(fen):
    return f"{fen // 100}.{fen % 100:02d}"


# -- the demo's day ------------------------------------------------------------------------------


def test_the_numbers_are_those_of_report_and_day(folder, demo, opened, capsys):
    report = told(capsys, "report", "--dir", str(folder))
    dates = sorted({each["day"] for each in report["sites"]})
    done = 0
    for date in dates:
        page = opened(f"{demo.url}/#/day/{date}")
        wanted = [
            [
                s["unit"],
                str(s["done"]),
                *(yuan(s[f"{n}_fen"]) for n in ("account", "self", "pooled")),
            ]
            + [str(s[n]) for n in ("void", "declined", "suspect", "uncertain", "loads")]
            for s in report["sites"]
            if s["day"] == date
        ]
        assert page.table() == wanted
        summary = told(capsys, "day", "--dir", str(folder), "--date", date)["summary"]
        foot = page.value("[...document.querySelectorAll('tfoot td')].map(e => e.innerText)")
        fens = [yuan(summary["done_fen"][name]) for name in ("account", "self", "pooled")]
        assert foot[1:5] == [str(summary["kinds"].get("DONE", 0)), *fens]
        done += int(foot[1])
    assert done == sum(each["done"] for each in report["sites"]) > 5


def test_the_overview_shows_every_terminal_and_nothing_amiss(folder, demo, opened, capsys):
    check = told(capsys, "check", "--dir", str(folder))
    page = opened(f"{demo.url}/#/")
    assert page.text("#office") == "demo office"
    rows = page.table(1)
    assert [row[0] for row in rows] == ["pharmacy-1", "pharmacy-2"]
    assert sum(int(row[2]) for row in rows) == check["records"]
    assert [row[3:] for row in rows] == [["✓ 0", "0.1.0", f"51010000000{n}", "✓"] for n in (1, 2)]
    assert [page.text(f"#{name}") for name in ("gaps", "duplicates", "forks")] == ["✓ 0"] * 3


def test_a_unit_shows_its_batches_and_a_batch_its_records(demo, places, opened):
    page = opened(f"{demo.url}/#/unit/{UNIT}")
    facts = dict(zip(*(page.value(f"[...document.querySelectorAll('{tag}')].map(e => e.innerText)")
                       for tag in ("dt", "dd")), strict=True))  # fmt: skip
    assert facts["固件 firmware"] == "0.1.0"
    assert facts["状态 state"] == "✓"
    (key,) = demo.json(f"/api/units/{UNIT}")["keys"]
    assert facts["密钥 keys"] == f"{key['key_id']} (1-)"
    batches = page.table()
    assert [int(row[0]) for row in batches] == list(range(len(batches), 0, -1))
    (chosen,) = [row for row in batches if row[0] == str(places.batch)]
    script = "[...document.querySelectorAll('tbody a')].find(e => e.innerText === '%s').click()"
    page.value(script % places.batch)
    page.wait("document.querySelector('main').dataset.ready === 'batch'")
    records = page.table()
    assert [int(row[0]) for row in records] == list(range(int(chosen[1]), int(chosen[2]) + 1))
    assert {"意向 INTENT", "完成 DONE"} <= {row[2] for row in records}


def test_every_record_of_the_day_is_checked_in_the_browser(demo, opened):
    """Each on its own page; the record count is the office's."""
    units = {each["unit"]: each["last"] for each in demo.json("/api/units")["units"]}
    page = opened(f"{demo.url}/#/record/{UNIT}/1")
    for unit, last in units.items():
        for number in range(1, last + 1):
            page.value(f"location.hash = '#/record/{unit}/{number}'")
            page.wait(f"document.querySelector('h1')?.innerText.startsWith('记录 {number} ')"
                      f" && document.querySelector('main').innerText.includes('{unit}')"
                      " && document.querySelector('main').dataset.ready")  # fmt: skip
            assert states(page) == dict.fromkeys(STEPS, "true"), (unit, number)
            assert page.text("#verdict").startswith("✓")
    assert sum(units.values()) > 20


@pytest.mark.parametrize("route", VIEWS)
def test_every_view_has_an_address_and_fits_a_phone(demo, places, opened, route):
    page = opened(
        f"{demo.url}/{route.format(unit=UNIT, **places._asdict())}", width=360, height=740
    )
    assert page.value("document.querySelector('main').dataset.ready") == VIEWS[route]
    assert page.value("document.querySelector('#error')") is None
    assert page.value("document.documentElement.scrollWidth <= innerWidth")
    assert page.value("document.querySelectorAll('h1').length") == 1
    assert "[object" not in page.text("main")


def test_an_address_of_nothing_says_so(demo, browser):
    for route in ("#/nothing", "#/unit/nobody", f"#/record/{UNIT}/9999", f"#/batch/{UNIT}/77"):
        page = browser.open(f"{demo.url}/{route}")
        assert page.text("#error").startswith("没有"), route
        page.close()


# -- a record in front of the reader -------------------------------------------------------------


def test_a_card_is_shown_only_when_asked_and_by_keyboard(demo, places, opened):
    page = opened(f"{demo.url}/#/record/{UNIT}/{places.intent}")
    raw = bytes.fromhex(demo.json(f"/api/units/{UNIT}/records/{places.intent}")["raw"])
    number = cose.decode(cose.peek1(raw).payload)[9][KEY_CARD_NUMBER]
    shown = "document.querySelector('main').innerText.replaceAll(' ', '').replaceAll('\\n', '')"
    hidden = page.value(shown)
    as_hex = number.encode().hex()
    assert number not in hidden
    assert as_hex not in hidden
    for _ in range(40):
        page.press("Tab")
        if page.value("document.activeElement.getAttribute('aria-pressed')") is not None:
            break
    page.press("Enter")
    assert page.value("document.activeElement.getAttribute('aria-pressed')") == "true"
    assert number in page.value(shown)
    assert as_hex in page.value(
        "[...document.querySelectorAll('.hex i')].map(e => e.innerText).join('')"
    )


def test_an_item_of_the_structure_marks_its_bytes(demo, places, opened):
    page = opened(f"{demo.url}/#/record/{UNIT}/{places.intent}")
    page.value("[...document.querySelectorAll('.tree button')]"
               ".find(e => e.innerText.startsWith('signature')).click()")  # fmt: skip
    marked = page.value(
        "[...document.querySelectorAll('.hex i.on')].map(e => e.innerText).join('')"
    )
    raw = demo.json(f"/api/units/{UNIT}/records/{places.intent}")["raw"]
    assert marked == raw[-132:]  # 58 40 and 64 bytes
