"""Every form in which cards write values, every padding seen in the field; fuzzed (Bad input).

A decoder raises its own error or tells a value; what no text can show is shown as bytes.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.card import checks, values
from firmware.card.df01 import DF01
from firmware.card.df02 import DF02
from firmware.card.df03 import DF03
from firmware.card.df04 import DF04
from firmware.card.items import CYCLIC, VARIABLE, VERSIONS, Ef, Item
from firmware.card.ssse import SSSE
from firmware.card.standard import APPLICATIONS
from firmware.card.text import TextError, bytes_of_text, text
from firmware.card.values import FormError

PUBLISHED = json.loads((Path(__file__).parent / "vectors" / "card.json").read_text())["published"]

FILES = [ef for df in APPLICATIONS for ef in df.files]
ROWS = [row for ef in FILES for row in ef.items]
ROWS += [part for row in ROWS for part in row.parts]
EXPIRY = SSSE.item(0x05, 0x06)
NAME = SSSE.item(0x06, 0x09)
ADDRESS = DF01.item(0x05, 0x21)

# -- text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fill", [b"\x00", b" ", b"\xff", b"\x00 \xff\xff"])
def test_names_are_filled_with_00_20_or_ff(fill: bytes) -> None:
    """FIELD: 00 on a 3.0 and a 2.0 card, 20 on a 1.0 card, FF in name extensions."""
    raw = ("张三".encode("gbk") + fill * 30)[:30]
    assert values.decode(NAME, raw) == "张三"
    assert values.decode(NAME, (fill * 30)[:30]) is None


def test_a_field_filled_with_the_character_0_is_stripped_where_it_cannot_be_meant() -> None:
    """ "Right fill with hex 0" was read as ASCII 0 by some: texts of addresses, never numbers."""
    raw = "示例路1号".encode("gbk").ljust(80, b"0")
    assert values.decode(ADDRESS, raw) == "示例路1号"
    assert values.decode(ADDRESS, "示例路100".encode("gbk").ljust(80, b"\x00")) == "示例路100"
    assert values.decode(NAME, b"A0000".ljust(30, b"\x00")) == "A0000"
    assert values.decode(DF04.item(0x05, 0x81), b"31000000") == "31000000"


def test_m13_rare_characters_of_gb18030_are_read_and_written_as_the_cards_font_knows_them() -> None:
    assert text(bytes.fromhex("FE9F")) == "䶮"
    assert text(bytes.fromhex("FE59")) == "龴"
    assert bytes_of_text("龴䶮") == bytes.fromhex("FE59FE9F")
    assert text(bytes.fromhex("95329031")) == text(bytes.fromhex("FE51")) == "\U00020087"
    assert text("张·阿卜杜拉".encode("gbk")) == "张·阿卜杜拉"


def test_undefined_bytes_of_a_name_are_shown_as_such_never_dropped() -> None:
    raw = bytes.fromhex("D5C5AAA180C8FD").ljust(30, b"\x00")
    assert values.decode(NAME, raw) == "张‹AAA1›‹80›三"
    assert text(bytes.fromhex("D5C5AAA1")) == "张‹AAA1›"
    assert text(b"A\x07B") == "A‹07›B"
    assert text("‹00›".encode("gb18030")) == "‹8136A738›00›", "no card forges the notation"
    assert bytes_of_text("张‹AAA1›") == bytes.fromhex("D5C5AAA1")


@given(st.binary(max_size=40))
def test_any_bytes_are_shown_and_lead_back_to_themselves(raw: bytes) -> None:
    shown = text(raw)
    assert all(each.isprintable() or each == "\u3000" for each in shown)
    assert text(bytes_of_text(shown)) == shown


@given(st.text(max_size=30))
def test_any_text_becomes_bytes_or_its_own_error(shown: str) -> None:
    try:
        raw = bytes_of_text(shown)
    except TextError:
        return
    assert isinstance(raw, bytes)


# -- dates and numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "shown", "day"),
    [
        ("20351231", "2035-12-31", 20351231),
        ("32303132", "2012", 20121231),  # FIELD: four ASCII digits of the year
        ("31393939", "1999", 19991231),
        ("FFFFFFFF", None, 0),
        ("00000000", None, 0),
        ("2020FFFF", "2020", 0),
        ("202006FF", "2020-06", 0),
    ],
)
def test_dates_as_cards_write_them(raw: str, shown: str | None, day: int) -> None:
    assert values.decode(EXPIRY, bytes.fromhex(raw)) == shown
    assert values.date(bytes.fromhex(raw)) == day


@pytest.mark.parametrize(
    "raw", ["20201301", "20200230", "2020010A", "FFFF2020", "202FFFFF", "33303132"]
)
def test_what_is_no_date_is_refused(raw: str) -> None:
    with pytest.raises(FormError):
        values.decode(EXPIRY, bytes.fromhex(raw))


@pytest.mark.parametrize("shown", ["2020-13-01", "20200101", "2020-1-1", "2020-02-30", "x", ""])
def test_no_date_is_written_that_is_none(shown: str) -> None:
    with pytest.raises(FormError):
        values.encode(EXPIRY, shown)


@given(st.dates())
def test_dates_both_ways(day) -> None:
    if day.year >= 1900:
        shown = day.isoformat()
        assert values.decode(EXPIRY, values.encode(EXPIRY, shown)) == shown


def test_amounts_are_fen_in_bcd_and_in_binary() -> None:
    total = DF04.item(0x06, 0x92)
    assert values.decode(total, bytes.fromhex("00001500")) == 1500
    assert values.encode(total, 99_999_999) == bytes.fromhex("99999999")
    for wrong in (100_000_000, -1):
        with pytest.raises(FormError):
            values.encode(total, wrong)
    log = DF04.file(0x08)
    record = bytes.fromhex("00053251010000000120261122103045000003E8000000C80000012C")
    told = values.decode_record(log, record)
    assert told == {
        "serial": 5,
        "type": "2",
        "terminal": "510100000001",
        "time": "2026-11-22 10:30:45",
        "account": 1000,
        "self": 200,
        "pooled": 300,
    }
    short = values.decode_record(log, record[:20])
    assert short is not None
    assert "self" not in short, "account-only mode has 20 bytes"
    assert values.decode_record(log, bytes(28)) is None
    for wrong in (record[:27], record + b"\x00", record[:5]):
        with pytest.raises(FormError):
            values.decode_record(log, wrong)


def test_empty_numbers_show_as_f() -> None:
    """FIELD: nation FF, birthplace FFFFFF, birth date FFFFFFFF."""
    for tag, raw in ((0x0B, "FF"), (0x0C, "FFFFFF"), (0x0D, "FFFFFFFF")):
        assert values.decode(SSSE.item(0x06, tag), bytes.fromhex(raw)) is None


# -- the EE rule ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ef", "tag", "raw", "length", "value"),
    [
        (DF04.file(0x06), 0x90, "31EEEEEE", 1, "1"),
        (DF04.file(0x06), 0x93, "3037EEEE", 2, "07"),
        (DF03.file(0x05), 0x61, "510100EE", 3, "510100"),
        (DF02.file(0x09), 0x97, "510100EE", 3, "510100"),
        (DF04.file(0x05), 0x81, "3331303030303030" + "EE" * 62, 8, "31000000"),
        (DF04.file(0x05), 0x84, "510100" + "EE" * 67, 3, "510100"),
    ],
)
def test_a_1_0_card_rewritten_with_the_2_0_meaning(
    ef: Ef, tag: int, raw: str, length: int, value: str
) -> None:
    """V2.0: the new value is filled on the right with hex E; then the 2.0 row counts."""
    row, found = values.decode_found(ef, tag, bytes.fromhex(raw), "1.0")
    assert row is not None
    assert (row.length, found) == (length, value)


def test_without_ee_a_1_0_card_keeps_its_own_meaning() -> None:
    row, found = values.decode_found(DF04.file(0x06), 0x90, bytes.fromhex("00012345"), "1.0")
    assert row is not None
    assert (row.name, found) == ("account balance", 12345)
    name = "示例医院".encode("gbk").ljust(70, b"\x00")
    assert values.decode_found(DF04.file(0x05), 0x81, name, "1.0")[1] == "示例医院"
    # A GBK character may end in EE; that alone is no filling.
    tail = b"\xb0\xee".rjust(70, b"A")
    row, found = values.decode_found(DF04.file(0x05), 0x81, tail, "1.0")
    assert row is not None
    assert (row.length, found) == (70, "A" * 68 + "邦")


# -- groups ---------------------------------------------------------------------------------------

DEGREE = DF01.item(0x15, 0x40)


def test_groups_both_ways_with_unknown_parts_shown() -> None:
    raw = values.encode(DEGREE, {"57": "401", "58": "080201", "59": "示例大学"})
    assert len(raw) == 0x34
    assert values.decode(DEGREE, raw) == {"57": "401", "58": "080201", "59": "示例大学"}
    assert values.decode(DEGREE, raw + b"\x60\x02\xab\xcd") == {
        "57": "401",
        "58": "080201",
        "59": "示例大学",
        "60": "‹ABCD›",
    }
    assert values.decode(DEGREE, b"\xff" * 0x34) is None


@pytest.mark.parametrize("raw", ["5703", "570334303157033430", "5703343031" * 2, "59FF41"])
def test_groups_cut_off_or_doubled_are_refused(raw: str) -> None:
    with pytest.raises(FormError):
        values.decode(DEGREE, bytes.fromhex(raw))


@pytest.mark.parametrize("value", [{"99": "1"}, {"57": 5}, "text", 3, {"57": "4011"}])
def test_values_that_do_not_fit_their_group_are_refused(value: values.Value) -> None:
    with pytest.raises(FormError):
        values.encode(DEGREE, value)


def test_a_run_of_records_with_padding_between_them() -> None:
    """FIELD: a 1.0 card pads its records."""
    items, rest = values.split(bytes.fromhex("2901310000FF2B01322A05AA"))
    assert items == [(0x29, b"1"), (0x2B, b"2")]
    assert rest == bytes.fromhex("2A05AA")


# -- any bytes at all (Bad input) -----------------------------------------------------------------


@given(st.sampled_from(ROWS), st.binary(max_size=300))
def test_every_decoder_tells_a_value_or_raises_its_own_error(row: Item, raw: bytes) -> None:
    try:
        value = values.decode(row, raw)
    except FormError:
        return
    json.dumps(value)


@given(st.sampled_from(ROWS), st.binary(max_size=300))
def test_a_decoded_value_written_again_reads_the_same(row: Item, raw: bytes) -> None:
    try:
        value = values.decode(row, raw)
        again = values.encode(row, value)
    except FormError:  # bytes of no form, or longer than a card of the standard holds
        return
    assert len(again) == row.length
    assert values.decode(row, again) == value


@given(
    st.sampled_from([ef for ef in FILES if ef.structure == VARIABLE]),
    st.sampled_from(VERSIONS),
    st.integers(0, 255),
    st.binary(max_size=120),
)
def test_any_tag_with_any_value_in_any_file(ef: Ef, version: str, tag: int, raw: bytes) -> None:
    try:
        row, value = values.decode_found(ef, tag, raw, version)
    except FormError:
        return
    assert row is not None or value is None


@given(st.sampled_from([ef for ef in FILES if ef.structure == CYCLIC]), st.binary(max_size=120))
def test_any_bytes_as_a_record(ef: Ef, raw: bytes) -> None:
    try:
        told = values.decode_record(ef, raw)
    except FormError:
        return
    json.dumps(told)


@given(st.binary(max_size=600))
def test_splitting_drops_nothing_but_padding(raw: bytes) -> None:
    items, rest = values.split(raw)
    kept = sum(2 + len(value) for _, value in items) + len(rest)
    assert kept <= len(raw)
    joined = b"".join(bytes((tag, len(value))) + value for tag, value in items)
    assert values.split(joined)[0] == items


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=12),
    lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


@given(st.sampled_from(ROWS), JSON)
def test_every_encoder_fills_its_item_or_raises_its_own_error(row: Item, value) -> None:
    try:
        raw = values.encode(row, value)
    except FormError:
        return
    assert len(raw) == row.length


# -- check characters (M22) -----------------------------------------------------------------------


def test_m22_published_card_numbers_verify_or_are_only_warned_of() -> None:
    numbers = PUBLISHED["card_numbers"]
    for number in numbers["check_verifies"]:
        assert checks.card_number_warning(number) is None
    for number in numbers["check_fails_but_accept"]:
        assert checks.card_number_warning(number) == "the check character does not verify"
    for number in ("", "A1", "12345678", "á23456789"):
        assert checks.card_number_warning(number)


def test_m22_citizen_numbers() -> None:
    """GB 11643's own example, and each way in which a number can be none."""
    assert checks.citizen_number_problem("11010519491231002X") is None
    assert checks.citizen_number_problem("440524188001010014") is None
    for number in (
        "110105194912310021",
        "11010519491231002x",
        "1101051949123100",
        "99" + "0105194912310020",
        "",
        "１１０１０５１９４９１２３１００２X",
    ):
        assert checks.citizen_number_problem(number)
    first17 = "11010519491331002"
    wrong = first17 + checks.citizen_check(first17)
    assert checks.citizen_number_problem(wrong) == "the birth date is no date"


@given(st.text(max_size=20))
def test_no_number_breaks_a_check(number: str) -> None:
    checks.citizen_number_problem(number)
    checks.card_number_warning(number)
    checks.is_region(number)


def test_m22_region_codes() -> None:
    assert checks.is_region("510100")
    assert not any(checks.is_region(code) for code in ("5101", "990100", "51010a", "５１０１００"))
