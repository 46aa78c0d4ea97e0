"""Issue 6.2: PPS to the fastest rate both sides allow (ISO/IEC 7816-3:2006 9), and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.drivers import pps
from firmware.drivers.atr import parse
from firmware.drivers.pps import Choice
from firmware.outcome import ProtocolError

CLOCK_HZ = 3_571_200
BAUDS = (9600, 19200, 38400, 57600, 76800, 115200, 230400, 460800)


def checked(hex_digits):
    body, total = bytes.fromhex(hex_digits), 0
    for each in body[1:]:
        total ^= each
    return body + bytes([total])


CHOSEN = [
    # (answer to reset, protocol, PPS1, is a PPS needed)
    pytest.param(b"\x3b\x00", 0, 0x11, False, id="nothing said"),
    pytest.param(b"\x3b\x10\x18", 0, 0x18, True, id="TA1 18: 115,200"),
    pytest.param(b"\x3b\x10\x11", 0, 0x11, False, id="TA1 11"),
    pytest.param(b"\x3b\x10\x01", 0, 0x11, False, id="TA1 01 keeps 372/1"),
    pytest.param(b"\x3b\x10\x13", 0, 0x13, True, id="TA1 13: 38,400"),
    # 512/32 is 223,200: no rate of the UART; 372/20 and 372/32 would be 192,000 and 307,200
    pytest.param(b"\x3b\x10\x96", 0, 0x18, True, id="TA1 96: within it, 372/12"),
    pytest.param(b"\x3b\x10\x77", 0, 0x11, False, id="TA1 reserved"),
    pytest.param(checked("3B901801"), 1, 0x18, True, id="T=1 at 115,200"),
    pytest.param(checked("3B8001"), 1, 0x11, False, id="T=1, first"),
    pytest.param(checked("3B808001"), 0, 0x11, False, id="T=0, then T=1: the first"),
    pytest.param(b"\x3b\x90\x18\x10\x00", 0, 0x18, False, id="specific: the rate of TA1, no PPS"),
]


@pytest.mark.parametrize(("raw", "protocol", "fi_di", "is_needed"), CHOSEN)
def test_the_fastest_rate_both_sides_allow(raw, protocol, fi_di, is_needed):
    atr = parse(raw)
    choice = pps.choose(atr, CLOCK_HZ, BAUDS)
    assert (choice.protocol, choice.fi_di) == (protocol, fi_di)
    assert pps.is_needed(atr, choice) is is_needed


def test_a_clock_too_fast_for_f_is_not_used_with_it():
    """8.3: 372 is good to 5 MHz."""
    assert pps.choose(parse(b"\x3b\x10\x18"), 6_000_000, (193548,)).fi_di == 0x11


def test_a_reader_with_a_slow_uart_takes_the_fastest_it_has():
    assert pps.choose(parse(b"\x3b\x10\x18"), CLOCK_HZ, (9600, 19200, 38400)).fi_di == 0x13


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (checked("3B8002"), "neither T=0 nor T=1"),
        (b"\x3b\x90\x18\x10\x10", "does not name"),
        (b"\x3b\x90\x96\x10\x00", "has not the rate of TA1 96"),
        (b"\x3b\x90\x18\x10\x02", "T=2"),
    ],
    ids=["T=2", "implicit", "rate", "specific T=2"],
)
def test_what_cannot_be_spoken_is_said(raw, said):
    with pytest.raises(ProtocolError, match=said):
        pps.choose(parse(raw), CLOCK_HZ, BAUDS)


def test_a_request_for_another_protocol_than_the_first():
    both = parse(checked("3B808001"))
    assert pps.is_needed(both, Choice(1, 0x11))
    assert pps.request(Choice(1, 0x11)) == bytes.fromhex("FF01FE")


RESPONSES = [
    (Choice(0, 0x18), "FF1018F7", Choice(0, 0x18)),
    (Choice(1, 0x18), "FF1118F6", Choice(1, 0x18)),
    (Choice(0, 0x18), "FF00FF", Choice(0, 0x11)),  # 9.3: PPS1 left out, 372/1 stay
    (Choice(1, 0x11), "FF01FE", Choice(1, 0x11)),
    (Choice(0, 0x18), "FF1013FC", None),  # another rate than asked
    (Choice(0, 0x18), "FF1118F6", None),  # another protocol
    (Choice(0, 0x18), "FF1018F6", None),  # PCK
    (Choice(0, 0x18), "FF70180000E7", None),  # PPS2 and PPS3 were not asked
    (Choice(0, 0x18), "FF10", None),
    (Choice(0, 0x18), "", None),
    (Choice(0, 0x18), "001018F7", None),
]


@pytest.mark.parametrize(("asked", "response", "result"), RESPONSES)
def test_a_response_is_what_was_asked_or_372_1_or_wrong(asked, response, result):
    raw = bytes.fromhex(response)
    if result is None:
        with pytest.raises(ProtocolError):
            pps.agreed(asked, raw)
    else:
        assert pps.agreed(asked, raw) == result
        assert pps.missing(raw) == 0
        assert [pps.missing(raw[:come]) > 0 for come in range(len(raw))] == [True] * len(raw)


@given(st.binary(max_size=8))
def test_no_other_response_is_ever_taken(response):
    asked = Choice(0, 0x18)
    assert 0 <= pps.missing(response) <= 6
    try:
        pps.agreed(asked, response)
    except ProtocolError:
        return
    assert response.hex().upper() in ("FF1018F7", "FF00FF")
