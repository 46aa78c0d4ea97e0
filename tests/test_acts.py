"""M15, M16, M17: service acts show and write the card's files, each with its own right, no cut
leaves the card and the records in disagreement."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from firmware.authorize import acts
from firmware.authorize.acts import ACTS, file_of
from firmware.authorize.limits import check_psam
from firmware.authorize.service import serve
from firmware.authorize.services import SERVICES
from firmware.card import keys as card_keys
from firmware.card.items import CYCLIC, VERSIONS
from firmware.journal import kinds as rec
from firmware.outcome import outcome
from firmware.psam import keytable
from simulator.region import Region
from simulator.slot import AFTER, BEFORE, LOST, Cut
from simulator.switches import Switches
from tests.personal import give_key, opened
from tests.rig import Rig

ROOT = Path(__file__).resolve().parents[1]
UPDATE = 0xDC
SERVICE = SERVICES["act"]

JOB = {
    "occupation": "6180101",
    "start": "2019-01-01",
    "end": "2026-11-20",
    "employer": "成都示例机械有限公司",
}
POLICY = {
    "type": "021", "approved": "2026-11-01", "start": "2026-12-01", "end": "2027-05-31",
    "region": "510100",
}  # fmt: skip
GIVEN: dict[str, dict[str, Any]] = {
    "job-seeking": {"DF01EF07|29": "2", "DF02EF06|3A": "6180203", "DF02EF07": JOB},
    "unemployment": {
        "DF01EF07|29": "3", "DF02EF06|60": "2026-11-21", "DF02EF07": JOB,
        "DF03EF05|60": "2026-11-21",
    },
    "unemployment-benefit": {"DF03EF05|62": "20261201", "DF03EF05|63": "013"},
    "training": {"DF02EF16": POLICY},
    "work-capability": {"DF03EF06|46": "05", "DF03EF06|67": "20261122"},
    "injury-benefit": {"DF03EF15|7B": "20261122", "DF03EF17|3C": "成都样本建设有限公司"},
    "pension": {"DF01EF07|29": "4", "DF03EF07|6C": "2026-11-30", "DF03EF07|73": "2026-11-22"},
}  # fmt: skip


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    made = Rig(tmp_path)
    made.psam()
    return made


def run(rig: Rig, code: str, values: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
    rig.world.holder.type_pin("123456")
    assert check_psam(rig.unit) is None
    params: dict[str, Any] = {"code": code, "operator": "07"}
    if values is not None:
        params["values"] = values
    SERVICE.check(params)
    reader = rig.unit.cards_in_reach()[0]
    result, told = serve(rig.unit, reader, "act", SERVICE, params)
    assert json.loads(json.dumps(told)) == told
    return result.name, told


def held(card: Any, place: str) -> bytes:
    """What the card's memory holds there: an item's value, or the newest record."""
    df, ef = file_of(place)
    records = card.memory.files[f"{df.name}/{ef.sfi:02X}"]
    if ef.structure == CYCLIC:
        return bytes(records[0]) if records else b""
    tag = int(place[-2:], 16)
    return next(bytes(each[2:]) for each in records if each[0] == tag)


def wanted(code: str, version: str = "2.0") -> dict[str, bytes]:
    return {each.place: each.raw for each in acts.changes(ACTS[code], GIVEN[code], version)}


def services(rig: Rig) -> list[dict[int, Any]]:
    rig.unit.journal.flush()
    found = rig.unit.journal.records(0, 1000)
    return [each.body for each in found if each.kind == rec.KIND_SERVICE]


# -- the table ------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_m15_m16_m17_each_act_names_items_that_a_psam_can_write(act: Any) -> None:
    assert act.requirement in ("M15", "M16", "M17")
    for place in act.shows:
        assert file_of(place)[0].name in ("DF01", "DF02", "DF03")
    for place in act.writes:
        df, ef = file_of(place)
        ((key,),) = ef.write
        assert key in keytable.BY_NAME
        assert card_keys.BY_NAME[key].reference is not None
        if "|" in place:
            item = df.item(ef.sfi, int(place[-2:], 16), "3.0")
            assert (item.count, item.parts) == (1, ())
        else:
            assert ef.structure == CYCLIC


def test_the_acts_of_the_source_are_all_there() -> None:
    """Issue, section 8; M16 and M17 have several acts."""
    assert {act.requirement for act in ACTS.values()} == {"M15", "M16", "M17"}
    assert set(ACTS) == set(GIVEN)


# -- the acts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2.0", "3.0"])
@pytest.mark.parametrize("code", ACTS)
def test_m15_m16_m17_each_act_writes_reads_back_and_is_journaled(
    rig: Rig, code: str, version: str
) -> None:
    card = rig.card(generation=version, full=True)
    after = wanted(code, version)
    before = {place: held(card, place) for place in after}
    give_key(rig.unit)
    result, told = run(rig, code, GIVEN[code])
    assert result == "SERVED"
    assert {place: held(card, place) for place in after} == after
    assert sorted(told["written"]) == sorted(after)
    begun, ended = services(rig)
    assert begun[rec.KEY_OUTCOME] == outcome("UPDATE_OPEN").number
    assert ended[rec.KEY_OUTCOME] == outcome("SERVED").number
    for body in (begun, ended):
        assert (body[rec.KEY_ACT], body[rec.KEY_OPERATOR]) == (code, "07")
        assert body[rec.KEY_CARD_ID] == card.memory.files["SSSE/05"][0][2:]
        assert body[rec.KEY_ITEMS] == list(after)
    assert opened(rig.unit) == [{"before": before, "after": after}] * 2


@pytest.mark.parametrize("code", ACTS)
def test_m15_m16_m17_each_act_shows_its_files_before_it_writes(rig: Rig, code: str) -> None:
    rig.card(generation="2.0", full=True)
    result, told = run(rig, code)
    assert result == "SERVED"
    shown = {
        f"{df['name']}{file['name']}": file["state"]
        for df in told["card"]["applications"][1:]
        for file in df["files"]
    }
    assert shown == dict.fromkeys(ACTS[code].shows, "read")
    (body,) = services(rig)
    assert (body[rec.KEY_ACT], body[rec.KEY_OUTCOME]) == (code, outcome("SERVED").number)
    assert rec.KEY_SEALED not in body


def test_m16_a_cyclic_file_keeps_its_older_records(rig: Rig) -> None:
    card = rig.card(generation="2.0", full=True)
    older = list(card.memory.files["DF02/16"])
    assert run(rig, "training", {"DF02EF16": POLICY})[0] == "SERVED"
    assert card.memory.files["DF02/16"] == [wanted("training")["DF02EF16"], *older][:4]


@pytest.mark.parametrize("switches", [
    Switches(external_auth_kept="last"), *Switches.product("sfi_addressing", "ef_select"),
], ids=str)  # fmt: skip
def test_m16_over_every_way_in_which_cards_take_commands(rig: Rig, switches: Switches) -> None:
    card = rig.card(generation="2.0", full=True, switches=switches)
    assert run(rig, "unemployment", GIVEN["unemployment"])[0] == "SERVED"
    after = wanted("unemployment")
    assert {place: held(card, place) for place in after} == after


def test_m15_an_sm4_card_is_written(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Region("510100", seed="TEST", algorithm="sm4"))
    rig.psam()
    card = rig.card(generation="3.0", full=True)
    assert run(rig, "pension", GIVEN["pension"])[0] == "SERVED"
    assert held(card, "DF03EF07|6C") == bytes.fromhex("20261130")


@pytest.mark.parametrize("is_sealed", [True, False])
def test_the_values_reach_neither_journal_nor_display(rig: Rig, is_sealed: bool) -> None:
    """is_sealed: the unit has the office's encryption key."""
    rig.card(generation="2.0", full=True)
    fields: list[str] = []
    show = rig.unit.show
    rig.unit.show = lambda name, **of: (fields.extend(of.values()), show(name, **of))[1]
    if is_sealed:
        give_key(rig.unit)
    assert run(rig, "unemployment", GIVEN["unemployment"])[0] == "SERVED"
    assert [bool(each) for each in opened(rig.unit)] == [is_sealed] * 2
    secrets = [each for each in wanted("unemployment").values() if len(each) > 2]
    secrets += [JOB["employer"].encode(), JOB["occupation"].encode()]
    for path in (rig.folder / "data").iterdir():
        content = path.read_bytes() if path.is_file() else b""
        assert not [each for each in secrets if each in content]
    assert JOB["employer"] not in "".join(fields)


