"""Issue, section 12: one PSAM for 3DES and SM4, root levels, key versions, regions side by side."""

import pytest
from simulated_talk import (
    SSSE,
    TIME,
    amounts,
    authenticate_by_psam,
    data,
    debit,
    factors,
    in_df04,
    init_sam,
    initialize,
    prepare,
    send,
)

from firmware.channel import open_channel
from firmware.psam.session import PsamSession
from simulator.keytable import KEYS
from simulator.region import Region
from simulator.slot import SimulatedSlot
from simulator.world import World

DES_NAME = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
SM4_NAME = "00A404000F7378332E73682EC9E7BBE1B1A3D5CF"
NAMES = {"3des": DES_NAME, "sm4": SM4_NAME}
MONEY = amounts(1000, 300, 2000)


def select(psam, algorithm: str):
    """DF01 of the environment for that algorithm."""
    data(psam, NAMES[algorithm])
    data(psam, "00A4000002DF01")
    return psam


def pay(card, psam, count: int = 1) -> None:
    """A purchase with that many factors; the PSAM stands in its DF01."""
    init = initialize(card, MONEY)
    sam = init_sam(psam, init, MONEY, factors(card, count))
    assert data(psam, "8072000004" + data(card, debit(*sam))[8:]) == ""


@pytest.fixture
def region():
    return Region(algorithm="both")


def test_cards_of_both_ciphers_pay_at_one_psam(region):
    psam = region.issue_psam(serial=7)
    psam.power_on()
    for serial, generation in enumerate(("1.0", "2.0", "3.0"), 1):
        card = in_df04(region.issue_card(serial, generation=generation, balance_fen=10_000))
        selector = "9F0C03860103" if generation == "3.0" else ""
        assert data(card, SSSE).endswith(selector)
        assert ("860103" in data(card, SSSE)) == (generation == "3.0")
        in_df04(card)
        pay(card, select(psam, card.algorithm.name))
        assert card.balance_fen == 9000
    assert (psam.serial_of("3des"), psam.serial_of("sm4")) == (9, 8)
    assert psam.terminal_serial == 9
    with pytest.raises(KeyError, match="no environment for ssf33"):
        psam.serial_of("ssf33")


def test_environments_have_their_own_files_serials_and_keys(region):
    psam = region.issue_psam(serial=0x10)
    psam.power_on()
    assert data(psam, "00B0960006") == "510100000001"
    card = in_df04(region.issue_card(1, generation="3.0", balance_fen=10_000))
    pay(card, select(psam, "sm4"))
    assert data(psam, "00B0990004") == "00000011"
    select(psam, "3des")
    assert data(psam, "00B0990004") == "00000010"
    assert data(psam, "00A40000023F00").endswith(DES_NAME[10:])
    held = [each.keys for each in psam.memory.environments]
    assert set(held[0]) == set(held[1])
    assert not {key.key for key in held[0].values()} & {key.key for key in held[1].values()}


def test_a_session_key_ends_with_its_environment(region):
    psam = region.issue_psam()
    psam.power_on()
    card = region.issue_card(1)
    prepare(select(psam, "3des"), card, "6708", "1122334455667788")
    select(psam, "sm4")
    assert send(psam, "80FA000010" + "00" * 16) == "6985"


def test_the_wrong_environment_makes_a_mac1_that_the_card_refuses(region):
    psam = region.issue_psam()
    psam.power_on()
    card = in_df04(region.issue_card(1, balance_fen=10_000))
    init = initialize(card, MONEY)
    select(psam, "sm4")
    body = init[36:44] + init[28:32] + MONEY + "32" + TIME + init[32:36] + factors(card, 1)
    assert send(psam, f"80700100{len(body) // 2:02X}" + body) == "6A80"  # algorithm 01 is not SM4
    sam = init_sam(psam, init[:34] + "03" + init[36:], MONEY, factors(card, 1))
    assert send(card, debit(*sam)) == "9302"
    assert card.balance_fen == 10_000


@pytest.mark.parametrize("kept", ["mixed", "nation", "province", "city"])
@pytest.mark.parametrize("generation", ["2.0", "3.0"])
def test_every_key_of_a_psam_opens_the_card_at_every_level(kept, generation):
    """M6: national, provincial, city roots for both ciphers."""
    region = Region(kept_levels=kept, algorithm="both")
    psam = region.issue_psam()
    psam.power_on()
    card = region.issue_card(1, generation=generation, optional=("DF05",))
    select(psam, card.algorithm.name)
    levels = {"nation": 3, "province": 2, "city": 1}
    opened = []
    for row in KEYS:
        if row.reference is None or row.key_id is None:
            continue
        card.power_on()
        data(card, SSSE)
        if row.df != "SSSE":
            data(card, f"00A4000002{row.df}")
        count = levels.get(kept, row.usage >> 5)
        usage_id = f"{count << 5 | row.type:02X}{row.key_id:02X}"
        assert authenticate_by_psam(card, psam, usage_id, row.reference) == "9000", row.name
        opened.append(row.name)
    assert {"UKSSSE", "PUK", "BK", "LKDF04", "DSK", "RK3DF07", "UKBDF01"} <= set(opened)


def test_the_terminals_own_psam_session_uses_both_environments(region):
    psam = region.issue_psam()
    slot = SimulatedSlot("psam")
    slot.insert(psam)

    def power():
        slot.power_on()
        return open_channel(slot, 1.0)

    session = PsamSession(power)
    assert session.start().terminal.hex() == "510100000001"
    session.select(3)
    assert session.read_serial().hex() == "00000001"


