"""Issue section 2: the simulated PSAM, byte for byte (SPEC-P9)."""

import pytest
from simulated_talk import (
    TIME,
    amounts,
    data,
    debit,
    in_df04,
    in_psam,
    init_sam,
    initialize,
    purchase,
    send,
)

from firmware.psam import keys
from simulator.keytable import KEYS
from simulator.region import Region
from simulator.switches import Switches

MONEY = amounts(1000, 300, 2000)
CARD, CITY, PROVINCE = "8649510100000001", "3531303130307378", "3531303030307368"
SEED8 = "1122334455667788"
SAM_NAME = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"


def deliver(psam, usage_id: str, factors: str, process_factor: str = SEED8) -> str:
    body = factors + process_factor
    return send(psam, f"BFDE{usage_id}{len(body) // 2:02X}" + body)


def test_files_of_the_mf_and_of_df01():
    psam = Region().issue_psam(start="20200101", expiry="20351231", serial=0x123)
    assert psam.power_on().hex().upper() == "3B6D0000" + "81544C008684" + "07" + "510100000001"
    assert data(psam, SAM_NAME) == "6F11840F" + SAM_NAME[10:]
    assert data(psam, "00B0960006") == "510100000001"
    assert len(data(psam, "00B095000F")) == 30
    assert data(psam, "00A4000002DF01") == "6F088406D15600000590"
    assert send(psam, "00B0960006") == "6A82"
    assert data(psam, "00B0990004") == "00000123"
    assert data(psam, "00B09C0001") == "01"
    assert data(psam, "00B09C000A") == "0101" + "20200101" + "20351231"
    assert send(psam, "00B09C0000") == "6C0A"
    assert send(psam, "00B09C0A01") == "6B00"
    assert data(psam, "00A40000020019") == "6F0483020019"
    assert data(psam, "00B0000202") == "0123"
    assert data(psam, "00A4040006D15600000590") == "6F088406D15600000590"
    assert data(psam, "00A40000023F00").startswith("6F11")
    assert send(psam, "00A404000F7378332E73682EC9E7BBE1B1A3D5CF") == "6A82"


@pytest.mark.parametrize(
    ("kept", "present", "factors"),
    [
        ("mixed", ["9A", "9B", "9C"], {"6708": 3, "4812": 2, "2620": 1}),
        ("nation", ["9A"], {"6708": 3, "6812": 3, "6620": 3}),
        ("province", ["9B"], {"4708": 2, "4812": 2, "4620": 2}),
        ("city", ["9C"], {"2708": 1, "2812": 1, "2620": 1}),
    ],
)
def test_root_levels_are_data(kept, present, factors):
    """M6: a PSAM may hold national, provincial or city roots; the files and 6A80 say which."""
    psam = in_psam(Region(kept_levels=kept).issue_psam())
    found = [at for at in ("9A", "9B", "9C") if send(psam, f"00B0{at}000A").endswith("9000")]
    assert found == present
    for usage_id, right in factors.items():
        key_type, key_id = int(usage_id[:2], 16) & 0x1F, usage_id[2:]
        for count in (1, 2, 3):
            want = "9000" if count == right else "6A80"
            usage = f"{count << 5 | key_type:02X}{key_id}"
            assert deliver(psam, usage, (CARD + CITY + PROVINCE)[: 16 * count]) == want


@pytest.mark.parametrize("kept", ["mixed", "nation", "province", "city"])
def test_every_level_leads_to_the_same_card_key(kept):
    region = Region(kept_levels=kept)
    psam = in_psam(region.issue_psam())
    for row in KEYS:
        if row.usage is None or row.type == 6:
            continue
        count = {"mixed": row.usage >> 5, "nation": 3, "province": 2, "city": 1}[kept]
        usage = f"{count << 5 | row.type:02X}{row.key_id:02X}"
        assert deliver(psam, usage, (CARD + CITY + PROVINCE)[: 16 * count]) == "9000"
        if row.type == 2:
            continue
        key = region.card_key(row.name, bytes.fromhex(CARD))
        session = region.algorithm.session_key(key, bytes.fromhex(SEED8))
        want = region.algorithm.authentication_data(session, bytes(8)).hex().upper()
        assert data(psam, "80FA000008" + "00" * 8) == want


@pytest.mark.parametrize(
    ("usage_id", "factors", "sw"),
    [
        ("67FF", 3, "6A88"),
        ("6808", 3, "6A88"),
        ("4708", 2, "6A80"),
        ("6708", 2, "6A80"),
        ("0708", 0, "6A80"),
        ("6708", 3, "9000"),
    ],
)
def test_deliver_session_key_refusals(usage_id, factors, sw):
    """Wrong type or absent key 6A88; wrong number of factors in P1 or Lc 6A80."""
    psam = in_psam(Region().issue_psam())
    assert deliver(psam, usage_id, (CARD + CITY + PROVINCE)[: 16 * factors]) == sw


def test_keys_lie_in_df01():
    psam = Region().issue_psam()
    psam.power_on()
    assert deliver(psam, "6708", CARD + CITY + PROVINCE) == "6985"
    assert send(psam, "8070010024" + "00" * 36) == "6985"


def test_session_key_lifetime():
    psam = in_psam(Region().issue_psam())
    encrypt = "80FA000008" + "00" * 8
    assert send(psam, encrypt) == "6985"
    deliver(psam, "6708", CARD + CITY + PROVINCE)
    first = data(psam, encrypt)
    assert data(psam, encrypt) == first  # survives calls of the same kind
    assert data(psam, "80FA000010" + "00" * 16) == first * 2
    assert send(psam, "80FA050010" + "00" * 16) == "6985"  # the key is no MAC key
    assert send(psam, encrypt) == "6985"
    deliver(psam, "6708", CARD + CITY + PROVINCE)
    assert deliver(psam, "67FF", CARD + CITY + PROVINCE) == "6A88"
    assert send(psam, encrypt) == "6985"
    deliver(psam, "6708", CARD + CITY + PROVINCE)
    data(psam, "00A4000002DF01")
    assert send(psam, encrypt) == "6985"


