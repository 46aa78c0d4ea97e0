"""Issue, bad input: chips that misbehave on purpose do exactly that, and no more."""

import pytest
from simulated_talk import PIN_OK, amounts, data, debit, in_df04, in_psam, init_sam, send
from simulated_talk import initialize as init_purchase

from simulator import misbehaviour
from simulator.misbehaviour import Silence
from simulator.region import Region

MONEY = amounts(1000)


@pytest.fixture
def pair():
    region = Region()
    card = in_df04(region.issue_card(1, balance_fen=10_000))
    return card, in_psam(region.issue_psam())


def ready_debit(card, psam) -> bytes:
    init = init_purchase(card, MONEY)
    return bytes.fromhex(debit(*init_sam(psam, init, MONEY, card.factor.hex())))


@pytest.mark.parametrize("size", [0, 1])
def test_short_and_long(pair, size):
    card = misbehaviour.short(pair[0], size, ins=0x20)
    assert len(card.transmit(bytes.fromhex(PIN_OK))) == size
    assert send(card, "B026000104").endswith("9000")
    assert len(misbehaviour.long(pair[0]).transmit(bytes.fromhex(PIN_OK))) > 258


def test_garbage_is_the_same_for_the_same_seed(pair):
    def heard(seed):
        card = misbehaviour.garbage(pair[0], seed=seed)
        return [card.transmit(bytes.fromhex(PIN_OK)) for _ in range(5)]

    assert heard(1) == heard(1) != heard(2)


def test_endless_61(pair):
    card = misbehaviour.endless_61(pair[0])
    asked = [card.transmit(bytes.fromhex(each)).hex() for each in (PIN_OK, *["00C0000008"] * 9)]
    assert asked == ["6108"] * 10


def test_wrong_internal_authentication_reaches_through_get_response(pair):
    good = data(pair[0], "0088000010" + "11" * 16)
    bad = data(misbehaviour.wrong_internal_authentication(pair[0]), "0088000010" + "11" * 16)
    assert good != bad
    assert len(bad) == 16


def test_wrong_mac2_comes_after_the_debit(pair):
    card, psam = pair
    bad = misbehaviour.wrong_mac2(card)
    answer = data(bad, ready_debit(bad, psam).hex())
    assert card.balance_fen == 9000
    assert send(psam, "8072000004" + answer[8:]) == "63CF"


def test_refused_commands_never_happened_and_answered_ones_did(pair):
    card, psam = pair
    refusing = misbehaviour.refuses(card, 0x9302, 0x2C)
    assert refusing.transmit(ready_debit(refusing, psam)).hex() == "9302"
    assert card.balance_fen == 10_000
    failing = misbehaviour.answers(card, 0x6F00, 0x2C)
    assert failing.transmit(ready_debit(failing, psam)).hex() == "6f00"
    assert card.balance_fen == 9000


@pytest.mark.parametrize(
    ("make", "left"),
    [(misbehaviour.mute_before, 10_000), (misbehaviour.mute_after, 9000)],
)
def test_mute_before_or_after_the_command_took_effect(pair, make, left):
    card, psam = pair
    mute = make(card, 0x2C)
    command = ready_debit(mute, psam)
    with pytest.raises(Silence):
        mute.transmit(command)
    assert card.balance_fen == left


def test_mute_lasts_until_power_on_and_counts_from_the_nth(pair):
    card = misbehaviour.mute_before(pair[0], 0x84, first=2)
    challenge = bytes.fromhex("0084000008")
    assert len(card.transmit(challenge)) == 10
    for command in (challenge, bytes.fromhex(PIN_OK)):
        with pytest.raises(Silence):
            card.transmit(command)
    card.power_on()
    assert card.transmit(bytes.fromhex(PIN_OK)).hex() == "9000"
    assert len(card.transmit(challenge)) == 10


def test_answers_from_the_nth_command_on_counts_no_get_response(pair):
    card = misbehaviour.answers(pair[0], 0x6F00, 0x88, first=3)
    command = "0088000010" + "11" * 16
    assert [send(card, command)[-4:] for _ in range(4)] == ["9000", "9000", "6F00", "6F00"]


def test_a_wrapper_has_the_api_of_its_chip(pair):
    card = misbehaviour.answers(pair[0], 0x6F00, 0x2C)
    assert card.balance_fen == 10_000
    assert card.contactless is False
    card.dirty = False
    assert pair[0].dirty is False
