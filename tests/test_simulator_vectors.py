"""Issue: tests/vectors/card.json holds for the simulator, as formulas and driven by APDU."""

import pytest
from simulated_talk import (
    PIN_OK,
    SSSE,
    VECTORS,
    FixedDice,
    authenticate,
    data,
    debit,
    in_df04,
    in_psam,
    init_sam,
    initialize,
    send,
)

from firmware.psam import keys
from simulator.algorithm import ALGORITHMS
from simulator.filesystem import environment_fci
from simulator.keytable import KEYS
from simulator.personalise import check_character
from simulator.region import Region

COMPUTED = VECTORS["computed"]
PURCHASE = COMPUTED["purchase"]
PUBLISHED = VECTORS["published"]
CARD_3_0 = PUBLISHED["contact_3_0"]
MONEY = "".join(PURCHASE["amounts"])

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(params=["3des", "sm4"])
def name(request):
    return request.param


@pytest.fixture(params=["alone", "both"])
def region(name, request):
    """A region of that cipher alone, or of both."""
    roots = {row.name: bytes.fromhex(COMPUTED["root"]) for row in KEYS}
    roots["DTK"] = bytes.fromhex(PURCHASE["dtk_root"])
    algorithm = "both" if request.param == "both" else name
    return Region(COMPUTED["region"], algorithm=algorithm, root_keys=roots)


@pytest.fixture
def card(region, name):
    made = region.issue_card(
        1, purchase_serial=5, load_serial=2, balance_fen=0x2710, algorithm=name
    )
    made.dice = FixedDice(bytes.fromhex(COMPUTED["process_factor"]))
    return made


def test_formulas(name):
    """The formulas alone, without a chip."""
    algorithm, row = ALGORITHMS[name], COMPUTED[name]
    key = bytes.fromhex(COMPUTED["root"])
    for level in ("level1", "level2", "card"):
        factor = bytes.fromhex(COMPUTED[f"{level}_factor"])
        key = algorithm.diversify(key, factor)
        assert key.hex().upper() == row["card_key" if level == "card" else level]
    session = algorithm.session_key(key, bytes.fromhex(COMPUTED["process_factor"]))
    assert session.hex().upper() == row["session_key"]
    original = bytes.fromhex(COMPUTED["original"])
    assert algorithm.authentication_data(session, original).hex().upper() == row["auth"]
    assert (
        algorithm.mac(session, bytes.fromhex("841E000104")).hex().upper()
        == (row["application_block_mac"])
    )


def test_factors(card):
    assert card.factor.hex().upper() == COMPUTED["card_factor"]
    assert keys.province_factor("510100").hex().upper() == COMPUTED["level1_factor"]
    assert keys.city_factor("510100").hex().upper() == COMPUTED["level2_factor"]


def test_internal_authentication_by_card_and_psam(name, region, card):
    card.power_on()
    asked = "0088000010" + COMPUTED["process_factor"] + COMPUTED["original"]
    assert data(card, asked) == COMPUTED[name]["auth"]
    psam = in_psam(region.issue_psam(), name)
    padding = "00" * (card.algorithm.block - 8)
    body = (
        COMPUTED["card_factor"]
        + COMPUTED["level2_factor"]
        + COMPUTED["level1_factor"]
        + COMPUTED["process_factor"]
        + padding
    )
    data(psam, f"BFDE6708{len(body) // 2:02X}" + body)
    original = COMPUTED["original"] + padding
    out = bytes.fromhex(data(psam, f"80FA0000{len(original) // 2:02X}" + original))
    if len(out) == 16:
        out = bytes(a ^ b for a, b in zip(out[:8], out[8:], strict=True))
    assert out.hex().upper() == COMPUTED[name]["auth"]


def test_external_authentication(name, card):
    card.power_on()
    assert data(card, "0084000008") == COMPUTED["process_factor"]
    asked = "0082000A10" + COMPUTED[name]["auth"] + COMPUTED["original"]
    assert send(card, asked) == "9000"
    assert send(card, asked) == "6984"  # the challenge is used up


