"""Issue section 2: any number of cards and PSAMs; state in one file that survives a restart."""

import json
import os

import pytest
from simulated_talk import PIN_OK, amounts, data, in_df04, in_psam, initialize, purchase, send

from simulator.region import Region
from simulator.switches import Switches


def test_state_survives_a_restart(tmp_path):
    """Balances, serials, tries, log, EF contents and proof come back; sessions do not."""
    path = tmp_path / "region.json"
    region = Region(seed="a seed", kept_levels="province")
    card = region.issue_card(1, balance_fen=5000, switches=Switches(proof_serial="plus_one"))
    region.issue_card(2, generation="3.0", contactless=True, pin=None)
    psam = region.issue_psam()
    in_psam(psam)
    in_df04(card)
    init = initialize(card, amounts(100))
    body = init[36:44] + init[28:32] + amounts(100) + "32" + "20261122103045" + init[32:36]
    body += card.factor.hex() + "3531303130307378"
    sam = data(psam, f"80700100{len(body) // 2:02X}" + body)
    tac_mac2 = data(card, "B02C01000F" + sam[:8] + "20261122103045" + sam[8:])
    send(card, "0020000003000000")
    region.save(path)

    again = Region.load(path)
    assert list(again.cards) == ["card-1", "card-2"]
    same = again.cards["card-1"]
    assert same.to_state() == card.to_state()
    assert again.psams["psam-510100000001"].to_state() == psam.to_state()
    assert again.cards["card-2"].contactless
    assert again.psams["psam-510100000001"].terminal_serial == 2
    assert send(in_df04(same, pin=False), "0020000000") == "63C5"
    assert send(same, "B02E0032020002") == tac_mac2[8:] + tac_mac2[:8] + "9000"
    data(same, PIN_OK)
    assert data(same, "B026000104") == f"{4900:08X}"
    assert same.log == card.log
    assert again.national_root("DPK") == region.national_root("DPK")


def test_state_is_json_and_a_card_stands_alone():
    card = Region().issue_card(1, balance_fen=1)
    stored = json.loads(json.dumps(card.to_state()))
    assert type(card).from_state(stored).to_state() == stored


def test_dirty_tells_what_is_not_yet_saved(tmp_path):
    region = Region()
    card, psam = region.issue_card(1, balance_fen=5000), region.issue_psam()
    in_psam(psam)
    in_df04(card)
    region.save(tmp_path / "region.json")
    assert not card.dirty
    data(card, "00B28F2803")
    init = initialize(card, amounts(1))
    assert not card.dirty
    purchase(card, psam, amounts(1))
    assert card.dirty
    assert psam.dirty
    assert init
    region.save(tmp_path / "region.json")
    again = Region.load(tmp_path / "region.json")
    assert again.cards["card-1"].balance_fen == 4999
    assert again.psams["psam-510100000001"].terminal_serial == 2


def test_save_replaces_the_file_whole(tmp_path, monkeypatch):
    """A power cut while writing leaves the old state: nothing is renamed before its fsync."""
    path = tmp_path / "region.json"
    region = Region()
    region.issue_card(1)
    region.save(path)
    before = path.read_bytes()

    def cut(_descriptor):
        raise OSError("power cut")

    monkeypatch.setattr(os, "fsync", cut)
    region.issue_card(2)
    with pytest.raises(OSError, match="power cut"):
        region.save(path)
    assert path.read_bytes() == before


def test_a_file_of_another_format_is_refused(tmp_path):
    path = tmp_path / "region.json"
    path.write_text('{"format": 99}')
    with pytest.raises(ValueError, match="format 2"):
        Region.load(path)


def test_many_cards_have_their_own_numbers_keys_and_randoms():
    region = Region()
    cards = [region.issue_card(serial) for serial in range(1, 21)]
    for distinct in (
        {card.card_id for card in cards},
        {card.card_number for card in cards},
        {card.factor for card in cards},
        {card.memory.keys["DPK"] for card in cards},
    ):
        assert len(distinct) == 20
    for card in cards:
        card.power_on()
    assert len({data(card, "0084000008") for card in cards}) == 20
    with pytest.raises(ValueError, match="card-1 has been issued"):
        region.issue_card(1)


def test_the_seed_makes_a_transcript_again_and_a_start_makes_new_randoms():
    def challenges():
        card = Region(seed="x").issue_card(1)
        out = []
        for _ in range(2):
            card.power_on()
            out += [data(card, "0084000008"), data(card, "0084000008")]
        return out

    assert challenges() == challenges()
    assert len(set(challenges())) == 4
    free = Region(seed="x", reproducible=False).issue_card(1)
    free.power_on()
    assert data(free, "0084000008") not in challenges()


def test_repr_shows_no_key_and_no_pin():
    region = Region()
    card, psam = region.issue_card(1), region.issue_psam()
    shown = repr(card.memory) + repr(psam.memory)
    assert card.memory.keys["DPK"].hex() not in shown
    assert repr(card.memory.keys["DPK"]) not in shown
    assert repr(card.memory.pin) not in shown
    held = psam.memory.environments[0].keys
    assert len(held) > 20
    assert all(repr(each.key) not in shown for each in held.values())


@pytest.mark.parametrize(
    "wrong",
    [
        {"generation": "4.0"},
        {"pin": "123"},
        {"pin": "12345x"},
        {"citizen_number": "123"},
        {"name": "名" * 16},
    ],
)
def test_what_cannot_be_issued(wrong):
    with pytest.raises(ValueError, match=r".+"):
        Region().issue_card(1, **wrong)
