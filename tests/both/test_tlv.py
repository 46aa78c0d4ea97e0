"""firmware/tlv.py: BER-TLV both ways, and the card's simple TLV records."""

from firmware import tlv
from tests.both.expect import raises, vectors

PUBLISHED = vectors("card.json")["published"]

# (encoded, [(tag, value)]); encoded again they give the same bytes.
VECTORS = (
    ("", []),
    ("8400", [(0x84, "")]),
    ("8803010203", [(0x88, "010203")]),
    ("9F0C0386" + "0103", [(0x9F0C, "860103")]),
    ("84018881" + "0100", [(0x84, "88"), (0x81, "00")]),
    ("DF810402AABB", [(0xDF8104, "AABB")]),
    ("8481" + "80" + "11" * 128, [(0x84, "11" * 128)]),
    ("84820100" + "22" * 256, [(0x84, "22" * 256)]),
)
BROKEN = (
    "84",
    "8402" + "01",
    "9F",
    "9F8C",
    "9FFFFFFF01" + "00",
    "8481",
    "848201",
    "8480" + "0000",
    "8483000001" + "AA",
    "84FF",
)


def test_both_ways():
    for encoded, items in VECTORS:
        want = [(tag, bytes.fromhex(value)) for tag, value in items]
        assert tlv.parse(bytes.fromhex(encoded)) == want, encoded
        again = b"".join([tlv.encode(tag, value) for tag, value in want])
        assert again == bytes.fromhex(encoded), encoded


def test_a_longer_length_form_is_read():
    assert tlv.parse(bytes.fromhex("84810101")) == [(0x84, b"\x01")]
    assert tlv.parse(bytes.fromhex("8482000101")) == [(0x84, b"\x01")]


def test_broken_bytes_are_refused():
    for encoded in BROKEN:
        raises(tlv.TlvError, tlv.parse, bytes.fromhex(encoded))
    assert issubclass(tlv.TlvError, ValueError)


def test_what_is_cut_anywhere_is_refused_or_shorter():
    whole = bytes.fromhex("8803010203" + "9F0C03860103")
    for length in range(len(whole)):
        try:
            items = tlv.parse(whole[:length])
        except tlv.TlvError:
            continue
        assert items in ([], [(0x88, b"\x01\x02\x03")])


def test_a_value_below_a_path():
    fci = bytes.fromhex(PUBLISHED["fci"]["3.0"])
    assert tlv.find(fci, 0x6F, 0x84).hex().upper() == "7378312E73682EC9E7BBE1B1A3D5CF"
    assert tlv.find(fci, 0x6F, 0xA5, 0x88) == b"\x1e"
    assert tlv.find(fci, 0x6F, 0xA5, 0x9F0C) == bytes.fromhex("860103")
    assert tlv.find(fci, 0x6F, 0x85) is None
    assert tlv.find(fci, 0x70) is None
    assert tlv.find(fci) == fci
    raises(tlv.TlvError, tlv.find, fci, *range(9))


def test_what_does_not_fit_is_not_encoded():
    assert len(tlv.encode(0x84, bytes(65535))) == 1 + 3 + 65535
    raises(tlv.TlvError, tlv.encode, 0x84, bytes(65536))


def test_the_records_of_a_published_card():
    records = PUBLISHED["contact_3_0"]["ef05"]
    assert tlv.record_value(bytes.fromhex(records["03"]), 0x03) == b"3.00"
    assert tlv.record_value(bytes.fromhex(records["07"]), 0x07) == b"HA1046924"
    assert (
        tlv.record_value(bytes.fromhex(records["01"]), 0x01).hex().upper()
        == (PUBLISHED["contact_3_0"]["card_id"])
    )


def test_a_record_may_be_padded_and_nothing_else():
    for record in ("0302AABB", "0302AABB0000", "0302AABBFFFF00"):
        assert tlv.record_value(bytes.fromhex(record), 0x03) == b"\xaa\xbb"
    for record in ("", "03", "0402AABB", "0303AABB", "0302AABB01", "0302AABB00FF02"):
        raises(tlv.TlvError, tlv.record_value, bytes.fromhex(record), 0x03)