# -- rights ---------------------------------------------------------------------------------------


def without_key(rig: Rig, name: str) -> None:
    key = keytable.BY_NAME[name]
    (psam,) = rig.region.psams.values()
    del psam.memory.environments[0].keys[f"{key.key_type:02X}-{key.key_id:02X}"]


@pytest.mark.parametrize("key", ["UK2DF01", "UK2DF02", "UK3DF02", "UK1DF03"])
def test_m16_a_key_that_the_psam_lacks_is_named_and_nothing_is_written(rig: Rig, key: str) -> None:
    card = rig.card(generation="2.0", full=True)
    files = json.dumps({at: [r.hex() for r in of] for at, of in card.memory.files.items()})
    without_key(rig, key)
    result, told = run(rig, "unemployment", GIVEN["unemployment"])
    assert (result, told["key"]) == ("PSAM_KEY_MISSING", key)
    assert json.dumps({at: [r.hex() for r in of] for at, of in card.memory.files.items()}) == files
    (body,) = services(rig)
    assert key in body[rec.KEY_DETAIL]
    assert body[rec.KEY_OUTCOME] == outcome("PSAM_KEY_MISSING").number


def test_m15_a_key_that_the_card_refuses_is_named_and_nothing_is_written(rig: Rig) -> None:
    card = rig.card(generation="2.0", full=True)
    card.memory.keys["UK3DF03"] = bytes(range(16))
    before = held(card, "DF03EF07|6C")
    result, told = run(rig, "pension", GIVEN["pension"])
    assert (result, told["key"]) == ("CARD_REFUSED_TERMINAL", "UK3DF03")
    assert held(card, "DF03EF07|6C") == before
    assert "UK3DF03" in services(rig)[-1][rec.KEY_DETAIL]


