"""Issue 6.3: the ATS, whatever a card says in it (ISO 14443-4 5.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.card.historical import historical_bytes
from firmware.drivers.ats import parse, pcsc_atr_of_b
from firmware.drivers.smartcard.ATR import ATR
from firmware.outcome import ProtocolError

HISTORICAL = bytes(range(13))
VECTORS = [  # ats, frame size, TA(1), waiting in ms, guard in ms, NAD, CID, historical bytes
    ("127880A002" + HISTORICAL.hex(), 256, 0x80, 309.3, 0.0, False, True, HISTORICAL.hex()),
    ("01", 32, 0, 4.8, 0.0, False, True, ""),
    ("0200", 16, 0, 4.8, 0.0, False, True, ""),
    ("0315F1", 64, 0xF1, 4.8, 0.0, False, True, ""),
    ("0328E8", 256, 0, 4949.0, 77.3, False, True, ""),
    ("034701", 128, 0, 4.8, 0.0, True, False, ""),
    ("0328FF", 256, 0, 4.8, 0.0, False, True, ""),  # RFU 15 twice
    ("020F", 4096, 0, 4.8, 0.0, False, True, ""),  # FSCI F is RFU
]


@pytest.mark.parametrize(("ats", "size", "ta", "waiting", "guard", "nad", "cid", "rest"), VECTORS)
def test_an_ats_says(ats, size, ta, waiting, guard, nad, cid, rest):
    found = parse(bytes.fromhex(ats))
    assert (found.frame_size, found.rates, found.takes_nad, found.takes_cid) == (size, ta, nad, cid)
    assert round(found.waiting_s * 1000, 1) == waiting
    assert round(found.guard_s * 1000, 1) == guard
    assert found.historical.hex() == rest


@pytest.mark.parametrize("ats", ["", "00", "02", "0478", "0270", "037880", "057880A0"])
def test_an_ats_that_ends_too_early_is_refused(ats):
    with pytest.raises(ProtocolError):
        parse(bytes.fromhex(ats))


@given(st.binary(max_size=70))
def test_any_ats_is_read_or_refused_and_its_historical_bytes_are_the_cards(ats):
    try:
        found = parse(ats)
    except ProtocolError:
        return
    assert ats.endswith(found.historical)
    assert 16 <= found.frame_size <= 4096
    assert 0 <= found.guard_s < 5
    assert 0 < found.waiting_s < 5
    if len(found.historical) == 13 and ats[0] not in (0x3B, 0x3F):
        assert historical_bytes(ats) == found.historical


def test_a_card_of_type_b_gets_the_atr_of_pc_sc():
    """PC/SC part 3, 3.1.3.2.3.1."""
    atr = pcsc_atr_of_b(bytes.fromhex("50AABBCCDD01020304008181"), b"\x21")
    assert atr[:-1].hex() == "3b8880010102030400818120"
    assert ATR(list(atr)).isContactless()
    check = 0
    for byte in atr[1:]:
        check ^= byte
    assert check == 0
    assert pcsc_atr_of_b(bytes(12), b"")[11] == 0
