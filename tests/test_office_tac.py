"""Issue: the back office verifies the TAC of a payment when it holds the key of that region."""

import json
from pathlib import Path

import pytest

from firmware.journal.kinds import KIND_DONE, KIND_INTENT
from office import folder, tac
from office.__main__ import main
from office.errors import OfficeError
from office.folder import Folder
from simulator.region import Region
from tests.office_rig import Terminal, done_body, enrol, intent_body, take
from tests.rig import Rig

VECTORS = json.loads((Path(__file__).parent / "vectors" / "card.json").read_text())["computed"]
PURCHASE = VECTORS["purchase"]
ALGORITHM = {"3des": 1, "sm4": 3}


def key_file(path, *roots, mode=0o600, cities=""):
    """roots: (algorithm, level, region, key) or a text as it stands."""
    text = "# TEST_ROOT_DTK: invented\n"
    for root in roots:
        if isinstance(root, str):
            text += root
        else:
            algorithm, level, region, key = root
            text += f'[[root]]\nalgorithm = "{algorithm}"\nlevel = "{level}"\n'
            text += f'region = "{region}"\nkey = "{key.hex()}"\n'
    path.write_text(text + cities)
    path.chmod(mode)
    return path


def keys_of(*roots, cities="", tmp_path):
    path = key_file(tmp_path / "dtk.toml", *roots, cities=cities)
    return tac.parse(path.read_bytes(), path)


def vector_body(algorithm):
    """The INTENT of tests/vectors/card.json."""
    return intent_body("V-1") | {
        3: bytes.fromhex(PURCHASE["terminal"]),
        4: bytes.fromhex(PURCHASE["terminal_serial"]),
        5: bytes.fromhex(VECTORS["region"] + "d15600000500000001ffffffff"),
        7: bytes(5) + bytes.fromhex(VECTORS["card_factor"]),
        8: ALGORITHM[algorithm],
        13: bytes.fromhex("".join(PURCHASE["amounts"])),
        14: int(PURCHASE["type"], 16),
        15: bytes.fromhex(PURCHASE["time"]),
    }


def vector_purchase(terminal, algorithm, tac_hex=None):
    terminal.add(KIND_INTENT, vector_body(algorithm) | {1: f"V-{len(terminal.records)}"})
    found = bytes.fromhex(tac_hex or PURCHASE[algorithm]["tac"])
    return terminal.add(KIND_DONE, done_body(len(terminal.records)) | {31: found})


@pytest.mark.parametrize("algorithm", ["3des", "sm4"])
def test_the_vectors_verify_under_both_ciphers(tmp_path, algorithm):
    root = bytes.fromhex(PURCHASE["dtk_root"])
    keys = keys_of((algorithm, "nation", "", root), tmp_path=tmp_path)
    terminal = Terminal()
    number = vector_purchase(terminal, algorithm)
    about, done = terminal.records[number - 2].body, terminal.records[number - 1]
    assert keys.state(done, about) == "verified"
    for key in (3, 4, 7, 13, 15):  # terminal, its serial, the card, the amounts, the moment
        changed = about[key][:-1] + bytes((about[key][-1] ^ 1,))
        assert keys.state(done, about | {key: changed}) == "WRONG"
    assert keys.state(done, about | {10: 2}) == "not checked"  # another key version
    assert keys.state(done, about | {8: 2}) == "not checked"  # SSF33
    assert keys.state(done, None) == "not checked"  # the INTENT is not here yet
    assert keys.state(terminal.records[number - 2], None) is None


@pytest.mark.parametrize("level", ["nation", "province", "city"])
@pytest.mark.parametrize("algorithm", ["3des", "sm4"])
def test_m6_a_payment_verifies_with_a_root_of_each_level(tmp_path, level, algorithm):
    region = Region("510100", seed="TEST", algorithm="both")
    rig = Rig(tmp_path, region)
    rig.psam()
    card = rig.card(generation="3.0", algorithm=algorithm)
    assert rig.pay().name == "APPROVED"
    intent, done = rig.unit.journal.by_order(rig.order_no)[:2]
    tree = region.tree_of(card)
    factors, code = {"nation": (3, ""), "province": (2, "51"), "city": (1, "510100")}[level]
    root = (algorithm, level, code, tree.root("DTK", factors))
    assert keys_of(root, tmp_path=tmp_path).state(done, intent.body) == "verified"
    invented = (algorithm, level, code, b"TEST_DTK_not_it!")
    assert keys_of(invented, tmp_path=tmp_path).state(done, intent.body) == "WRONG"