def test_m1_no_act_without_the_pin(rig: Rig) -> None:
    card = rig.card(generation="2.0", full=True, pin="654321", tries=1)
    result, told = run(rig, "pension", GIVEN["pension"])
    assert (result, told) == ("PIN_LOCKED", {})
    assert held(card, "DF03EF07|6C") != bytes.fromhex("20261130")


# -- torn -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", [BEFORE, AFTER, LOST])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_m16_a_torn_act_asked_again_finds_old_or_new_and_ends(
    rig: Rig, nth: int, when: str
) -> None:
    card = rig.card(generation="2.0", full=True)
    after = wanted("unemployment")
    records = len(card.memory.files["DF02/07"])
    rig.user.arm(Cut(UPDATE, nth, when))
    result, _ = run(rig, "unemployment", GIVEN["unemployment"])
    assert result == "UPDATE_OPEN"
    new = {place for place in after if held(card, place) == after[place]}
    assert len(new) == (nth - 1 if when == BEFORE else nth)
    if when != LOST:  # then the card stayed in the reader
        rig.world.insert("user", card.label)
    result, told = run(rig, "unemployment", GIVEN["unemployment"])
    assert result == "SERVED"
    assert set(told["found_written"]) == new
    assert set(told["written"]) == set(after) - new
    assert {place: held(card, place) for place in after} == after
    assert len(card.memory.files["DF02/07"]) == records + 1  # appended once, not twice


