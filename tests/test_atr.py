"""Issue 6.2, card.md 5.3: the answer to reset, strictly (ISO/IEC 7816-3:2006 8.2, 8.3)."""

import contextlib
import json
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firmware.drivers import rates
from firmware.drivers.atr import LONGEST, Atr, AtrError, missing, parse

VECTORS = json.loads(Path(__file__).with_name("vectors").joinpath("atr.json").read_text())
READ = [pytest.param(each, id=each["why"]) for each in VECTORS["read"]]
REFUSED = [pytest.param(each, id=each["why"]) for each in VECTORS["refused"]]


def plain(atr: Atr) -> dict:
    """As in the vectors: hex, lists, no defaults, and without the bytes themselves."""
    default = asdict(Atr(b"", False, b""))
    found = {key: value for key, value in asdict(atr).items() if value != default[key]}
    del found["raw"]
    if "historical" in found:
        found["historical"] = found["historical"].hex().upper()
    return json.loads(json.dumps(found))


@pytest.mark.parametrize("vector", READ)
def test_each_byte_says_what_the_standard_says(vector):
    raw = bytes.fromhex(vector["atr"])
    atr = parse(raw)
    assert plain(atr) == vector["says"]
    assert atr.raw == raw


@pytest.mark.parametrize("vector", REFUSED)
def test_a_refusal_names_the_byte_and_the_rule(vector):
    with pytest.raises(AtrError) as caught:
        parse(bytes.fromhex(vector["atr"]))
    assert caught.value.byte == vector["byte"]
    assert vector.get("rule", "") in caught.value.rule
    assert f"wrong at {vector['byte']}: {caught.value.rule}" in str(caught.value)


@pytest.mark.parametrize("vector", READ)
def test_character_by_character_the_end_is_known_when_it_has_come(vector):
    raw = bytes.fromhex(vector["atr"])
    for come in range(len(raw)):
        assert 1 <= missing(raw[:come]) <= len(raw) - come
    assert missing(raw) == 0


def test_the_tables_of_f_and_d_are_those_of_8_3():
    """Table 7 and table 8, row by row."""
    assert {high: rates.FI[high][0] for high in rates.FI} == {
        0: 372, 1: 372, 2: 558, 3: 744, 4: 1116, 5: 1488, 6: 1860,
        9: 512, 10: 768, 11: 1024, 12: 1536, 13: 2048,
    }  # fmt: skip
    assert rates.DI == {1: 1, 2: 2, 3: 4, 4: 8, 5: 16, 6: 32, 7: 64, 8: 12, 9: 20}
    assert rates.baud(0x18, 3_571_200) == 115_200
    assert rates.baud(rates.DEFAULT, 3_571_200) == 9600
    assert not rates.is_defined(0x77)
    assert not rates.is_defined(0x10)


@given(st.binary(max_size=40))
@example(b"\x3b\x80" + b"\xf1" * 38)
def test_whatever_comes_is_read_or_refused_and_never_waited_for_without_end(raw):
    """Bad input: no crash; a reader that takes what is `missing` stops at 33 plus one group."""
    with contextlib.suppress(AtrError):
        atr = parse(raw)
        assert missing(raw) == 0
        assert len(raw) <= LONGEST
        assert parse(atr.raw) == atr
    for come in range(len(raw)):
        assert 0 <= missing(raw[:come]) <= LONGEST


@given(st.binary(min_size=2, max_size=32))
def test_one_wrong_bit_where_there_is_a_checksum_is_found(rest):
    """8.2.5: T=1 is offered, so TCK stands."""
    body = bytes([0x80 | len(rest[:15]), 0x01]) + rest[:15]
    tck = 0
    for each in body:
        tck ^= each
    raw = b"\x3b" + body + bytes([tck])
    assert parse(raw).historical == rest[:15]
    for at in range(3, len(raw)):
        with pytest.raises(AtrError) as caught:
            parse(raw[:at] + bytes([raw[at] ^ 0x10]) + raw[at + 1 :])
        assert caught.value.byte == "TCK"
