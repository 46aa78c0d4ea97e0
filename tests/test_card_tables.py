"""M13: every file and item of the card's structure stands in a table, and both ways follow from it.

tests/vectors/items.json is a second transcription of the structure with one vector for each item;
tests/vectors/make_items.py wrote it without the firmware.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.card import codes, keys, values
from firmware.card.df06 import EF05_TAGS, EF06_TAGS
from firmware.card.items import CYCLIC, TRANSPARENT, VARIABLE, VERSIONS, Df, Ef, Item
from firmware.card.standard import APPLICATIONS
from firmware.psam import keytable

FOLDER = Path(__file__).parent / "vectors"
VECTORS = json.loads((FOLDER / "items.json").read_text(encoding="utf-8"))
ITEMS = [each for each in VECTORS if "tag" in each]
RECORDS = [each for each in VECTORS if "record" in each]
DFS = {df.name: df for df in APPLICATIONS}


def files() -> Iterator[tuple[Df, Ef]]:
    for df in APPLICATIONS:
        for ef in df.files:
            yield df, ef


def place_of(vector: dict) -> str:
    return "{df}EF{ef}|{tag}".format(**vector)


def row_of(vector: dict) -> Item:
    ef = DFS[vector["df"]].file(int(vector["ef"], 16))
    return next(
        row
        for row in ef.items
        if row.place == place_of(vector)
        and set(vector["versions"]) & set(row.versions)
        and row.length == vector["length"]
    )


def shown(row: Item) -> tuple:
    return row.place, row.form, row.length, row.count, tuple(row.versions)


def test_m13_the_table_and_its_second_transcription_name_the_same_items() -> None:
    ours = {shown(row) for _, ef in files() if ef.structure == VARIABLE for row in ef.items}
    theirs = {
        (place_of(each), each["form"], each["length"], each["count"], tuple(each["versions"]))
        for each in ITEMS
    }
    assert ours == theirs
    cyclic = {(df.name, f"{ef.sfi:02X}") for df, ef in files() if ef.structure == CYCLIC}
    assert cyclic == {(each["df"], each["ef"]) for each in RECORDS}


def test_the_vectors_are_what_their_script_writes() -> None:
    spec = importlib.util.spec_from_file_location("make_items", FOLDER / "make_items.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.vectors() == VECTORS
    assert "firmware" not in vars(script)


@pytest.mark.parametrize("vector", ITEMS, ids=place_of)
def test_m13_each_item_both_ways(vector: dict) -> None:
    row, raw = row_of(vector), bytes.fromhex(vector["raw"])
    assert len(raw) == row.length
    assert values.decode(row, raw) == vector["value"]
    assert values.encode(row, vector["value"]) == raw
    empty = values.encode(row, None)
    assert len(empty) == row.length
    if row.form != "tlv":
        assert values.decode(row, empty) is None


@pytest.mark.parametrize("vector", RECORDS, ids=lambda each: each["df"] + "EF" + each["ef"])
def test_m13_each_cyclic_record_both_ways(vector: dict) -> None:
    ef = DFS[vector["df"]].file(int(vector["ef"], 16))
    raw = bytes.fromhex(vector["raw"])
    named = dict(zip((row.name for row in ef.items), vector["record"], strict=True))
    assert len(raw) == ef.size == sum(row.length for row in ef.items)
    assert values.decode_record(ef, raw) == named
    assert values.encode_record(ef, named) == raw


@pytest.mark.parametrize("version", VERSIONS)
def test_m13_each_variable_file_is_found_again_item_by_item(version: str) -> None:
    """A whole file as a card gives it: split, and each row found by its tag."""
    by_place = {(place_of(each), each["form"], each["length"]): each for each in ITEMS}
    for _, ef in files():
        if ef.structure != VARIABLE or version not in ef.versions:
            continue
        rows = [row for row in ef.rows(version) for _ in range(row.count)]
        vectors = [by_place[row.place, row.form, row.length] for row in rows]
        whole = b"".join(
            bytes((row.tag, row.length)) + bytes.fromhex(each["raw"])
            for row, each in zip(rows, vectors, strict=True)
        )
        found, rest = values.split(whole)
        assert rest == b""
        told = [values.decode_found(ef, tag, raw, version) for tag, raw in found]
        assert told == [(row, each["value"]) for row, each in zip(rows, vectors, strict=True)]


def test_sizes_that_real_cards_show() -> None:
    """SPEC-P6, FIELD: EF05 has 40 bytes (hex), EF06 of a 2.0 card 5B, groups as published."""
    ssse = DFS["SSSE"]
    for sfi, version, size in ((0x05, "2.0", 0x40), (0x06, "2.0", 0x5B), (0x06, "1.0", 0x45)):
        assert sum(2 + row.length for row in ssse.file(sfi).rows(version)) == size
    assert DFS["DF02"].item(0x05, 0x43, "2.0").length == 0x6C
    assert DFS["DF03"].item(0x19, 0x79).length == 0x27
    assert DFS["DF02"].file(0x07).size == 0x55


def test_df06_says_that_only_its_tags_are_known() -> None:
    assert all(ef.items == () for ef in DFS["DF06"].files)
    assert (EF05_TAGS[0], EF06_TAGS[0], EF06_TAGS[-1]) == (0xC0, 0xC6, 0xE2)


def test_each_row_says_where_it_stands_and_each_file_what_it_is() -> None:
    for df, ef in files():
        assert ef.source
        assert (ef.size > 0) == (ef.structure != VARIABLE), (df.name, ef.sfi)
        assert (ef.records > 0) == (ef.structure == CYCLIC)
        assert (ef.items == ()) == (ef.structure == TRANSPARENT or not ef.rows("2.0"))
        for row in ef.items:
            assert row.source
            assert (row.df, row.sfi) == (df.name, ef.sfi)
            assert (row.tag == 0) == (ef.structure == CYCLIC)


def test_no_tag_stands_twice_in_a_version_of_a_file() -> None:
    for _, ef in files():
        for version in VERSIONS:
            tags = [row.tag for row in ef.rows(version) if row.tag]
            assert len(tags) == len(set(tags)), (ef.df, ef.sfi, version)


def test_each_key_of_a_rule_is_a_key_of_the_card_in_that_df() -> None:
    for df, ef in files():
        rules = (ef.read, ef.write, ef.draft_read or (), *(rule for _, rule in ef.read_in))
        for name in {name for rule in rules for each in rule for name in each} - {"PIN"}:
            assert keys.BY_NAME[name].df == df.name


def test_access_rules_of_the_standard() -> None:
    """The rows that decide who sees what (V2.0; SPEC-P6 for the draft)."""
    ssse, df04 = DFS["SSSE"], DFS["DF04"]
    assert ssse.file(0x06).readable("2.0") == ((),)
    assert ssse.file(0x06).readable("3.0") == (("RKSSSE",),)
    assert df04.file(0x06).readable("3.0") == (("PIN", "RK1DF04"),)
    assert df04.file(0x08).read == (("PIN",),)
    assert df04.file(0x08).write == ()
    assert df04.file(0x05).draft_read == (("PIN",),)
    assert DFS["DF03"].file(0x05).read == (("PIN",), ("RK2DF03",))
    assert DFS["DF05"].file(0x05).read == ((),)


def test_each_kind_of_code_has_its_table() -> None:
    rows = [row for _, ef in files() for row in ef.items]
    rows += [part for row in rows for part in row.parts]
    named = {row.kind.removeprefix("code:") for row in rows if row.kind.startswith("code:")}
    assert named == set(codes.TABLES)
    assert codes.TABLES["nation"]["01"][0] == "汉族"
    assert codes.TABLES["nation"]["29"][0] == "柯尔克孜族"
    assert codes.TABLES["nation"]["56"][0] == "基诺族"
    assert len(codes.TABLES["nation"]) == 56
    assert codes.meaning("medical", "31001000") == (
        "城镇职工基本医疗保险、门诊统筹",
        "employee medical, out-patient pooling",
    )
    assert codes.meaning("medical", "99900000") is None
    assert codes.meaning("code:sex", "7") is None
    assert codes.meaning("code:sex", None) is None


def test_m5_card_and_psam_name_the_same_keys() -> None:
    """SPEC-P9: what the PSAM holds is a key of the card; a payment's four are probed at start."""
    held = {each.name for each in (*keytable.KEYS, *keytable.DPK, *keytable.OPEN_KEYS)}
    assert held <= set(keys.BY_NAME)
    assert set(keys.BY_NAME) - held == {"RK1DF06"}, "its PSAM id is not published"
    ids = [each.key_id for each in (*keytable.KEYS, *keytable.OPEN_KEYS)]
    assert len(ids) == len(set(ids))
    assert [each.name for each in keytable.PURCHASE_KEYS] == ["IRK", "RKSSSE", "RK1DF04", "UK2DF04"]
    uk3 = keytable.BY_NAME["UK3DF01"]
    assert (uk3.key_id, uk3.key_type, uk3.usual_factors) == (0x24, 7, 2)
    assert keys.BY_NAME["UK3DF01"].reference == 0x85
    assert keys.BY_NAME["UKBDF01"].reference is None