def test_m16_a_power_cut_during_an_act_leaves_its_record(rig: Rig) -> None:
    rig.card(generation="2.0", full=True)

    class PowerCut(BaseException):
        pass

    transmit = rig.user.exchange

    def cut(command: bytes, *more: Any, **how: Any) -> Any:
        if command[1] == UPDATE:
            raise PowerCut
        return transmit(command, *more, **how)

    rig.user.exchange = cut  # type: ignore[method-assign]
    give_key(rig.unit)
    with pytest.raises(PowerCut):
        run(rig, "pension", GIVEN["pension"])
    del rig.user.exchange
    rig.restart()
    (body,) = services(rig)
    assert body[rec.KEY_OUTCOME] == outcome("UPDATE_OPEN").number
    assert opened(rig.unit)[0]["after"] == wanted("pension")


def test_a_card_that_answers_ok_and_writes_nothing_is_not_believed(rig: Rig) -> None:
    card = rig.card(generation="2.0", full=True)
    exchange = rig.user.exchange

    def lying(command: bytes, *more: Any, **how: Any) -> Any:
        if command[1] == UPDATE:
            return b"\x90\x00"
        return exchange(command, *more, **how)

    rig.user.exchange = lying  # type: ignore[method-assign]
    result, told = run(rig, "pension", GIVEN["pension"])
    assert (result, told["written"]) == ("UPDATE_OPEN", [])
    assert held(card, "DF03EF07|6C") != bytes.fromhex("20261130")
    assert "reads back" in services(rig)[-1][rec.KEY_DETAIL]


# -- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "no such act"},
        {"values": {"DF03EF07|70": "110"}},  # not of this act
        {"values": {"DF04EF06|92": 0}},
        {"values": {"DF03EF07|6C": "2026-02-30"}},
        {"values": {"DF03EF07|6C": "x" * 60_000}},
        {"values": {"DF03EF07|6C": {"a": 1}}},
        {"values": {"DF03EF07|6C": [1]}},
        {"values": {"DF02EF16": "021"}},
        {"values": {str(n): "" for n in range(17)}},
        {"operator": ""},
        {"values": "x"},
    ],
    ids=lambda wrong: str(wrong)[:60],
)
def test_what_no_card_could_take_is_refused_before_any_card(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        SERVICE.check({"code": "pension", "operator": "07", **wrong})


def test_an_item_that_this_card_lacks_is_refused_with_its_name(rig: Rig) -> None:
    card = rig.card(generation="2.0", full=True)
    records = card.memory.files["DF03/07"]
    records[:] = [each for each in records if each[0] != 0x6C]
    result, told = run(rig, "pension", GIVEN["pension"])
    assert result == "VALUES_REFUSED"
    assert "DF03EF07|6C" in told["problem"]
    assert held(card, "DF03EF07|73") != bytes.fromhex("20261122")


def test_what_another_generation_has_is_refused_at_the_card(rig: Rig) -> None:
    rig.card(generation="1.0", full=True)
    result, told = run(rig, "work-capability", {"DF03EF06|46": "05"})
    assert result == "VALUES_REFUSED"
    assert "version 1.0" in told["problem"]
    assert VERSIONS[0] == "1.0"


# -- the page -------------------------------------------------------------------------------------


def test_the_integrators_page_has_the_table_of_acts() -> None:
    page = (ROOT / "docs" / "integrator.md").read_text("utf-8").replace("\\|", "!")
    for act in ACTS.values():
        (row,) = re.findall(rf"(?m)^\| `{act.code}` \|(.*)\|$", page)
        label, shows, writes, keys = (cell.strip() for cell in row.split("|"))
        assert (label, tuple(shows.split())) == (act.label, act.shows)
        assert tuple(re.findall("`(.+?)`", writes.replace("!", "|"))) == act.writes
        needed = dict.fromkeys(file_of(place)[1].write[0][0] for place in act.writes)
        assert keys.split(", ") == list(needed)
