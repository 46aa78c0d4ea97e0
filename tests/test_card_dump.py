"""M13: a whole card as data, every item of it, over every way in which cards differ.

Held against what the simulated card's memory holds, byte by byte.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from firmware.apdu import CommandApdu, ResponseApdu
from firmware.card import region as regions
from firmware.card.dump import FORMAT, dump, shown_rule, version_of
from firmware.card.dump_table import table
from simulator.local import PERSON_CODE
from simulator.region import Region
from simulator.switches import Switches
from tests.bench.dump import Reading, full_card, measure, minimum_bytes

GENERATIONS = ("1.0", "2.0", "3.0")
DIRECTORIES = ("SSSE/0B", "SSSE/1E")
SWITCHED = [*Switches.every(), *Switches.product("sfi_addressing", "ef_select", "le_too_large")]
NAMES = [", ".join(each.changed().values()) or "defaults" for each in SWITCHED]


def reading(generation: str = "3.0", **how: Any) -> Reading:
    return Reading(*full_card(generation, **how))


def files_of(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Place ("DF04/08") -> the entry of each file that was read."""
    return {
        f"{df['name']}/{file['name'][2:]}": file
        for df in told["applications"]
        for file in df["files"]
        if file["state"] == "read"
    }


def shown_bytes(file: dict[str, Any]) -> list[bytes]:
    """The records, or the one content, that an entry shows."""
    if "data" in file:
        return [bytes.fromhex(file["data"])]
    if "records" in file:
        return [bytes.fromhex(each["raw"]) for each in file["records"]]
    items = [(int(each["tag"], 16), bytes.fromhex(each["raw"])) for each in file["items"]]
    return [bytes((tag, len(raw))) + raw for tag, raw in items]


def stored_bytes(card: Any, place: str) -> list[bytes]:
    """What the card's memory holds; a transparent file is FF where nothing was written."""
    ef, records = card.structure[place[:4], int(place[5:], 16)], card.memory.files[place]
    return [b"".join(records).ljust(ef.size, b"\xff")] if ef.is_transparent else records


def assert_every_item_is_shown(card: Any, told: dict[str, Any]) -> None:
    found = files_of(told)
    listed = set(card.memory.files) - set(DIRECTORIES)
    assert set(found) == listed
    for place in listed:
        assert shown_bytes(found[place]) == stored_bytes(card, place), place


# -- every card -----------------------------------------------------------------------------------


@pytest.mark.parametrize("switches", SWITCHED, ids=NAMES)
@pytest.mark.parametrize("generation", GENERATIONS)
def test_m13_every_item_of_every_generation_over_every_switch(
    generation: str, switches: Switches
) -> None:
    one = reading(generation, switches=switches)
    told = one.run()
    assert_every_item_is_shown(one.card, told)
    assert told["version"] == generation
    assert json.loads(json.dumps(told)) == told


@pytest.mark.parametrize(
    "how",
    [
        {"generation": "3.0", "contactless": True},
        {"generation": "2.0", "account_only": True},
        {"generation": "2.0", "account_only": True, "purchase_serial": 8},  # 7 x 20 = 5 x 28 bytes
        {"generation": "2.0", "purchase_serial": 6},
        {"generation": "2.0", "purchase_serial": 1},
        {"generation": "2.0", "log_records": 60, "purchase_serial": 70},
        {"generation": "2.0", "has_ef06": False},
        {"generation": "2.0", "optional": ()},
        {"generation": "1.0", "meanings": "1.0"},
        {"generation": "1.0", "meanings": "rewritten"},
        {"generation": "3.0", "pin": None},
    ],
    ids=lambda how: ", ".join(f"{name}={value}" for name, value in how.items()),
)
def test_m13_every_item_of_cards_that_differ_otherwise(how: dict[str, Any]) -> None:
    one = Reading(*full_card(**how), pin=how.get("pin", "123456"))
    assert_every_item_is_shown(one.card, one.run())


def test_an_sm4_card_says_so() -> None:
    region = Region("510100", seed="TEST", algorithm="sm4")
    card = region.issue_card(1, generation="3.0", full=True)
    told = Reading(region, card.label).run()
    assert told["algorithm"] == 3
    assert_every_item_is_shown(card, told)
    assert "算法 SM4" in table(told)