@pytest.mark.parametrize("body", ["", "00" * 7, "00" * 72])
def test_cipher_data_takes_one_to_eight_whole_blocks(body):
    psam = in_psam(Region().issue_psam())
    deliver(psam, "6708", CARD + CITY + PROVINCE)
    assert send(psam, f"80FA0000{len(body) // 2:02X}" + body) == "6700"


def test_mac_in_one_and_in_many_commands():
    region = Region()
    psam = in_psam(region.issue_psam())
    key = region.card_key("STKSSSE", bytes.fromhex(CARD))
    session = region.algorithm.session_key(key, bytes.fromhex(SEED8))
    text = bytes(range(40))
    want = keys.cbc_mac_block(region.algorithm.encrypt, session, text, bytes(8), 8).hex().upper()
    deliver(psam, "4809", CARD + CITY)
    assert data(psam, "80FA050030" + "00" * 8 + text.hex()) == want
    assert data(psam, "80FA070010" + "00" * 8 + text[:8].hex()) == ""
    assert data(psam, "80FA030010" + text[8:24].hex()) == ""
    assert data(psam, "80FA010010" + text[24:].hex()) == want
    assert send(psam, "80FA010008" + "00" * 8) == "6985"  # no chain is open


@pytest.mark.parametrize(("kinds", "sw"), [("any", "9000"), ("one", "6985")])
def test_a_session_key_for_both_kinds(kinds, sw):
    psam = in_psam(Region().issue_psam(switches=Switches(session_key_kinds=kinds)))
    deliver(psam, "4809", CARD + CITY)
    data(psam, "80FA000008" + "00" * 8)
    assert send(psam, "80FA050010" + "00" * 16).endswith(sw)


# -- purchase -------------------------------------------------------------------------------------


def ready(switches=None, **wanted):
    region = Region()
    card = in_df04(region.issue_card(1, balance_fen=10_000, switches=switches))
    return card, in_psam(region.issue_psam(switches=switches, **wanted))


@pytest.mark.parametrize("moves", ["at_8070", "at_8072"])
def test_serial_moves_where_the_switch_says_and_survives_power(moves):
    card, psam = ready(Switches(psam_serial_moves=moves), serial=9)
    serial, _ = init_sam(psam, initialize(card, MONEY), MONEY, CARD)
    assert serial == "00000009"  # answered before it moves
    in_psam(psam)
    assert int(data(psam, "00B0990004"), 16) == (10 if moves == "at_8070" else 9)
    purchase(card, psam, MONEY)
    assert psam.terminal_serial == (11 if moves == "at_8070" else 10)


@pytest.mark.parametrize("sw", ["63CF", "9302"])
def test_wrong_mac2_is_refused_once_and_for_all(sw):
    card, psam = ready(Switches(mac2_failure=sw))
    serial, mac1 = init_sam(psam, initialize(card, MONEY), MONEY, CARD)
    mac2 = data(card, debit(serial, mac1))[8:]
    assert send(psam, "8072000004" + "00000000") == sw
    assert send(psam, "8072000004" + mac2) == "6985"


@pytest.mark.parametrize("between", ["00B0990004", "0084000008", "80FA000008" + "00" * 8, "00"])
def test_credit_only_directly_after_init_sam(between):
    card, psam = ready()
    serial, mac1 = init_sam(psam, initialize(card, MONEY), MONEY, CARD)
    mac2 = data(card, debit(serial, mac1))[8:]
    send(psam, between)
    assert send(psam, "8072000004" + mac2) == "6985"


def test_credit_is_lost_with_power():
    card, psam = ready()
    serial, mac1 = init_sam(psam, initialize(card, MONEY), MONEY, CARD)
    mac2 = data(card, debit(serial, mac1))[8:]
    in_psam(psam)
    assert send(psam, "8072000004" + mac2) == "6985"


def test_init_sam_drops_a_session_key():
    card, psam = ready()
    deliver(psam, "6708", CARD + CITY + PROVINCE)
    init_sam(psam, initialize(card, MONEY), MONEY, CARD)
    assert send(psam, "80FA000008" + "00" * 8) == "6985"


@pytest.mark.parametrize(
    ("version", "algorithm", "factors", "sw"),
    [
        ("02", "01", CARD, "6A88"),
        ("01", "03", CARD, "6A80"),
        ("01", "01", CARD + CITY, "6A80"),
        ("01", "01", "", "6A80"),
        ("01", "00", CARD, "9000"),
    ],
)
def test_init_sam_refusals_move_no_serial(version, algorithm, factors, sw):
    _, psam = ready()
    body = "00" * 6 + MONEY + "32" + TIME + version + algorithm + factors
    assert send(psam, f"80700100{len(body) // 2:02X}" + body).endswith(sw)
    assert psam.terminal_serial == (2 if sw == "9000" else 1)


def test_a_psam_of_another_region_makes_a_mac1_that_the_card_refuses():
    card, _ = ready()
    stranger = in_psam(Region("420100", seed="OTHER").issue_psam("420100000001"))
    init = initialize(card, MONEY)
    assert send(card, debit(*init_sam(stranger, init, MONEY, CARD))) == "9302"
    assert card.balance_fen == 10_000
