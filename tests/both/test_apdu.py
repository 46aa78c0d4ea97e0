"""firmware/apdu.py: the four cases, on both protocols, under both interpreters."""

from firmware.apdu import SW_OK, CommandApdu, ResponseApdu
from tests.both.expect import raises

# (header, data, ne) -> (APDU of T=1, TPDU of T=0)   ISO 7816-3:2006 12.1 and 12.2
CASES = (
    (("00", "B0", "95", "00"), "", 0, "00B09500", "00B0950000"),
    (("00", "B0", "95", "00"), "", 4, "00B0950004", "00B0950004"),
    (("00", "B2", "01", "28"), "", 256, "00B2012800", "00B2012800"),
    (("00", "82", "00", "0A"), "A1A2", 0, "0082000A02A1A2", "0082000A02A1A2"),
    (("00", "A4", "04", "00"), "DF01", 256, "00A4040002DF0100", "00A4040002DF01"),
    (("80", "FA", "00", "00"), "0102", 8, "80FA0000020102" + "08", "80FA0000020102"),
)


def command(header, data="", ne=0):
    return CommandApdu(*[int(each, 16) for each in header], bytes.fromhex(data), ne)


def test_the_cases_of_a_command():
    for header, data, ne, apdu, tpdu in CASES:
        one = command(header, data, ne)
        assert one.to_apdu() == bytes.fromhex(apdu), apdu
        assert one.to_tpdu() == bytes.fromhex(tpdu), tpdu
        assert one.header() == bytes.fromhex("".join(header))


def test_the_longest_command():
    one = CommandApdu(0, 0xD6, 0, 0, bytes(255), 256)
    assert one.to_apdu() == b"\x00\xd6\x00\x00\xff" + bytes(255) + b"\x00"
    assert one.to_tpdu() == b"\x00\xd6\x00\x00\xff" + bytes(255)


def test_what_is_no_short_command_is_refused():
    for arguments in (
        (256, 0, 0, 0),
        (0, -1, 0, 0),
        (0, 0, 256, 0),
        (0, 0, 0, 1000),
        (0, 0, 0, 0, bytes(256)),
        (0, 0, 0, 0, b"", 257),
        (0, 0, 0, 0, b"", -1),
    ):
        raises(ValueError, CommandApdu, *arguments)


def test_a_command_keeps_a_copy_of_its_data():
    data = bytearray(b"\x01\x02")
    one = CommandApdu(0, 0x20, 0, 0, data)
    data[0] = 9
    assert one.data == b"\x01\x02"
    assert type(one.data) is bytes


def test_a_response_both_ways():
    for raw, data, sw in (("9000", "", SW_OK), ("0102" + "6A82", "0102", 0x6A82)):
        response = ResponseApdu.from_bytes(bytes.fromhex(raw))
        assert (response.data, response.sw) == (bytes.fromhex(data), sw)
        assert response.to_bytes() == bytes.fromhex(raw)
    longest = bytes(256) + b"\x90\x00"
    assert ResponseApdu.from_bytes(longest).to_bytes() == longest


def test_what_is_no_response_is_refused():
    for raw in (b"", b"\x90", bytes(259)):
        raises(ValueError, ResponseApdu.from_bytes, raw)


def test_no_data_is_shown():
    assert repr(command(("00", "20", "00", "00"), "123456")) == (
        "CommandApdu(00200000, 3 bytes, ne=0)"
    )
    assert repr(ResponseApdu(b"\x12\x34", 0x63C2)) == "ResponseApdu(2 bytes, 63C2)"