def test_a_1_0_card_rewritten_with_the_2_0_meaning_is_read_by_the_2_0_rows() -> None:
    """V2.0: values filled with hex E on the right."""
    one = reading("1.0", meanings="rewritten")
    found = files_of(one.run())
    items = {each["tag"]: each for each in found["DF04/06"]["items"]}
    assert items["90"]["raw"].endswith("EE")
    assert (items["90"]["what"], items["90"]["value"]) == ("offline permitted", "1")


# -- rights ---------------------------------------------------------------------------------------


def states(told: dict[str, Any]) -> dict[str, str]:
    return {
        f"{df['name']}/{file['name'][2:]}": file["state"]
        for df in told["applications"]
        for file in df["files"]
    }


def test_without_pin_and_keys_only_the_free_files_are_read_and_the_reasons_told() -> None:
    region, label = full_card("3.0")
    one = Reading(region, label)
    one.slot.power_off()
    one.slot.power_on()
    one.exchanges.clear()
    told = dump(one.session, lambda name: False)
    free = {place for place, state in states(told).items() if state == "read"}
    assert free == {"SSSE/05", "DF05/05", *(f"DF01/{sfi:02X}" for sfi in range(0x16, 0x1B))}
    assert set(states(told).values()) == {"read", "refused"}
    holder = told["applications"][0]["files"][1]
    assert holder["reason"] == "needs RKSSSE"
    medical = next(df for df in told["applications"] if df["name"] == "DF04")
    assert [file["reason"] for file in medical["files"]] == [
        "needs PIN or RK1DF04",
        "needs PIN and RK1DF04",
        "needs PIN",
        "needs PIN or RK1DF04",
    ]
    refused = [answer for _, answer in one.exchanges if answer == b"\x69\x82"]
    assert refused == [], "what the table forbids is not asked for"


def test_with_keys_alone_everything_but_pin_files_is_read() -> None:
    region, label = full_card("3.0")
    one = Reading(region, label)
    one.slot.power_off()
    one.slot.power_on()
    told = dump(one.session, one.authenticate)
    assert {place for place, state in states(told).items() if state != "read"} == {
        "DF04/06",
        "DF04/08",
    }


def test_a_key_that_failed_is_never_tried_again() -> None:
    """A wrong key loses its tries: one attempt for the three files of RKSSSE."""
    one = reading("3.0")
    asked: list[str] = []

    def refused(name: str) -> bool:
        asked.append(name)
        return False

    dump(one.session, refused, pin_verified=True)
    assert len(asked) == len(set(asked))
    assert "RKSSSE" in asked


def test_a_card_stricter_than_its_table_is_asked_again_with_the_key() -> None:
    """SPEC-P6: on 6982 the other branch is tried; here EF06 of a 2.0 card behind RKSSSE."""
    region, label = full_card("2.0")
    card = region.cards[label]
    ef = card.structure["SSSE", 0x06]
    card.structure["SSSE", 0x06] = type(ef)((("RKSSSE",),), ef.write, ef.items)
    one = Reading(region, label)
    assert_every_item_is_shown(card, one.run())
    assert one.asked[0] == "RKSSSE"


# -- what is there --------------------------------------------------------------------------------


def test_the_directory_rules_out_what_it_does_not_list() -> None:
    one = reading("2.0", optional=())
    told = one.run()
    assert [entry["aid"] for entry in told["directory"]][:2] == ["D15600000500", "D15600000501"]
    absent = [df["name"] for df in told["applications"] if df["state"] == "absent"]
    assert absent == ["DF05", "DF06"]
    first = reading("1.0").run()
    assert [df["name"] for df in first["applications"] if df["state"] == "absent"] == [
        "DF05",
        "DF06",
        "DF07",
    ]


def test_without_a_directory_every_application_is_tried() -> None:
    one = reading("3.0", switches=Switches(directory="absent"), optional=("DF06",))
    told = one.run()
    assert told["directory"] is None
    assert [df["name"] for df in told["applications"] if df["state"] == "absent"] == ["DF05"]


