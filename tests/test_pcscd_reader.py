"""Issue 2, real components: drivers/pcsc.py over a real pcscd with two readers.

The shim below it: tests/both/test_shim_pcscd.py.
"""

import contextlib
import queue
import threading
import time

import pytest

from firmware.drivers.pcsc import open_pcsc
from firmware.drivers.smartcard import scard
from firmware.outcome import TransportError
from tests import pcscd_rig
from tests.vpcd_card import VpcdCard
from tests.waiting import SOON_S, until

pytestmark = pytest.mark.pcscd

USER = pcscd_rig.USER_READER + " 00 00"
PSAM = pcscd_rig.PSAM_READER + " 00 00"
ATR_T0 = bytes.fromhex("3B6800000073C84012009000")
ATR_T1 = bytes.fromhex("3B9081119181")
ATR_CONTACTLESS = bytes.fromhex("3B80800101")
READ = bytes.fromhex("00B0950004")
SAY_NOTHING = bytes.fromhex("00FE0000")


def answer(command):
    return None if command == SAY_NOTHING else command[:4] + b"\x90\x00"


@pytest.fixture
def rig():
    return pcscd_rig.shared()


@pytest.fixture
def card(rig):
    plugged = []

    def plug(port=rig.user_port, atr=ATR_T0, answer=answer):
        plugged.append(VpcdCard(port, atr, answer))
        return plugged[-1]

    yield plug
    for each in plugged:
        each.pull()


@pytest.fixture
def slot(rig):
    opened = []

    def open_one(name=USER):
        opened.append(open_pcsc(name))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


@pytest.fixture(autouse=True)
def empty(rig):
    """No card of this test is left for the next one: pcscd looks each 0.4 s."""
    yield
    code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    if code == 0:
        for name in (USER, PSAM):
            state, ends = scard.SCARD_STATE_UNAWARE, time.monotonic() + SOON_S
            while time.monotonic() < ends:
                _, [(_, state, _)] = scard.SCardGetStatusChange(context, 200, [(name, state)])
                if state & scard.SCARD_STATE_EMPTY:
                    break
        scard.SCardReleaseContext(context)


def wait_for(reader, cards):
    ends = time.monotonic() + SOON_S
    while reader.cards_in_reach() != cards and time.monotonic() < ends:
        reader.wait_change(0.5)
    assert reader.cards_in_reach() == cards


def kind_of(function, *arguments):
    with pytest.raises(TransportError) as error:
        function(*arguments)
    return error.value.kind


@pytest.mark.parametrize(
    ("atr", "is_block"), [(ATR_T0, False), (ATR_T1, True), (ATR_CONTACTLESS, True)]
)
def test_a_card_comes_is_reset_answers_and_leaves(card, slot, atr, is_block):
    reader = slot("SSC Terminal User * 00")
    assert reader.name == USER
    wait_for(reader, 0)
    plugged = card(atr=atr)
    wait_for(reader, 1)
    for _ in range(2):
        plugged.orders.clear()
        assert reader.power_on() == atr
        assert plugged.orders[-2:] == ["off", "on"]  # a cold reset each time
        assert reader.is_block_protocol is is_block
        assert reader.exchange(READ, SOON_S) == READ[:4] + b"\x90\x00"
    reader.power_off()
    until(lambda: plugged.orders[-1] == "off")  # pcscd does not wait for the card to hear of it
    plugged.pull()
    wait_for(reader, 0)
    assert kind_of(reader.power_on) == "removed"


def test_the_longest_answer_arrives_whole(card, slot):
    longest = bytes(range(256)) + b"\x90\x00"
    card(answer=lambda command: longest)
    reader = slot()
    wait_for(reader, 1)
    reader.power_on()
    assert reader.exchange(READ, SOON_S) == longest


def test_card_and_psam_answer_side_by_side(rig, card, slot):
    card(rig.user_port, ATR_T1, lambda command: b"\x01\x90\x00")
    card(rig.psam_port, ATR_T0, lambda command: b"\x02\x90\x00")
    user, psam = slot(USER), slot(PSAM)
    wait_for(user, 1)
    wait_for(psam, 1)
    assert (user.power_on(), psam.power_on()) == (ATR_T1, ATR_T0)
    for _ in range(20):
        assert user.exchange(READ, SOON_S)[0] == 1
        assert psam.exchange(READ, SOON_S)[0] == 2


def test_a_card_pulled_between_two_commands_is_removed_and_another_one_served(card, slot):
    first = card()
    reader = slot()
    wait_for(reader, 1)
    reader.power_on()
    first.pull()
    assert kind_of(reader.exchange, READ, SOON_S) == "removed"
    wait_for(reader, 0)
    card(atr=ATR_T1)
    wait_for(reader, 1)
    assert reader.power_on() == ATR_T1
    assert reader.exchange(READ, SOON_S)


