"""Issue section 2: the simulated card answers the basic commands byte for byte (SPEC-P5, V2.0)."""

import pytest
from simulated_talk import PIN_OK, SSSE, authenticate, data, in_df04, send

from simulator.region import Region
from simulator.switches import Switches

DIRECTORY_FIRST = "6118" + "4F06D15600000500" + "500E" + "公共应用信息区".encode("gbk").hex()


@pytest.fixture
def region():
    return Region()


def issued(region, *, switches=None, **wanted):
    card = region.issue_card(1, switches=switches, **wanted)
    card.power_on()
    return card


# -- transport ------------------------------------------------------------------------------------


def test_contact_answers_61_and_keeps_the_data_for_get_response(region):
    card = issued(region)
    command = bytes.fromhex(SSSE)
    for asked in (command, command + b"\x00"):
        assert card.transmit(asked).hex() == "6118"
        assert card.transmit(bytes.fromhex("00C0000000")).hex() == "6c18"
        whole = card.transmit(bytes.fromhex("00C0000018"))
        assert len(whole) == 0x1A
        assert card.transmit(bytes.fromhex("00C0000018")).hex() == "6f00"
    assert card.transmit(command).hex() == "6118"
    assert len(card.transmit(bytes.fromhex("00C0000010"))) == 0x12
    assert len(card.transmit(bytes.fromhex("00C0000008"))) == 0x0A
    card.transmit(command)
    card.transmit(bytes.fromhex("0020000000"))
    assert card.transmit(bytes.fromhex("00C0000018")).hex() == "6f00"


def test_contactless_answers_whole_and_shows_an_ats(region):
    card = issued(region, contactless=True)
    assert card.power_on()[:5].hex() == "127880a002"
    answer = card.transmit(bytes.fromhex(SSSE))
    assert answer[:2].hex() == "6f16"
    assert answer[-2:].hex() == "9000"
    assert data(card, "00B2072800").startswith("0709")
    assert data(card, "00B20728FF").startswith("0709")
    assert data(card, "00B20728").startswith("0709")


@pytest.mark.parametrize(
    ("switches", "zero", "large"),
    [
        (Switches(), "6C0B", "6C0B"),
        (Switches(le_zero="data"), "9000", "6C0B"),
        (Switches(le_too_large="short_9000"), "6C0B", "9000"),
    ],
)
def test_le_quirks(region, switches, zero, large):
    card = issued(region, switches=switches)
    assert send(card, "00B2072800").endswith(zero)
    answer = send(card, "00B207280E")
    assert answer.endswith(large)
    assert len(answer) == (26 if large == "9000" else 4)


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("00", "6700"),
        ("00A40400", "6700"),
        ("00A404000FAA", "6700"),
        ("00FF000000", "6D00"),
        ("C0B0000000", "6E00"),
        ("00A4010002EF05", "6A86"),
        ("00A4040010" + "00" * 16, "6A82"),
        ("00A4000002DF09", "6A82"),
        ("B026000104", "6D00"),
    ],
)
def test_refusals(region, command, sw):
    assert send(issued(region), command) == sw


# -- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("generation", "count", "sfi"), [("1.0", 4, "5C"), ("2.0", 5, "F4")])
def test_directory_has_the_applications_then_ends(region, generation, count, sfi):
    """SPEC-P3: one entry template each; 6A83 after the last.  DF07 came with 2.0."""
    card = issued(region, generation=generation)
    first = send(card, f"00B201{sfi}1A")
    assert first == DIRECTORY_FIRST.upper() + "9000"
    assert [send(card, f"00B2{n + 1:02X}{sfi}00")[:2] for n in range(count)] == ["6C"] * count
    assert send(card, f"00B2{count + 1:02X}{sfi}00") == "6A83"


def test_card_without_a_directory(region):
    card = issued(region, switches=Switches(directory="absent"))
    assert data(card, SSSE) == "6F11840F" + SSSE[10:]
    assert send(card, "00B201F400") == "6A82"


@pytest.mark.parametrize(("generation", "size"), [("1.0", 0x5B - 22), ("2.0", 0x5B)])
def test_whole_file_reads(region, generation, size):
    """V2.0: EF05 is 0x40 bytes, EF06 0x5B on a 2.0 card; both free."""
    card = issued(region, generation=generation)
    assert len(data(card, "00B2012D40")) == 0x80
    assert len(data(card, f"00B20135{size:02X}")) == 2 * size
    assert data(card, "00B2062E11").startswith("0709")  # from the last record back to 6
    assert data(card, "00B2062E11")[22:] == "060420351231"