def test_m7_a_regions_own_files_are_read_with_its_table() -> None:
    region = Region("510100", seed="TEST", local={"510100": PERSON_CODE})
    card = region.issue_card(1, generation="2.0", full=True)
    own = regions.parse(
        'region = "5101"\n'
        "[[ef]]\ndf = 'SSSE'\nfid = 'EF0C'\nlabel = '地方文件'\n"
        "read = 'free'\nwrite = 'never'\nstructure = 'variable'\n"
        "[[ef.item]]\ntag = 'E8'\nform = 'an'\nlength = 16\nlabel = '预留'\n"
        "[[ef]]\ndf = 'SSSE'\nfid = 'EF0D'\nlabel = '人员信息'\n"
        "read = 'free'\nwrite = 'never'\nstructure = 'variable'\n"
        "[[ef.item]]\ntag = 'EA'\nform = 'an'\nlength = 12\nlabel = '人员编号'\n"
        "[[ef.item]]\ntag = 'EB'\nform = 'cn'\nlength = 3\nkind = 'region'\nlabel = '首发地'\n",
        "sichuan.toml",
    )
    told = Reading(region, card.label).run(applications=own.applications)
    assert_every_item_is_shown(card, told)
    assert "    EA  人员编号                  000012345678\n" in table(told)


# -- cards that refuse a way of reading -----------------------------------------------------------


class Refusing:
    """A channel to a card that refuses some modes of READ RECORD."""

    def __init__(self, below: Any, modes: tuple[int, ...]):
        self._below = below
        self._modes = modes

    def transmit(self, command: CommandApdu) -> ResponseApdu:
        if command.ins == 0xB2 and command.p2 & 7 in self._modes:
            return ResponseApdu(b"", 0x6A86)
        return self._below.transmit(command)


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("modes", [(5,), (4, 5)], ids=["no runs", "no numbers either"])
def test_cards_that_take_only_single_records(generation: str, modes: tuple[int, ...]) -> None:
    """By number; then by identifier with next occurrence, which no cyclic file has."""
    one = reading(generation)
    one.session._channel = Refusing(one.session._channel, modes)
    told = one.run()
    found = files_of(told)
    left_out = DIRECTORIES + (UNREADABLE_BY_TAG if 4 in modes else ())
    for place in set(one.card.memory.files) - set(left_out):
        stored = stored_bytes(one.card, place)
        assert sorted(shown_bytes(found[place])) == sorted(stored), place


UNREADABLE_BY_TAG = ("DF02/07", "DF02/16", "DF04/08", "DF04/15", "DF06/05", "DF06/06")


# -- numbers --------------------------------------------------------------------------------------


def test_a_dump_exchanges_hardly_more_bytes_than_the_tables_allow(tmp_path) -> None:
    """Issue B, Numbers: card.dump_bytes_over_minimum <= 1.05, card.dump_terminal_ms <= 60."""
    figures = measure(tmp_path)
    assert 1.0 <= figures["card.dump_bytes_over_minimum"].value <= 1.05
    assert figures["card.dump_terminal_ms"].value <= 60


@pytest.mark.parametrize(("generation", "most"), [("1.0", 1.08), ("2.0", 1.05)])
def test_nor_do_older_cards(generation: str, most: float) -> None:
    """A 1.0 card may cut an answer in silence (FIELD): each file is read until 6A83."""
    one = reading(generation)
    one.run()
    assert 1.0 <= one.bytes_exchanged / minimum_bytes(one.card, one.asked) <= most


# -- the table ------------------------------------------------------------------------------------


def test_the_table_shows_labels_values_meanings_and_yuan() -> None:
    shown = table(reading("3.0").run())
    for line in (
        "规范版本 3.0    算法 3DES",
        "SSSE 社会保障环境",
        "    09  姓名                      张三",
        "    0A  性别                      1（男）",
        "    92  脱网累计金额              0.00 元",
        "        59  毕业院校              四川示例大学",
        "    C0  数据项                    ‹3031›",
    ):
        assert line in shown.splitlines(), line
    assert "个人账户金额 10.39 元" in shown
    assert "4096 字节：" in shown


def test_the_table_says_what_could_not_be_read() -> None:
    one = reading("3.0")
    one.slot.power_off()
    one.slot.power_on()
    shown = table(dump(one.session, lambda name: False))
    assert "EF06 持卡人基本信息文件：无权读取（needs RKSSSE）" in shown
    first = table(reading("1.0").run())
    assert "DF07 人事人才信息区：无此应用" in first


def test_small_rules() -> None:
    assert [version_of(raw) for raw in (None, b"", b"1.00", b"2.0\x00", b"3.00", b"2.01")] == [
        "1.0",
        "1.0",
        "1.0",
        "2.0",
        "3.0",
        "2.0",
    ]
    assert shown_rule(()) == "nobody"
    assert FORMAT == 1
