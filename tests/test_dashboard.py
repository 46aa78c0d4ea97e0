"""The page of the office in a real browser (issue C, 7): the demo's day is in it, and a record's
signature and proofs are checked in front of the reader."""

from __future__ import annotations

import json
import random

import pytest

from firmware.journal import cose
from firmware.journal.algorithms import key_id
from office.__main__ import main
from tests import chromium_rig
from tests.chromium_rig import Browser
from tests.dashboard_rig import Between, Served, play_demo, turned
from tests.office_rig import T0_MS, Terminal, enrol, made_office, take
from tests.test_algorithms import P256Signer

pytestmark = pytest.mark.skipif(
    chromium_rig.missing() is not None, reason=str(chromium_rig.missing())
)
STEPS = ["form", "signature", "chain", "inclusion", "statement", "tree", "receipt"]
UNIT = "pharmacy-1"
VIEWS = {
    "#/": "overview",
    "#/day": "day",
    "#/terminals": "terminals",
    "#/findings": "findings",
    f"#/unit/{UNIT}": "unit",
    f"#/batch/{UNIT}/3": "batch",
    f"#/record/{UNIT}/7": "record",
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
    """browser.open, and every page closed in the end; none may have had a problem."""
    pages = []

    def open_page(url, **size):
        pages.append(browser.open(url, **size))
        return pages[-1]

    yield open_page
    problems = [each for page in pages for each in page.problems]
    for page in pages:
        page.close()
    assert problems == []


def told(capsys, *arguments):
    main([*arguments, "--json"])
    return json.loads(capsys.readouterr().out)


def yuan(fen):
    return f"{fen // 100}.{fen % 100:02d}"


def states(page):
    """Step -> "true", "false" or "null", as the page shows them."""
    found = page.value(
        "[...document.querySelectorAll('#steps li')].map(e => [e.id.slice(5), e.dataset.ok,"
        " e.querySelector('.sign').innerText])"
    )
    assert [name for name, _, _ in found] == STEPS
    assert all(mark == {"true": "✓", "false": "✗", "null": "?"}[ok] for _, ok, mark in found)
    return {name: ok for name, ok, _ in found}


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


def test_a_unit_shows_its_batches_and_a_batch_its_records(demo, opened):
    page = opened(f"{demo.url}/#/unit/{UNIT}")
    facts = dict(zip(*(page.value(f"[...document.querySelectorAll('{tag}')].map(e => e.innerText)")
                       for tag in ("dt", "dd")), strict=True))  # fmt: skip
    assert facts["固件 firmware"] == "0.1.0"
    assert facts["状态 state"] == "✓"
    (key,) = demo.json(f"/api/units/{UNIT}")["keys"]
    assert facts["密钥 keys"] == f"{key['key_id']} (1-)"
    batches = page.table()
    assert [row[0] for row in batches] == ["5", "4", "3", "2", "1"]
    page.value("document.querySelector('tbody tr:nth-child(3) a').click()")
    page.wait("document.querySelector('main').dataset.ready === 'batch'")
    records = page.table()
    assert [int(row[0]) for row in records] == list(
        range(int(batches[2][1]), int(batches[2][2]) + 1)
    )
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
def test_every_view_has_an_address_and_fits_a_phone(demo, opened, route):
    page = opened(f"{demo.url}/{route}", width=360, height=740)
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


def test_a_card_is_shown_only_when_asked_and_by_keyboard(demo, opened):
    page = opened(f"{demo.url}/#/record/{UNIT}/7")
    number = page.value(
        "import('/cbor.js').then(async ({decode, entry, fromHex}) => {"
        f" const raw = fromHex((await (await fetch('/api/units/{UNIT}/records/7')).json()).raw);"
        " return entry(entry(decode(decode(raw, 1).children[2].value), 9), 6).value })"
    )
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


def test_an_item_of_the_structure_marks_its_bytes(demo, opened):
    page = opened(f"{demo.url}/#/record/{UNIT}/7")
    page.value("[...document.querySelectorAll('.tree button')]"
               ".find(e => e.innerText.startsWith('signature')).click()")  # fmt: skip
    marked = page.value(
        "[...document.querySelectorAll('.hex i.on')].map(e => e.innerText).join('')"
    )
    raw = demo.json(f"/api/units/{UNIT}/records/7")["raw"]
    assert marked == raw[-132:]  # 58 40 and 64 bytes


# -- one byte changed ----------------------------------------------------------------------------


def in_field(name, at=-1):
    def change(answer):
        answer[name] = turned(answer[name], at)

    return change


def in_list(name, place, key=None):
    def change(answer):
        if key is None:
            answer[name][place] = turned(answer[name][place])
        else:
            answer[name][place][key] = turned(answer[name][place][key])

    return change


UNSIGNED = {"tree": "null", "receipt": "false"}
CHANGES = {
    "record-signature": (in_field("raw"), {"signature": "false", "inclusion": "false"}),
    "record-head": (in_field("raw", 1), dict.fromkeys(STEPS[:3], "false") | {"inclusion": "false"}),
    "record-number": (
        lambda answer: answer.update(number=answer["number"] + 1),
        {"form": "false", "inclusion": "false"},
    ),
    "record-before": (in_field("before"), {"chain": "false"}),
    "path": (in_list("path", 0), {"inclusion": "false"}),
    "statement-signature": (in_field("statement"), {"statement": "false"} | UNSIGNED),
    "statement-head": (
        in_field("statement", 1),
        {"inclusion": "false", "statement": "false"} | UNSIGNED,
    ),
    "receipt-signature": (in_field("receipt"), UNSIGNED),
    "no-receipt": (
        lambda answer: answer.update(receipt=None),
        {"tree": "false", "receipt": "false"},
    ),
    "unit-key": (
        in_list("keys", 0, "public_key"),
        {"signature": "false", "statement": "false"},
    ),
    "office-key": (in_list("office", 0, "public_key"), UNSIGNED),
    "key-ended": (
        lambda answer: answer["keys"][0].update(last=6),
        {"signature": "false", "statement": "false"},
    ),
    "another-batch": (
        lambda answer: answer.update(batch=answer["batch"] + 1),
        {"statement": "false", "receipt": "false"},
    ),
}


@pytest.fixture(scope="module")
def between(demo):
    with Between(demo) as made:
        yield made


def test_the_page_that_changes_nothing_shows_ticks(between, opened):
    """Else the crosses below would say nothing."""
    page = opened(f"{between.url}/#/record/{UNIT}/8")
    assert states(page) == dict.fromkeys(STEPS, "true")


@pytest.mark.parametrize("name", CHANGES)
def test_one_byte_changed_is_a_cross_at_its_step(between, opened, name):
    between.change, wrong = CHANGES[name]
    page = opened(f"{between.url}/#/record/{UNIT}/8")
    between.change = lambda answer: None
    assert states(page) == dict.fromkeys(STEPS, "true") | wrong
    assert page.text("#verdict").startswith("✗")


def test_no_bit_of_a_record_statement_or_receipt_can_be_turned(demo, opened):
    """Every byte of each, one bit at a time, judged by the page's own module.  The receipt's
    consistency proof is not signed, and only the unit knows the tree it leads from."""
    page = opened(f"{demo.url}/#/findings")
    script = """(async () => {
        const { check } = await import("/proof.js");
        const { decode, entry, fromHex } = await import("/cbor.js");
        const answer = await (await fetch("/api/units/%s/records/8")).json();
        const proofs = entry(decode(fromHex(answer.receipt), 1).children[1], 396);
        const free = entry(proofs, -2).children[0];
        const all = async (one) => (await check(one)).every((each) => each.ok === true);
        const passed = [];
        for (const name of ["raw", "statement", "receipt"]) {
            for (let at = 0; at < answer[name].length; at += 2) {
                const byte = parseInt(answer[name].slice(at, at + 2), 16) ^ 1 << at / 2 %% 8;
                const text = byte.toString(16).padStart(2, "0");
                const changed = answer[name].slice(0, at) + text + answer[name].slice(at + 2);
                const isFree = name === "receipt" && at / 2 >= free.body && at / 2 < free.end;
                const isRight = await all({ ...answer, [name]: changed });
                if (!isFree && isRight) passed.push([name, at / 2]);
            }
        }
        return [await all(answer), passed];
    })()"""
    assert page.value(script % UNIT) == [True, []]


def test_the_browser_and_the_office_call_the_same_bytes_canonical(demo, opened):
    """3,000 items with up to three bytes changed, cut off or put in (seed 4711)."""
    chance, right = random.Random(4711), [cose.encode(each) for each in ITEMS]
    changed = [mutant(chance, chance.choice(right)) for _ in range(3000)] + right
    script = """(async (all) => {
        const { decode, fromHex } = await import("/cbor.js");
        return all.map((text) => {
            try { decode(fromHex(text)); return true; } catch { return false; }
        });
    })(%s)"""
    page = opened(f"{demo.url}/#/findings")
    found = page.value(script % json.dumps([each.hex() for each in changed]))
    odd = [
        each.hex() for each, said in zip(changed, found, strict=True) if said != is_canonical(each)
    ]
    assert odd == []
    assert 200 < sum(found) < 2000


ITEMS = (
    {1: "unit-1", 2: 7, 8: bytes(32), 9: {30: 6, 31: b"TAC1", 37: {"seen": [1, None, True]}}},
    [1, [2, [3, [4, [5, [6, [7, [8]]]]]]]],
    {-1: [b"path"], -2: [b"more"]},
    {"a": 23, "b": 24, "cc": 255, "dd": 256, "ee": 65536, "ff": 1 << 32, "gg": (1 << 64) - 1},
    ["中文 text", "x" * 24, b"y" * 256, -1, -24, -25, -(1 << 64)],
)


def mutant(chance, raw):
    made = bytearray(raw)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(made))
        match chance.randrange(4):
            case 0:
                made[at] = chance.randrange(256)
            case 1:
                made[at] ^= 1 << chance.randrange(8)
            case 2:
                made.insert(at, chance.choice(b"\x00\x18\x20\x40\x60\x80\xa0\xf6\xff"))
            case 3 if len(made) > 1:
                del made[at]
    return bytes(made)


