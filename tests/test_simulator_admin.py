"""Issue, sections 4, 6, 8, 11, 12: PIN, blocking, load, starting day, through a simulated PSAM.

Each test plays the terminal: keys never leave the PSAM, the card checks every MAC (SPEC-P9).
"""

import pytest
from simulated_talk import (
    PIN_OK,
    SSSE,
    TIME,
    authenticate,
    authenticate_by_psam,
    data,
    in_df04,
    in_psam,
    mac_by_psam,
    prepare,
    send,
)

from simulator.region import Region
from simulator.switches import Switches

LOCKED = "63C0"


@pytest.fixture(params=["3des", "sm4"])
def region(request):
    return Region(algorithm=request.param)


@pytest.fixture
def psam(region):
    return in_psam(region.issue_psam())


def ready(region, **wanted):
    card = region.issue_card(1, **wanted)
    card.power_on()
    return card


def protect(card, psam, stk: str, header: str, body: str = "", encipher: bool = False) -> str:
    """The command with the MAC (and its data enciphered) under an STK; not sent yet.

    stk: usage and id.  header: CLA INS P1 P2 in hexadecimal.
    """
    prepare(psam, card, stk, data(card, "0084000008"))
    if encipher:
        body = data(psam, f"80FA0000{len(body) // 2:02X}" + body)
    length = f"{len(body) // 2 + 4:02X}"
    return header + length + body + mac_by_psam(psam, card, bytes.fromhex(header + length + body))


