"""A record's proof in front of the reader (issue C, 7): the browser's verdict on right bytes, and
on bytes of which one was changed on the way."""

from __future__ import annotations

import json
import random

import pytest

from firmware.journal import cose
from firmware.journal.algorithms import key_id
from office import rekey
from tests import chromium_rig
from tests.chromium_rig import Browser, pages
from tests.dashboard_rig import STEPS, Between, Served, states, turned
from tests.office_rig import T0_MS, Terminal, enrol, made_office, take
from tests.test_algorithms import P256Signer

pytestmark = pytest.mark.skipif(
    chromium_rig.missing() is not None, reason=str(chromium_rig.missing())
)
UNIT = "unit-1"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Two units, three batches of six records each, in turn."""
    folder = tmp_path_factory.mktemp("small")
    office, terminals = made_office(folder), [Terminal(f"unit-{n}", n) for n in (1, 2)]
    for terminal in terminals:
        enrol(office, terminal)
    for batch in range(3):
        for terminal in terminals:
            for serial in range(3):
                card = terminals.index(terminal) + 1
                terminal.purchase(f"A{batch}{serial}", serial=3 * batch + serial, card=card)
            take(office, terminal.unit, terminal.batch())
    office.close()
    with Served(folder / "office") as served:
        yield served


@pytest.fixture(scope="module")
def browser():
    with Browser() as opened:
        yield opened


@pytest.fixture
def opened(browser):
    with pages(browser) as open_page:
        yield open_page


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
def between(small):
    with Between(small) as made:
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


def test_no_bit_of_a_record_statement_or_receipt_can_be_turned(small, opened):
    """Every byte of each, one bit at a time, judged by the page's own module.  The receipt's
    consistency proof is not signed, and only the unit knows the tree it leads from."""
    page = opened(f"{small.url}/#/findings")
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


def test_the_browser_and_the_office_call_the_same_bytes_canonical(small, opened):
    """3,000 items with up to three bytes changed, cut off or put in (seed 4711)."""
    chance, right = random.Random(4711), [cose.encode(each) for each in ITEMS]
    changed = [mutant(chance, chance.choice(right)) for _ in range(3000)] + right
    script = """(async (all) => {
        const { decode, fromHex } = await import("/cbor.js");
        return all.map((text) => {
            try { decode(fromHex(text)); return true; } catch { return false; }
        });
    })(%s)"""
    page = opened(f"{small.url}/#/findings")
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


def test_a_receipt_under_an_earlier_key_of_the_office_is_checked_too(tmp_path, opened):
    office, terminal = made_office(tmp_path), Terminal()
    enrol(office, terminal)
    terminal.purchase("A1")
    take(office, terminal.unit, terminal.batch())
    rekey.rotate(office, T0_MS)
    office.close()
    with Served(tmp_path / "office") as served:
        page = opened(f"{served.url}/#/record/{terminal.unit}/1")
        assert states(page) == dict.fromkeys(STEPS, "true")


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
