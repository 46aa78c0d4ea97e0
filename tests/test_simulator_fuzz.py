"""Issue, bad input: no bytes make a simulated chip raise, answer nothing, or move money."""

from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_talk import SSSE, authenticate, data, in_df04, in_psam, send

from simulator.card import HANDLERS as CARD_HANDLERS
from simulator.files import where
from simulator.keytable import KEYS
from simulator.psam import HANDLERS as PSAM_HANDLERS
from simulator.region import Region

_HEADERS = sorted({*CARD_HANDLERS, *PSAM_HANDLERS, (0x80, 0x72), (0x00, 0xC0)})


@st.composite
def commands(draw):
    """Random bytes, or a known instruction with likely parameters and random data."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=270))
    header = bytes(draw(st.sampled_from(_HEADERS)))
    p1 = st.one_of(st.integers(0, 8), st.integers(0x80, 0x9F))
    p1p2 = bytes(draw(st.tuples(p1, st.integers(0, 255))))
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


@settings(max_examples=100, deadline=None)
@given(sent=st.lists(commands(), max_size=12), algorithm=st.sampled_from(["3des", "sm4", "both"]))
def test_random_commands(sent, algorithm):
    region = Region(algorithm=algorithm)
    card = in_df04(region.issue_card(1, balance_fen=5000))
    tap = in_df04(
        region.issue_card(2, generation="3.0", balance_fen=5000, contactless=True, full=True)
    )
    psam = in_psam(region.issue_psam(), card.memory.algorithm)
    before = _money(card), _money(tap)
    for command in sent:
        for chip in (card, tap, psam):
            answer = chip.transmit(command)
            assert 2 <= len(answer) <= 258
    assert (_money(card), _money(tap)) == before
    for chip in (card, tap, psam):
        assert type(chip).from_state(chip.to_state()).to_state() == chip.to_state()


# Every write key of the card, so that random commands reach the files behind them.
_OPENED = [row for row in KEYS if row.reference is not None and row.name[:2] in ("RK", "UK", "DS")]


@settings(max_examples=100, deadline=None)
@given(
    sent=st.lists(commands(), max_size=12),
    generation=st.sampled_from(["1.0", "2.0", "3.0"]),
    df=st.sampled_from(["SSSE", "DF01", "DF02", "DF03", "DF04", "DF05", "DF06", "DF07"]),
)
def test_random_commands_to_an_open_card(sent, generation, df):
    """With every key of an application authenticated, and the PIN: still no money moves."""
    region = Region(algorithm="both")
    card = region.issue_card(
        1, generation=generation, balance_fen=5000, full=True, optional=("DF05", "DF06")
    )
    in_df04(card)
    data(card, SSSE)
    if df != "SSSE" and not send(card, f"00A4000002{df}").endswith("9000"):
        return  # a 1.0 card has no DF07
    for row in _OPENED:
        if row.df == df:
            assert authenticate(card, region, row.name, row.reference) == "9000"
    before = _money(card)
    counts = {name: len(stored) for name, stored in card.memory.files.items()}
    for command in sent:
        assert 2 <= len(card.transmit(command)) <= 258
    assert _money(card) == before
    for name, stored in card.memory.files.items():
        ef = card.structure[where(name)]
        assert len(stored) >= counts[name]  # nothing is ever lost
        if ef.is_cyclic:
            assert len(stored) <= ef.records
            assert {len(each) for each in stored} <= {ef.size}
        if ef.is_transparent:
            assert len(b"".join(stored)) <= ef.size
    assert type(card).from_state(card.to_state()).to_state() == card.to_state()