def test_a_card_pulled_while_it_should_answer_is_removed(card, slot):
    plugged = card()
    reader = slot()
    wait_for(reader, 1)
    reader.power_on()
    threading.Timer(0.1, plugged.pull).start()
    assert kind_of(reader.exchange, SAY_NOTHING, SOON_S) == "removed"


def test_a_silent_card_costs_its_deadline_and_blocks_nobody(rig, card, slot):
    mute = card()
    card(rig.psam_port)
    user, psam = slot(USER), slot(PSAM)
    wait_for(user, 1)
    wait_for(psam, 1)
    user.power_on()
    psam.power_on()
    start = time.monotonic()
    assert kind_of(user.exchange, SAY_NOTHING, 0.3) == "silent"
    assert time.monotonic() - start < SOON_S / 2
    assert psam.exchange(READ, SOON_S)
    assert user.cards_in_reach() == 1
    user.power_off()
    threading.Timer(0.2, mute.pull).start()
    assert kind_of(user.power_on) == "removed"
    wait_for(user, 0)
    card()
    wait_for(user, 1)
    assert user.power_on() == ATR_T0
    assert user.exchange(READ, SOON_S)


def test_pcscd_stopped_is_a_reader_fault_and_started_again_all_is_well(rig, card, slot):
    card()
    reader = slot()
    wait_for(reader, 1)
    reader.power_on()
    rig._end()
    try:
        for call in (
            lambda: reader.exchange(READ, SOON_S),
            reader.power_on,
            reader.cards_in_reach,
            lambda: reader.wait_change(0.1),
        ):
            assert kind_of(call) == "reader"
        reader.power_off()
        with pytest.raises(TransportError, match="pcscd does not run"):
            open_pcsc(USER)
    finally:
        rig._process = rig._start()
        assert rig._is_ready()
    card()
    wait_for(reader, 1)
    assert reader.power_on() == ATR_T0
    assert reader.exchange(READ, SOON_S)


def test_it_tells_of_cards_and_of_pcscd_by_itself(rig, card, slot):
    reader = slot()
    told = queue.SimpleQueue()
    reader.when_changed(lambda: told.put(None))

    def tells(cards, seconds=SOON_S):
        """Within so many seconds; a wake-up too many is allowed, one too few is not."""
        ends = time.monotonic() + seconds
        while True:
            told.get(timeout=max(0.01, ends - time.monotonic()))
            with contextlib.suppress(TransportError):
                if reader.cards_in_reach() == cards:
                    return

    tells(0)  # once it watches
    first = card()
    tells(1)
    reader.power_on()
    reader.power_off()
    first.pull()
    tells(0)
    with pytest.raises(queue.Empty):
        told.get(timeout=1)  # use and power are no change
    rig._end()
    told.get(timeout=SOON_S)
    assert kind_of(reader.cards_in_reach) == "reader"
    rig.start_again()
    card(atr=ATR_T1)
    tells(1)


def test_a_closed_reader_tells_nothing_more(rig, card, slot):
    reader = slot()
    told = queue.SimpleQueue()
    reader.when_changed(lambda: told.put(None))
    told.get(timeout=SOON_S)
    reader.close()
    card()
    time.sleep(1.5)
    assert told.qsize() <= 1  # the wait that was already on its way


def test_a_card_that_another_program_holds_is_a_reader_fault(card, slot):
    card()
    first, second = slot(), slot()
    wait_for(first, 1)
    first.power_on()
    with pytest.raises(TransportError, match="another program uses"):
        second.power_on()
    first.power_off()
    assert second.power_on() == ATR_T0


def test_a_waiting_status_change_can_be_cancelled(rig):
    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    _, states = scard.SCardGetStatusChange(context, 0, [(USER, 0), (PSAM, 0)])
    assert [each[0] for each in states] == [USER, PSAM]
    is_over = threading.Event()

    def cancel():
        while not is_over.wait(0.1):  # again: the first may come before the wait
            scard.SCardCancel(context)

    canceller = threading.Thread(target=cancel)
    canceller.start()
    start = time.monotonic()
    code, _ = scard.SCardGetStatusChange(context, 60_000, [each[:2] for each in states])
    is_over.set()
    canceller.join()
    assert code == scard.SCARD_E_CANCELLED
    assert time.monotonic() - start < SOON_S / 2
    assert scard.SCardReleaseContext(context) == 0
    assert scard.SCardIsValidContext(context) != 0