# -- key versions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("generation", ["2.0", "3.0"])
@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_card_behind_its_psam_pays_with_its_own_version(region, generation, version):
    """M6: DPK ids 01 to 03 are its versions; INITIALIZE says which is the card's."""
    psam = region.issue_psam(key_versions=(1, 2, 3))
    psam.power_on()
    card = in_df04(
        region.issue_card(1, generation=generation, balance_fen=10_000, key_version=version)
    )
    assert initialize(card, MONEY)[32:34] == f"{version:02X}"
    pay(card, select(psam, card.algorithm.name))
    assert card.balance_fen == 9000
    other = region.issue_card(2, generation=generation, key_version=version % 3 + 1)
    tree = region.tree_of(card)
    keys = [tree.card_key("DPK", card.factor, version=each) for each in (1, 2, 3)]
    assert len(set(keys)) == 3
    assert card.memory.keys["DPK"] == keys[version - 1]
    assert other.memory.keys["IRK"] == region.tree_of(other).card_key("IRK", other.factor)


def test_a_psam_without_the_cards_version_says_so(region):
    psam = region.issue_psam(key_versions=(2, 3))
    psam.power_on()
    select(psam, "3des")
    card = in_df04(region.issue_card(1, balance_fen=10_000, key_version=1))
    init = initialize(card, MONEY)
    body = init[36:44] + init[28:32] + MONEY + "32" + TIME + init[32:36] + factors(card, 1)
    assert send(psam, f"80700100{len(body) // 2:02X}" + body) == "6A88"
    assert psam.terminal_serial == 1


# -- regions --------------------------------------------------------------------------------------


def test_regions_side_by_side_in_one_world_and_one_file(tmp_path):
    """M7: cards of three cities, one city with its own factor, at a PSAM of national roots."""
    own_factor = b"510700XX"
    region = Region(kept_levels="nation", algorithm="both", city_factors={"510700": own_factor})
    world = World(region, tmp_path / "region.json")
    region.issue_psam()
    codes = ("510100", "510700", "420100")
    for serial, code in enumerate(codes, 1):
        for generation in ("2.0", "3.0"):
            region.issue_card(
                serial,
                generation=generation,
                code=code,
                balance_fen=10_000,
                label=f"{code}-{generation}",
            )
    world.save()
    again = Region.load(tmp_path / "region.json")
    psam = again.psams["psam-510100000001"]
    psam.power_on()
    for card in again.cards.values():
        code = card.memory.code
        assert card.card_id[:3].hex() == code
        in_df04(card)
        select(psam, card.algorithm.name)
        init = initialize(card, MONEY)
        usual = factors(card, 3)
        right = usual.replace((code + "sx").encode().hex(), own_factor.hex())
        used = right if code == "510700" else usual
        sam = init_sam(psam, init, MONEY, used)
        assert send(card, debit(*sam)).endswith("9000"), card.label
    card = in_df04(again.cards["510700-2.0"])
    select(psam, "3des")
    sam = init_sam(psam, initialize(card, MONEY), MONEY, factors(card, 3))
    assert send(card, debit(*sam)) == "9302"  # the usual factor is not this city's


def test_a_city_psam_serves_its_own_city_only():
    region = Region(kept_levels="city")
    card = in_df04(region.issue_card(1, code="420100", balance_fen=10_000))
    home = region.issue_psam()
    there = region.issue_psam("420100000001", code="420100")
    for psam, sw in ((home, "9302"), (there, "9000")):
        psam.power_on()
        select(psam, "3des")
        sam = init_sam(psam, initialize(card, MONEY, psam.terminal_number.hex()), MONEY,
                       factors(card, 1))  # fmt: skip
        assert send(card, debit(*sam)).endswith(sw)


# -- what cannot be issued, what is kept ----------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"key_version": 4}, "key_version is one of 1, 2, 3"),
        ({"algorithm": "ssf33"}, "algorithm is one of 3des, sm4"),
        ({"meanings": "1.0"}, "meanings is one of 2.0"),
        ({"optional": ["DF07"]}, "optional is one of DF05, DF06"),
    ],
)
def test_what_cannot_be_issued(region, wrong, why):
    with pytest.raises(ValueError, match=why):
        region.issue_card(1, **wrong)


def test_a_region_of_one_cipher_issues_no_card_of_the_other():
    with pytest.raises(ValueError, match="algorithm is one of sm4"):
        Region(algorithm="sm4").issue_card(1, algorithm="3des")
    with pytest.raises(ValueError, match="algorithm is 3des, sm4 or both"):
        Region(algorithm="des")


def test_an_sm4_card_of_version_2_where_the_region_wants_one(region):
    card = region.issue_card(1, generation="2.0", algorithm="sm4")
    card.power_on()
    assert data(card, SSSE).endswith("860103")


def test_both_environments_survive_a_restart(region, tmp_path):
    psam = region.issue_psam(key_versions=(1, 2))
    psam.power_on()
    pay(in_df04(region.issue_card(1, generation="3.0", balance_fen=9000)), select(psam, "sm4"))
    region.save(tmp_path / "region.json")
    again = Region.load(tmp_path / "region.json")
    assert again.psams[psam.label].to_state() == psam.to_state()
    assert again.psams[psam.label].serial_of("sm4") == 2
    assert [each.name for each in again.algorithms] == ["3des", "sm4"]
    assert again.tree(algorithm="sm4").national_root("DPK") != again.national_root("DPK")
