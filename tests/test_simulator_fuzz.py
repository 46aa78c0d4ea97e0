"""Issue, bad input: no bytes make a simulated chip raise, answer nothing, or move money."""

from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_talk import in_df04, in_psam

from simulator.card import HANDLERS as CARD_HANDLERS
from simulator.psam import HANDLERS as PSAM_HANDLERS
from simulator.region import Region

_HEADERS = sorted({*CARD_HANDLERS, *PSAM_HANDLERS, (0x80, 0x72), (0x00, 0xC0)})


@st.composite
def commands(draw):
    """Random bytes, or a known instruction with likely parameters and random data."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=270))
    header = bytes(draw(st.sampled_from(_HEADERS)))
    p1p2 = bytes(draw(st.tuples(st.integers(0, 8), st.integers(0, 255))))
    body = draw(st.binary(max_size=80))
    tail = draw(st.sampled_from([b"", b"\x00", b"\x08", b"\x10"]))
    return header + p1p2 + (bytes((len(body),)) + body if body else b"") + tail


def _money(card):
    memory = card.memory
    return (
        memory.balance_fen,
        memory.yearly_self_fen,
        memory.yearly_pooled_fen,
        memory.purchase_serial,
        memory.load_serial,
        memory.files["DF04/08"],
    )


@settings(max_examples=150, deadline=None)
@given(sent=st.lists(commands(), max_size=12), algorithm=st.sampled_from(["3des", "sm4"]))
def test_random_commands(sent, algorithm):
    region = Region(algorithm=algorithm)
    card = in_df04(region.issue_card(1, balance_fen=5000))
    tap = in_df04(region.issue_card(2, balance_fen=5000, contactless=True))
    psam = in_psam(region.issue_psam())
    before = _money(card)
    for command in sent:
        for chip in (card, tap, psam):
            answer = chip.transmit(command)
            assert 2 <= len(answer) <= 258
    assert _money(card) == _money(tap) == before
    assert type(card).from_state(card.to_state()).to_state() == card.to_state()
