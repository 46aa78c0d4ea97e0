"""The issue's "Bad input", for the shim: what a card, a reader or libpcsclite may answer."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firmware.drivers.smartcard import guid, scard, util
from firmware.drivers.smartcard.ATR import ATR
from firmware.drivers.smartcard.CardConnectionObserver import ConsoleCardConnectionObserver
from firmware.drivers.smartcard.Exceptions import CardConnectionException, SmartcardException
from firmware.drivers.smartcard.pcsc import PCSCPart10
from firmware.drivers.smartcard.System import readers
from tests.fake_pcsc import FakePcsc

BYTES = st.lists(st.integers(0, 255), max_size=80)


@given(BYTES)
@example([0x3B, 0xF0, 0xF0, 0xF0, 0xF0, 0x80])
@example([0x3B, 0x80] + [0x80] * 60)
def test_any_atr_is_parsed_or_refused(atr: list[int]) -> None:
    try:
        parsed = ATR(atr)
    except SmartcardException:
        assert len(atr) < 2 or atr[0] not in (0x3B, 0x3F)
        return
    assert len(parsed.Y) <= len(atr)
    known = [
        each
        for letters in (parsed.TA, parsed.TB, parsed.TC, parsed.TD)
        for each in letters
        if each is not None
    ]
    assert len(known) == parsed.getInterfaceBytesCount()
    assert 2 + len(known) + parsed.getHistoricalBytesCount() + parsed.hasChecksum <= len(atr)
    assert util.toBytes(str(parsed)) == atr
    assert parsed.render()


@given(BYTES)
def test_any_answer_of_part_10_is_read(answer: list[int]) -> None:
    assert PCSCPart10.parseTlvProperties(answer)["raw"] == answer
    for name, code in PCSCPart10.parseFeatureRequest(answer):
        assert name in PCSCPart10.Features
        assert 0 <= code < 2**32


@given(st.text(max_size=60))
def test_any_text_is_hex_or_a_type_error(text: str) -> None:
    with contextlib.suppress(TypeError):
        assert util.toHexString(util.toBytes(text), util.PACK) == "".join(text.split()).upper()
    with contextlib.suppress(ValueError):
        assert guid.strToGUID(guid.GUIDToStr(guid.strToGUID(text))) == guid.strToGUID(text)


@given(BYTES)
def test_any_bytes_come_back_from_their_hex_and_text(data: list[int]) -> None:
    for output_format in range(16):
        text = util.toHexString(data, output_format)
        assert util.toBytes(text.lower().replace("0x", " ").replace(",", " ")) == data
    assert len(util.toASCIIString(data)) == len(data)


@given(st.binary(max_size=300), st.sampled_from([0, scard.SCARD_E_NOT_TRANSACTED, 1, 0xFFFFFFFF]))
def test_any_answer_of_a_card_is_an_answer_or_an_exception(answer: bytes, code: int) -> None:
    fake = FakePcsc(User=(b"\x3b\x00", 1, lambda command: answer))
    scard.use_library(fake)
    try:
        with readers()[0].createConnection() as connection:
            connection.addObserver(ConsoleCardConnectionObserver())
            connection.connect()
            fake.codes["transmit"] = code
            if code or len(answer) < 2:
                with pytest.raises(CardConnectionException):
                    connection.transmit([0])
            else:
                assert connection.transmit([0]) == (list(answer[:-2]), answer[-2], answer[-1])
            fake.codes["transmit"] = 0
        assert fake.contexts == set()
        assert fake.handles == {}
    finally:
        scard.use_library(None)