def test_both_addressing_styles_and_order(region):
    card = issued(region)
    by_tag, by_number = data(card, "00B2093020"), data(card, "00B2023420")
    assert by_tag == by_number
    assert data(card, "00B2033416").startswith("4E14")
    assert send(card, "00B2AA3000") == "6A83"
    assert send(card, "00B2083400") == "6A83"


def test_next_and_previous_move_only_when_answered(region):
    """ISO 7816-4: the record pointer starts undefined, and a Le that is corrected moves nothing."""
    card = issued(region)
    data(card, "00A4020002EF05")
    assert send(card, "00B2000200") == "6C12"
    assert data(card, "00B2000212").startswith("0110")
    assert data(card, "00B2000203").startswith("0201")
    assert data(card, "00B2000312").startswith("0110")
    assert send(card, "00B2000312") == "6A83"
    assert data(card, "00B200010B").startswith("0709")


@pytest.mark.parametrize("form", ["both", "p1_02", "p1_00"])
def test_ef_select_forms_and_cards_that_refuse_an_sfi(region, form):
    card = issued(region, switches=Switches(ef_select=form, sfi_addressing="no"))
    assert send(card, "00B207280B") == "6A86"
    assert send(card, "00B207000B") == "6986"
    works = {p1: send(card, f"00A4{p1}0002EF05").endswith("9000") for p1 in ("02", "00")}
    assert works == {"02": form != "p1_00", "00": form != "p1_02"}
    assert data(card, "00B207000B").startswith("0709")


def test_environment_as_ddf_under_a_payment_mf(region):
    card = issued(region, switches=Switches(ssse_position="ddf", mf_before_name="yes"))
    assert send(card, "00B207280B") == "6A82"
    assert send(card, SSSE) == "6A82"
    assert data(card, "00A40000023F00") == "6F10840E315041592E5359532E4444463031"
    assert data(card, SSSE).startswith("6F16")
    assert data(card, "00B207280B").startswith("0709")


def test_padding_and_date_forms(region):
    card = issued(region, switches=Switches(name_padding="20", date_form="ascii_year"))
    assert data(card, "00B2093020")[4:] == "张三".encode("gbk").ljust(0x1E, b" ").hex().upper()
    assert data(card, "00B2062806") == "0604" + b"2035".hex()


def test_third_generation_holder_needs_rksse(region):
    card = issued(region, generation="3.0")
    assert send(card, "00B2093020") == "6982"
    assert authenticate(card, region, "RKSSSE", 0x0A) == "9000"
    assert data(card, "00B2093020").startswith("091E")


def test_df04_rules(region):
    """V2.0: EF05 by PIN or key, EF06 by PIN and key, EF08 by PIN only, EF15 by PIN or key."""
    card = in_df04(issued(region), pin=False)
    ef05, ef06, ef08, ef15 = "00B28F2803", "00B2903003", "00B2014400", "00B201AC00"
    assert [send(card, each) for each in (ef05, ef06, ef08, ef15)] == ["6982"] * 4
    data(card, PIN_OK)
    assert data(card, ef05) == "8F0132"
    assert [send(card, each) for each in (ef06, ef08, ef15)] == ["6982", "6A83", "6A83"]
    assert authenticate(card, region, "RK1DF04", 0x84) == "9000"
    assert data(card, ef06) == "900131"
    in_df04(card, pin=False)
    assert authenticate(card, region, "RK1DF04", 0x84) == "9000"
    assert data(card, ef05) == "8F0132"
    assert send(card, ef06) == "6982"


def test_draft_access_rules(region):
    card = in_df04(issued(region, switches=Switches(access_rules="p6_draft")), pin=False)
    assert authenticate(card, region, "RK1DF04", 0x84) == "9000"
    assert send(card, "00B28F2803") == "6982"


@pytest.mark.parametrize(
    ("generation", "has_ef06", "sw"), [("1.0", True, "6A82"), ("2.0", False, "6A82")]
)
def test_cards_without_ef06(region, generation, has_ef06, sw):
    card = in_df04(issued(region, generation=generation, has_ef06=has_ef06))
    assert send(card, "00B2903003") == sw