def pin_block(card, pin: str) -> str:
    """Length, BCD, 80 00.. up to whole blocks; no 80 when they are full already."""
    digits = bytes.fromhex(pin + "f" * (len(pin) % 2))
    plain = bytes((len(digits),)) + digits
    block = card.algorithm.block
    if len(plain) % block:
        plain += b"\x80"
    return plain.ljust(-(-len(plain) // block) * block, b"\x00").hex()


# -- PIN (M3) -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pin", ["1234", "654321", "12345678901234", "1234567890123456", ""])
def test_reload_by_psam_sets_any_pin_and_the_counter(region, psam, pin):
    card = ready(region, tries=1)
    assert send(card, "0020000003999999") == LOCKED
    assert authenticate_by_psam(card, psam, "4810", 0x06) == "9000"
    command = protect(card, psam, "4809", "84240001", pin_block(card, pin), encipher=True)
    size = len(pin_block(card, pin)) // 2 + 4
    assert command[8:10] == f"{size:02X}"
    assert send(card, command) == "9000"
    if not pin:
        assert send(card, "0020000000") == "9000"  # none is set any more
        return
    assert send(card, "0020000000") == "63C1"
    assert send(card, f"00200000{len(pin) // 2:02X}{pin}") == "9000"
    again = type(card).from_state(card.to_state())
    again.power_on()
    assert send(again, PIN_OK) == (LOCKED if pin != "123456" else "9000")


def test_unblock_by_psam_keeps_the_pin(region, psam):
    card = ready(region, tries=1)
    assert send(card, "0020000003999999") == LOCKED
    assert authenticate_by_psam(card, psam, "4810", 0x06) == "9000"
    assert send(card, protect(card, psam, "4809", "84240000")) == "9000"
    assert send(card, PIN_OK) == "9000"


def test_what_a_reload_refuses_changes_nothing(region, psam):
    card = ready(region)
    good = protect(card, psam, "4809", "84240001", pin_block(card, "654321"), encipher=True)
    assert send(card, good) == "6982"  # before PUK
    authenticate_by_psam(card, psam, "4810", 0x06)
    wrong = protect(card, psam, "4809", "84240001", pin_block(card, "65432a"), encipher=True)
    assert send(card, wrong) == "6A80"  # not a PIN
    mixed = protect(card, psam, "4809", "84240000", pin_block(card, "654321"), encipher=True)
    assert send(card, mixed) == "6700"  # unblock carries none
    late = protect(card, psam, "4809", "84240001", pin_block(card, "654321"), encipher=True)
    data(card, "0084000008")
    assert send(card, late) == "6988"  # another challenge has come between
    assert send(card, "842400000400000000") == "6982"  # that failure took the PUK back
    card.power_on()
    assert send(card, PIN_OK) == "9000"


def test_change_pin_with_an_empty_part(region):
    card = ready(region)
    assert send(card, "805E010004" + "123456FF") == "9000"
    assert send(card, "0020000000") == "9000"
    assert send(card, "805E010007" + "111111FF654321") == "6984"  # there is none to compare
    assert send(card, "805E010004" + "FF654321") == "9000"
    assert send(card, "805E010004" + "FF111111") == "63C5"  # an empty old part is not this PIN
    assert send(card, "0020000003654321") == "9000"


# -- blocking (issue section 11) ------------------------------------------------------------------


def test_application_block_by_psam_is_for_ever(region, psam):
    card = in_df04(ready(region, balance_fen=500))
    assert send(card, protect(card, psam, "2623", "841E0001")) == "6982"
    assert authenticate_by_psam(card, psam, "4841", 0x83) == "9000"
    data(card, "0084000008")
    assert send(card, "841E000104" + "00000000") == "6988"
    assert send(card, protect(card, psam, "2623", "841E0001")) == "9000"  # the key stayed open
    again = type(card).from_state(card.to_state())
    again.power_on()
    data(again, SSSE)
    assert send(again, "00A4000002DF04") == "9303"
    assert send(again, "00A4000002DF03").endswith("9000")
    assert again.balance_fen == 500


def test_card_block_by_psam_answers_6a81_to_everything(region, psam):
    card = ready(region)
    assert send(card, protect(card, psam, "4809", "84160000")) == "6982"
    assert authenticate_by_psam(card, psam, "4811", 0x05) == "9000"
    for _ in range(3):
        data(card, "0084000008")
        assert send(card, "8416000004" + "00000000") == "6988"  # never locks BK
    assert send(card, protect(card, psam, "4809", "84160000")) == "9000"
    again = type(card).from_state(card.to_state())
    again.power_on()
    every = (SSSE, PIN_OK, "0084000008", "00B2012D40", "841600000400000000", "B026000104")
    assert [send(again, each) for each in every] == ["6A81"] * len(every)


def test_only_df03_and_df04_can_be_blocked(region, psam):
    """SPEC-P9: there is an LK for these two."""
    card = ready(region)
    for df, usage_id in (("DF03", "4840"), ("DF01", None)):
        data(card, SSSE)
        data(card, f"00A4000002{df}")
        if usage_id is None:
            assert send(card, protect(card, psam, "2620", "841E0001")) == "6982"
            continue
        assert authenticate_by_psam(card, psam, usage_id, 0x83) == "9000"
        assert send(card, protect(card, psam, "2622", "841E0001")) == "9000"


# -- settlement beside purchase (issue sections 6, 8) ---------------------------------------------


def test_starting_day_is_set_after_dsk_and_read_by_anyone(region, psam):
    card = in_df04(ready(region))
    assert data(card, "B056010002") == "0101"
    assert send(card, "B0560000020701") == "6982"
    assert authenticate_by_psam(card, psam, "484A", 0x87) == "9000"
    assert send(card, "B0560000021301") == "6A80"
    assert send(card, "B0560000020701") == "9000"
    again = type(card).from_state(card.to_state())
    in_df04(again)
    assert data(again, "B056010002") == "0701"


def test_a_special_settlement_is_appended_after_uk2df04(region, psam):
    """DF04/EF15: serial and class; the newest is record 1, eight are kept."""
    card = in_df04(ready(region))
    assert send(card, "00DC00AB03000531") == "6982"
    assert authenticate_by_psam(card, psam, "472A", 0x86) == "9000"
    for serial in range(1, 10):
        assert send(card, f"00DC00AB03{serial:04X}32") == "9000"
    assert data(card, "00B201AC03") == "000932"
    assert data(card, "00B208AC03") == "000232"
    assert send(card, "00B209AC03") == "6A83"
    assert send(card, "00DC00AB0400053131") == "6700"


@pytest.mark.parametrize("version", [1, 2])
def test_a_load_takes_a_mac2_of_the_hosts_dlk_in_the_cards_version(region, version):
    card = in_df04(ready(region, balance_fen=100, key_version=version))
    tree, algorithm = region.tree_of(card), card.algorithm
    key = tree.card_key("DLK", card.factor, version=version)
    for amount, balance in ((5000, 5100), (1, 5101)):
        init = data(card, f"B02800010B01{amount:08X}510100000001")
        assert init[12:14] == f"{version:02X}"
        session = algorithm.session_key(key, bytes.fromhex(init[16:24] + init[8:12] + "8000"))
        head = f"{amount:08X}" + "31" + "510100000001"
        mac1 = algorithm.mac(session, bytes.fromhex(init[:8] + head)).hex().upper()
        assert init[24:] == mac1
        mac2 = algorithm.mac(session, bytes.fromhex(head + TIME)).hex()
        assert len(data(card, "B02A00000B" + TIME + mac2)) == 8
        assert card.balance_fen == balance
    assert [each[:3].hex() for each in card.log] == ["000231", "000131"]


@pytest.mark.parametrize("kinds", ["any", "one"])
def test_a_psam_may_want_the_key_again_between_cipher_and_mac(region, kinds):
    psam = in_psam(region.issue_psam(switches=Switches(session_key_kinds=kinds)))
    card = ready(region)
    assert authenticate_by_psam(card, psam, "4810", 0x06) == "9000"
    challenge = data(card, "0084000008")
    prepare(psam, card, "4809", challenge)
    plain = pin_block(card, "654321")
    cipher = data(psam, f"80FA0000{len(plain) // 2:02X}" + plain)
    if kinds == "one":
        prepare(psam, card, "4809", challenge)
    head = f"84240001{len(cipher) // 2 + 4:02X}" + cipher
    assert send(card, head + mac_by_psam(psam, card, bytes.fromhex(head))) == "9000"


def test_external_authentication_by_region_and_by_psam_agree(region, psam):
    card = in_df04(ready(region))
    assert authenticate(card, region, "RK1DF04", 0x84) == "9000"
    assert authenticate_by_psam(card, psam, "672D", 0x84) == "9000"