def is_canonical(raw):
    try:
        cose.decode(raw)
    except cose.CoseError:
        return False
    return True


# -- other keys, other offices -------------------------------------------------------------------


def test_a_p256_unit_is_checked_too(tmp_path, opened):
    office, terminal = made_office(tmp_path), Terminal("clinic 1/东")
    terminal.signer = P256Signer()
    key = terminal.signer.public_key
    office.store.write(
        "INSERT INTO keys VALUES (?, ?, -7, ?, 1, NULL, ?, ?)",
        *(terminal.unit, key_id(key), key, b"", T0_MS),
    )  # fmt: skip
    for serial in range(3):
        terminal.purchase(f"A{serial}", serial=serial)
    take(office, terminal.unit, terminal.batch())
    office.close()
    with Served(tmp_path / "office") as served:
        page = opened(f"{served.url}/#/record/{'clinic%201%2F%E4%B8%9C'}/3")
        assert states(page) == dict.fromkeys(STEPS, "true")
        assert "ECDSA P-256" in page.text("#step-signature")
        assert page.text("h1").startswith("记录 3 意向")
        # One bit of the signature, and it is a cross.
        with Between(served) as between:
            between.change = in_field("raw")
            page = opened(f"{between.url}/#/record/{'clinic%201%2F%E4%B8%9C'}/3")
            assert states(page)["signature"] == "false"


def test_a_batch_with_a_damaged_range(tmp_path, opened):
    """The places of its records are counted without those that are lost."""
    office, terminal = made_office(tmp_path), Terminal()
    enrol(office, terminal)
    for serial in range(3):
        terminal.purchase(f"A{serial}", serial=serial)
    take(office, terminal.unit, terminal.batch(damaged=((2, 3),)))
    office.close()
    with Served(tmp_path / "office") as served:
        for number in (1, 4, 5, 6):
            page = opened(f"{served.url}/#/record/unit-1/{number}")
            before = {"chain": "null"} if number == 4 else {}
            assert states(page) == dict.fromkeys(STEPS, "true") | before
        place = page.text("#step-inclusion small")
        assert place.startswith("4 / 4")
