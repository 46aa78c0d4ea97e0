"""Issue, section 12: cards of version 1.0 and of the draft, local files, life states (M7, M13)."""

import pytest
from simulated_talk import SSSE, allow, authenticate, data, enter, read_all, send

from simulator.local import PERSON_CODE, Local
from simulator.region import Region
from simulator.switches import Switches


@pytest.fixture
def region():
    return Region(algorithm="both")


# -- other versions, other rules ------------------------------------------------------------------


def test_a_1_0_card_by_its_own_meanings(region):
    """SPEC-P6: the same tags held wages, dates, names and the account's amounts."""
    card = region.issue_card(
        7, generation="1.0", full=True, meanings="1.0", balance_fen=12345, label="old"
    )
    enter(card, "DF04")
    allow(card, region, "P")
    allow(card, region, "RK1DF04")
    assert data(card, "00B2903006") == "900400012345"
    name = bytes.fromhex(data(card, "00B2812848")[4:])
    assert name.rstrip(b"\0").decode("gbk").endswith("医院")
    enter(card, "DF02")
    allow(card, region, "P")
    assert data(card, "00B24B3006") == "4B0420090801"
    assert data(card, "00B255480C") == "550A00000000005101000001"


def test_a_1_0_card_rewritten_with_2_0_meanings_fills_with_hex_e(region):
    """V2.0: the new value, then E to the old length."""
    card = region.issue_card(8, generation="1.0", full=True, meanings="rewritten", label="new")
    enter(card, "DF04")
    allow(card, region, "P")
    allow(card, region, "RK1DF04")
    assert data(card, "00B2903006") == "900431EEEEEE"
    assert data(card, "00B2933006") == "93043030EEEE"
    assert data(card, "00B2812848") == "8146" + b"31000000".hex() + "EE" * 62
    assert data(card, "00B2842848") == "8446" + "510100" + "EE" * 67
    enter(card, "DF01")
    allow(card, region, "P")
    assert data(card, "00B2324805") == "32033031EE"
    enter(card, "DF02")
    allow(card, region, "P")
    assert data(card, "00B24D3006") == "4D04510100EE"
    assert data(card, "00B24B3006") == "4B0420090801"  # an05 has no room in cn04: as it was


def test_the_draft_has_its_own_files_in_df03(region):
    card = region.issue_card(
        9, full=True, switches=Switches(access_rules="p6_draft"), label="draft"
    )
    enter(card, "DF03")
    allow(card, region, "P")
    assert [read_all(card, sfi)[0][:2] for sfi in (0x08, 0x09, 0x0A)] == ["7A", "51", "3B"]
    assert send(card, "00A4020002EF15") == "6A82"


def test_local_files_are_data(tmp_path):
    """M7: SSSE/EF0D with tags EA and EB, written with the local key 0D; a DF0A of one's own."""
    own = Local.from_json(
        {
            "dfs": {"DF0A": [0xDF0A, "D1560000050A", "本地应用"]},
            "files": {"DF0A/05": ["PIN|RK1DF0A", "UK1DF0A", "EC:a04 ED*2:c04", 0, 0]},
            "keys": [["RK1DF0A", "DF0A", 0x84, 0x67, 0x21], ["UK1DF0A", "DF0A", 0x85, 0x48, 0x4F]],
            "values": {"DF0A/05": {"EC": "1234"}},
        }
    )
    region = Region(local={"510100": PERSON_CODE, "420100": own})
    region.issue_card(1)
    region.save(tmp_path / "region.json")
    region = Region.load(tmp_path / "region.json")
    assert region.local == {"510100": PERSON_CODE, "420100": own}
    card = region.cards["card-1"]
    enter(card, "SSSE")
    assert data(card, "00B2EA680E") == "EA0C" + "303030303132333435363738"
    write = "00DC020405EB03420100"
    data(card, "00A4020002EF0D")
    assert send(card, write) == "6982"
    assert authenticate(card, region, "UKEF0DSSSE", 0x0D) == "9000"
    assert send(card, write) == "9000"
    assert data(card, "00B2EB6805") == "EB03420100"
    other = region.issue_card(2, code="420100")
    enter(other, "DF0A")
    assert send(other, "00B2EC2806") == "6982"
    assert authenticate(other, region, "RK1DF0A", 0x84) == "9000"
    assert data(other, "00B2EC2806") == "EC04" + "31323334"
    assert [len(each) for each in read_all(other, 5)] == [12, 12, 12]
    enter(other, "SSSE")
    assert send(other, "00A4020002EF0D") == "6A82"
    assert data(other, "00A4040006D1560000050A") == "6F088406D1560000050A"


@pytest.mark.parametrize(
    "local",
    [
        {"dfs": {}, "files": {"SSSE/07": ["free", "never", "EA:a01", 0, 0]}},
        {"dfs": {}, "files": {"DF01/16": ["free", "never", "EA:a01", 0, 0]}},
        {"dfs": {"DF08": [0xDF08, "", "x"]}, "files": {}},
    ],
)
def test_a_local_part_may_not_use_a_standard_file_again(local):
    with pytest.raises(ValueError, match="a local"):
        Local.from_json({**local, "keys": [], "values": {}})


# -- life states ----------------------------------------------------------------------------------


def test_life_states(region):
    """SPEC-P3: stored without a holder, in use, application locked, cancelled."""
    stored = region.issue_card(10, life="stored", label="stored")
    enter(stored, "SSSE")
    assert set(data(stored, "00B2083014")[4:]) == {"0"}
    assert send(stored, "0020000000") == "9000"
    locked = region.issue_card(11, life="application_locked", label="locked")
    enter(locked, "SSSE")
    assert send(locked, "00A4000002DF04") == "9303"
    assert send(locked, "00A4000002DF01").endswith("9000")
    gone = region.issue_card(12, life="cancelled", label="gone")
    gone.power_on()
    assert send(gone, SSSE) == "6A81"
    with pytest.raises(ValueError, match="life is one of stored, normal"):
        region.issue_card(13, life="lost")