def test_pin_reload_and_unblock(name, region, card):
    card.power_on()
    for _ in range(6):
        last = send(card, "0020000003999999")
    assert last == "63C0"
    assert authenticate(card, region, "PUK", 0x06) == "9000"
    data(card, "0084000008")
    assert send(card, "8424000004" + COMPUTED[name]["pin_unblock_mac"]) == "9000"
    assert send(card, PIN_OK) == "9000"
    data(card, "0084000008")
    assert send(card, COMPUTED[name]["pin_reload_654321"]) == "9000"
    assert send(card, "0020000003654321") == "9000"


def test_application_block(name, region, card):
    in_df04(card)
    assert authenticate(card, region, "LKDF04", 0x83) == "9000"
    data(card, "0084000008")
    assert send(card, "841E000104" + COMPUTED[name]["application_block_mac"]) == "9000"
    assert send(card, "00A4000002DF04") == "9303"


def test_purchase(name, region, card):
    want = PURCHASE[name]
    card.dice = FixedDice(bytes.fromhex(PURCHASE["random"]))
    in_df04(card)
    psam = in_psam(region.issue_psam(PURCHASE["terminal"], serial=0x123), name)
    init = initialize(card, MONEY, PURCHASE["terminal"])
    assert init[28:32] == PURCHASE["card_serial"]
    assert init[36:44] == PURCHASE["random"]
    assert init[34:36] == {"3des": "01", "sm4": "03"}[name]
    serial, mac1 = init_sam(psam, init, MONEY, card.factor.hex(), PURCHASE["time"])
    assert (serial, mac1) == (PURCHASE["terminal_serial"], want["mac1"])
    answer = data(card, debit(serial, mac1, PURCHASE["time"]))
    assert (answer[:8], answer[8:]) == (want["tac"], want["mac2"])
    assert send(psam, "8072000004" + want["mac2"]) == "9000"


def test_load(name, region, card):
    load, want = COMPUTED["load"], COMPUTED["load"][name]
    asked = "B02800010B01" + load["amount"] + PURCHASE["terminal"]
    card.dice = FixedDice(bytes.fromhex(PURCHASE["random"]))
    in_df04(card)
    init = data(card, asked)
    assert init[:12] == load["balance"] + load["load_serial"]
    assert init[24:] == want["mac1"]
    # The vector's TAC carries that same balance: here the balance after the load.
    before = int(load["balance"], 16) - int(load["amount"], 16)
    other = region.issue_card(1, label="second", load_serial=2, balance_fen=before, algorithm=name)
    other.dice = FixedDice(bytes.fromhex(PURCHASE["random"]))
    in_df04(other)
    data(other, asked)
    assert data(other, "B02A00000B" + PURCHASE["time"] + want["mac2"]) == want["tac"]
    assert other.balance_fen == int(load["balance"], 16)


def test_published_fci():
    fci = PUBLISHED["fci"]
    assert environment_fci(0x1E, 3).hex().upper() == fci["3.0"]
    assert environment_fci(0x1E, None).hex().upper() == fci["2.0"]
    card = Region("519900", algorithm="sm4").issue_card(1, generation="3.0")
    card.power_on()
    assert data(card, SSSE) == fci["3.0"]
    card = Region("430300").issue_card(1, generation="2.0")
    card.power_on()
    assert data(card, SSSE) == fci["2.0"]


def test_published_card_answers_atr_and_ef05():
    card = Region("519900").issue_card(
        1,
        generation="3.0",
        historical=bytes.fromhex(CARD_3_0["atr"][8:]),
        card_id=bytes.fromhex(CARD_3_0["card_id"]),
        card_number=CARD_3_0["card_number"],
    )
    assert card.power_on().hex().upper() == CARD_3_0["atr"]
    assert card.factor.hex().upper() == CARD_3_0["card_factor"]
    for tag, record in CARD_3_0["ef05"].items():
        length = len(record) // 2
        assert data(card, f"00B2{tag}28{length:02X}") == record
    assert len(data(card, "00B2012D40")) == 2 * 0x40


def test_published_check_characters():
    numbers = PUBLISHED["card_numbers"]
    for number in numbers["check_verifies"]:
        assert check_character(number[:8]) == number[8]
    for number in numbers["check_fails_but_accept"]:
        assert check_character(number[:8]) != number[8]