def test_a_root_of_another_province_checks_nothing_and_a_city_factor_can_be_overridden(tmp_path):
    own = bytes.fromhex("3531303130305858")
    region = Region("510100", seed="TEST", city_factors={"510100": own})
    (tmp_path / "region.toml").write_text(f'region = "5101"\ncity_factor_hex = "{own.hex()}"\n')
    rig = Rig(tmp_path, region, {"ef06 =": 'region_table = "region.toml"\nef06 ='})
    rig.psam()
    card = rig.card()
    assert rig.pay().name == "APPROVED"
    intent, done = rig.unit.journal.by_order(rig.order_no)[:2]
    tree = region.tree_of(card)
    province = ("3des", "province", "51", tree.root("DTK", 2))
    cities = f'[city_factors]\n510100 = "{own.hex()}"\n'
    assert (
        keys_of(province, cities=cities, tmp_path=tmp_path).state(done, intent.body) == "verified"
    )
    assert keys_of(province, tmp_path=tmp_path).state(done, intent.body) == "WRONG"
    elsewhere = ("3des", "province", "44", tree.root("DTK", 2))
    assert keys_of(elsewhere, tmp_path=tmp_path).state(done, intent.body) == "not checked"


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SSCOFFICE_DIR", str(tmp_path / "office"))
    folder.init(tmp_path / "office", "Office 1")

    def run(*args):
        status = main([str(each) for each in args])
        out = capsys.readouterr()
        return status, out.out, out.err

    return run


@pytest.fixture
def payments(run, tmp_path):
    """Three: one right, one whose TAC is wrong, one whose TAC was lost."""
    terminal = Terminal()
    vector_purchase(terminal, "3des")
    wrong = vector_purchase(terminal, "3des", "00000000")
    intent = terminal.add(KIND_INTENT, vector_body("3des") | {1: "V-lost", 11: 9})
    terminal.add(KIND_DONE, {30: intent, 33: 3, 34: 2, 35: 2, 36: 2})
    office = Folder(tmp_path / "office")
    enrol(office, terminal)
    take(office, terminal.unit, terminal.batch())
    office.close()
    return terminal.unit, wrong


def test_check_and_day_tell_verified_wrong_lost_and_not_checked(run, tmp_path, payments):
    unit, wrong = payments
    before = json.loads(run("check", "--json")[1])
    assert before["tac"] == {"not checked": 2, "lost": 1}
    assert before["wrong_tac"] == []
    root = ("3des", "nation", "", bytes.fromhex(PURCHASE["dtk_root"]))
    status, out, _ = run("tac-key", "--file", key_file(tmp_path / "dtk.toml", root))
    assert (status, PURCHASE["dtk_root"].lower() in out.lower()) == (0, False)
    kept = tmp_path / "office" / "tac.key"
    assert kept.stat().st_mode & 0o777 == 0o600

    status, out, _ = run("check", "--json")
    found = json.loads(out)
    assert (status, found["ok"]) == (1, False)
    assert found["tac"] == {"verified": 1, "WRONG": 1, "lost": 1}
    assert found["wrong_tac"] == [[unit, wrong]]
    status, out, _ = run("day", "--json")
    day = json.loads(out)
    assert status == 1
    assert [row["tac"] for row in day["rows"]] == [None, "verified", None, "WRONG", None, "lost"]
    assert day["summary"]["tac"] == found["tac"]
    assert "不符 WRONG" in run("day")[1]


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_key_file_that_others_can_read_is_refused(run, tmp_path, mode):
    root = ("3des", "nation", "", bytes.fromhex(PURCHASE["dtk_root"]))
    path = key_file(tmp_path / "dtk.toml", root, mode=mode)
    status, _, err = run("tac-key", "--file", path)
    assert (status, "910" in err) == (1, True)
    assert not (tmp_path / "office" / "tac.key").exists()


SECRET = "000102030405060708090a0b0c0d0e0f"
GOOD = f'[[root]]\nalgorithm = "3des"\nlevel = "nation"\nkey = "{SECRET}"\n'


@pytest.mark.parametrize(
    "text",
    [
        "", "]", "x = 1\n" + GOOD, GOOD.replace("3des", "des"), GOOD.replace("nation", "town"),
        GOOD.replace("nation", "city"), GOOD + 'region = "51"\n', GOOD + "version = 0\n",
        GOOD + "version = true\n", GOOD.replace(SECRET, SECRET + "00"), GOOD + 'note = "x"\n',
        GOOD + '[city_factors]\n510100 = "00"\n',
        GOOD + '[city_factors]\n51 = "3531303130305858"\n',
    ],
)  # fmt: skip
def test_a_key_file_not_in_its_form_is_named_and_shows_no_key(run, tmp_path, text):
    kept = key_file(tmp_path / "dtk.toml", GOOD)
    assert run("tac-key", "--file", kept)[0] == 0
    status, out, err = run("tac-key", "--file", key_file(tmp_path / "bad.toml", text))
    assert (status, "911" in err, SECRET in out + err) == (1, True, False)
    assert (tmp_path / "office" / "tac.key").read_bytes() == kept.read_bytes()


def test_keys_are_never_shown(tmp_path):
    keys = keys_of(("sm4", "nation", "", bytes.fromhex(SECRET)), tmp_path=tmp_path)
    assert SECRET not in repr(keys.roots) + str(vars(keys))
    with pytest.raises(OfficeError) as caught:
        tac.parse(GOOD.replace(SECRET, SECRET[:-1]).encode(), tmp_path)
    assert SECRET[:-1] not in str(caught.value)