def test_update_needs_its_key_and_the_full_length(region):
    card = in_df04(issued(region))
    write = "00DC923006920400012345"
    assert send(card, write) == "6982"
    assert authenticate(card, region, "RK1DF04", 0x84) == "9000"
    assert send(card, write) == "6982"
    assert authenticate(card, region, "UK2DF04", 0x86) == "9000"
    assert send(card, write) == "9000"
    assert data(card, "00B2923006") == "920400012345"
    assert send(card, "00DC9230059203000123") == "6A85"
    assert send(card, "00DC92300692040001") == "6700"
    assert send(card, "00DC02340490023030") == "6A80"
    assert send(card, "00DC0144" + "1C" + "00" * 28) == "6982"  # the log is never writable
    for serial in range(10):
        assert send(card, f"00DC00AB03{serial:04X}39") == "9000"
    assert data(card, "00B201AC03") == "000939"
    assert send(card, "00B209AC03") == "6A83"  # eight records are kept


def test_a_missing_record_number_appends_but_not_in_the_ssse(region):
    """V2.0: local items may be added to an application's files, none to the SSSE's."""
    card = issued(region)
    authenticate(card, region, "UKSSSE", 0x04)
    assert send(card, "00DC082C03E10141") == "6A83"
    assert send(card, "00DC0528060504" + "20240101") == "9000"
    assert data(card, "00B2052806") == "050420240101"
    data(card, "00A4000002DF01")
    authenticate(card, region, "UK3DF01", 0x85)
    assert send(card, "00DC034403E10141") == "6A83"
    assert send(card, "00DC024403E10141") == "9000"
    data(card, PIN_OK)
    assert data(card, "00B2E14003") == "E10141"


def test_partial_names_lead_through_the_applications(region):
    card = issued(region)
    found = [data(card, f"00A404{p2}05D156000005")[8:] for p2 in ("00", *["02"] * 4)]
    assert found == [f"D156000005{n:02X}" for n in range(5)]
    assert send(card, "00A4040205D156000005") == "6A82"


def test_update_with_a_mac_under_the_stk_of_the_df(region):
    card = in_df04(issued(region))
    assert authenticate(card, region, "UK2DF04", 0x86) == "9000"
    challenge = bytes.fromhex(data(card, "0084000008"))
    key = region.algorithm.session_key(region.card_key("STKDF04", card.factor), challenge)
    message = bytes.fromhex("04DC92300A920400000777")
    mac = region.algorithm.mac(key, message).hex()
    assert send(card, message.hex() + mac) == "9000"
    assert send(card, message.hex() + mac) == "6984"
    data(card, "0084000008")
    assert send(card, message.hex() + mac) == "6988"
    assert card.item("DF04", 0x06, 0x92).hex() == "00000777"


# -- authentication -------------------------------------------------------------------------------


@pytest.mark.parametrize(("kept", "reads"), [("all", True), ("last", False)])
def test_external_authentications_kept(region, kept, reads):
    card = in_df04(issued(region, switches=Switches(external_auth_kept=kept)))
    authenticate(card, region, "RK1DF04", 0x84)
    authenticate(card, region, "UK2DF04", 0x86)
    assert send(card, "00B2903003").endswith("9000" if reads else "6982")


def test_authentication_is_lost_with_the_application_and_pin_with_power(region):
    card = in_df04(issued(region))
    authenticate(card, region, "RK1DF04", 0x84)
    data(card, SSSE)
    data(card, "00A4000002DF04")
    assert send(card, "00B2903003") == "6982"
    assert data(card, "00B28F2803") == "8F0132"
    card.power_off()
    in_df04(card, pin=False)
    assert send(card, "00B28F2803") == "6982"


def test_external_authentication_counts_down_and_locks(region):
    card = issued(region, key_tries=3)
    wrong = "0082000A10" + "00" * 16
    assert send(card, wrong) == "6984"
    seen = []
    for _ in range(4):
        data(card, "0084000008")
        seen.append(send(card, wrong))
    assert seen == ["63C2", "63C1", "63C0", "6983"]
    card.power_on()
    assert authenticate(card, region, "RKSSSE", 0x0A) == "6983"
    assert authenticate(card, region, "UKSSSE", 0x04) == "9000"


def test_right_authentication_restores_the_counter(region):
    card = issued(region, key_tries=3)
    data(card, "0084000008")
    assert send(card, "0082000A10" + "00" * 16) == "63C2"
    assert authenticate(card, region, "RKSSSE", 0x0A) == "9000"
    data(card, "0084000008")
    assert send(card, "0082000A10" + "00" * 16) == "63C2"


def test_challenge_dies_with_the_application_and_key_version_is_checked(region):
    card = issued(region)
    data(card, "0084000008")
    data(card, "00A4000002DF04")
    assert send(card, "0082008410" + "00" * 16) == "6984"
    assert send(card, "008200FF10" + "00" * 16) == "6A88"
    assert send(card, "0088000011" + "00" * 16 + "02") == "6A88"
    assert len(data(card, "0088000011" + "00" * 16 + "01")) == 16
    assert [len(data(card, f"00840000{size:02X}")) for size in (4, 8, 16)] == [8, 16, 32]
    assert send(card, "0084000005") == "6700"


# -- PIN (M1) -------------------------------------------------------------------------------------


def test_pin_counter_counts_down_locks_and_survives_power(region):
    card = issued(region, tries=3)
    assert send(card, "0020000000") == "63C3"
    assert send(card, "0020000003000000") == "63C2"
    card.power_on()
    assert send(card, "0020000003000000") == "63C1"
    assert send(card, "0020000000") == "63C1"
    assert send(card, PIN_OK) == "9000"
    assert send(card, "0020000000") == "9000"
    assert [send(card, "0020000003000000") for _ in range(4)] == ["63C2", "63C1", "63C0", "6983"]
    assert send(card, PIN_OK) == "6983"
    assert send(card, "0020000000") == "6983"


def test_pin_status_switches_and_no_pin(region):
    odd = Switches(verify_empty_after_ok="63Cx", verify_empty_locked="63C0")
    card = issued(region, switches=odd, tries=1)
    data(card, PIN_OK)
    assert send(card, "0020000000") == "63C1"
    assert send(card, "0020000003000000") == "63C0"
    assert send(card, "0020000000") == "63C0"
    card = region.issue_card(2, pin=None)
    card.power_on()
    assert send(card, "0020000000") == "9000"
    assert send(card, PIN_OK) == "6984"
    assert send(card, "00200000023F") == "6700"


def test_change_pin_sets_removes_and_resets_the_counter(region):
    card = issued(region, tries=3)
    assert send(card, "805E010007" + "123455FF654321") == "63C2"
    assert send(card, "805E010007" + "123456FF654321") == "9000"
    assert send(card, "0020000000") == "63C3"
    assert send(card, PIN_OK) == "63C2"
    assert send(card, "0020000003654321") == "9000"
    assert send(card, "805E010007" + "654321FFABCDEF") == "6A80"
    assert send(card, "805E010004" + "654321FF") == "9000"
    assert send(card, "0020000000") == "9000"
    assert send(card, "805E010004" + "FF12345F") == "9000"
    assert send(card, "002000000312345F") == "9000"


def test_unblock_needs_puk_and_a_right_mac(region):
    card = issued(region, key_tries=2)
    assert send(card, "842400000400000000") == "6982"
    assert authenticate(card, region, "PUK", 0x06) == "9000"
    assert send(card, "8424000003000000") == "6987"
    assert send(card, "842400000400000000") == "6984"
    data(card, "0084000008")
    assert send(card, "842400000400000000") == "6988"
    assert authenticate(card, region, "PUK", 0x06) == "9000"


def test_repeated_unblock_failures_lock_the_unblock_key(region):
    card = issued(region, key_tries=1)
    authenticate(card, region, "PUK", 0x06)
    data(card, "0084000008")
    assert send(card, "842400000400000000") == "6988"
    assert authenticate(card, region, "PUK", 0x06) == "6983"


@pytest.mark.parametrize("length", ["16", "8"])
def test_short_stk_is_diversified_as_a_single_des_key(region, length):
    card = issued(region, switches=Switches(stk_length=length))
    assert len(card.memory.keys["STKSSSE"]) == int(length)
    authenticate(card, region, "PUK", 0x06)
    challenge = bytes.fromhex(data(card, "0084000008"))
    stk = region.card_key("STKSSSE", card.factor, int(length))
    key = region.algorithm.session_key(stk, challenge)
    mac = region.algorithm.mac(key, bytes.fromhex("8424000004"))
    assert send(card, "8424000004" + mac.hex()) == "9000"


def test_card_block_silences_every_command_for_ever(region):
    card = issued(region)
    assert authenticate(card, region, "BK", 0x05) == "9000"
    challenge = bytes.fromhex(data(card, "0084000008"))
    key = region.algorithm.session_key(region.card_key("STKSSSE", card.factor), challenge)
    mac = region.algorithm.mac(key, bytes.fromhex("8416000004")).hex()
    assert send(card, "8416000004" + mac) == "9000"
    card.power_on()
    assert [send(card, each) for each in (SSSE, PIN_OK, "B026000104")] == ["6A81"] * 3
