"""Cards that several want, and cards that say nothing, under both interpreters: docs/pyscard.md."""

import sys

from firmware.drivers.smartcard import scard
from firmware.drivers.smartcard.CardConnectionDecorator import innermost
from firmware.drivers.smartcard.deadline import Deadline
from firmware.drivers.smartcard.DeadlineCardConnection import DeadlineCardConnection
from firmware.drivers.smartcard.Exceptions import CardConnectionException
from firmware.drivers.smartcard.ExclusiveConnectCardConnection import ExclusiveConnectCardConnection
from firmware.drivers.smartcard.ExclusiveTransmitCardConnection import (
    ExclusiveTransmitCardConnection,
)
from firmware.drivers.smartcard.pcsc.PCSCCardConnection import PCSCCardConnection
from firmware.drivers.smartcard.System import readers
from tests.both.cards import SAY_NOTHING, USER_READER, Card
from tests.both.expect import raises

NEEDS_PCSCD = True

READ = [0x00, 0xB0, 0x95, 0x00, 0x04]


def reader():
    (found,) = [each for each in readers() if str(each) == USER_READER]
    return found


def test_an_exclusive_connection_keeps_others_out():
    with Card():
        with ExclusiveConnectCardConnection(reader().createConnection()) as mine:
            mine.connect()
            assert mine.transmit(READ)[1:] == (0x90, 0)
            with reader().createConnection() as other:
                error = raises(CardConnectionException, other.connect)
                assert error.hresult == scard.SCARD_E_SHARING_VIOLATION


def test_an_exclusive_connection_that_fails_is_unconnected():
    with Card():
        with reader().createConnection() as other:
            other.connect()
            mine = ExclusiveConnectCardConnection(reader().createConnection())
            error = raises(CardConnectionException, mine.connect)
            assert error.hresult == scard.SCARD_E_SHARING_VIOLATION
            assert innermost(mine).hcard is None
            mine.disconnect()
            mine.release()
            assert other.transmit(READ)[1:] == (0x90, 0)


def test_a_lock_makes_the_others_wait_within_their_deadline():
    with Card():
        mine = ExclusiveTransmitCardConnection(reader().createConnection())
        with mine, DeadlineCardConnection(reader().createConnection(), 1.0) as other:
            mine.connect()
            other.connect()
            mine.lock()
            assert mine.transmit(READ)[1:] == (0x90, 0)
            error = raises(CardConnectionException, other.transmit, READ)
            assert error.hresult == scard.SCARD_E_TIMEOUT
            mine.unlock()
            raises(CardConnectionException, mine.unlock)
            other.connect()
            assert other.transmit(READ)[1:] == (0x90, 0)


def test_a_transaction_on_the_connection_itself():
    with Card():
        with reader().createConnection() as connection:
            connection.connect()
            connection.beginTransaction()
            assert connection.transmit(READ)[1:] == (0x90, 0)
            connection.endTransaction(scard.SCARD_LEAVE_CARD)


def test_a_silent_card_is_bounded_and_the_next_one_works():
    connection = DeadlineCardConnection(reader().createConnection(), 1.0)
    with Card() as card:
        connection.connect()
        assert connection.transmit(READ)[1:] == (0x90, 0)
        card.commands()
        time = Deadline(30)
        error = raises(CardConnectionException, connection.transmit, list(SAY_NOTHING))
        assert str(error) == "No answer within 1.0 s: Command timeout. (0x8010000A)"
        assert not time.is_over()
        assert str(raises(CardConnectionException, connection.getATR)) == "Card not connected"
        assert card.commands() == [SAY_NOTHING]
    with Card() as card:
        connection.connect()
        assert connection.transmit(READ)[1:] == (0x90, 0)
        assert card.commands() == [bytes(READ)]
    connection.release()


def test_a_deadline_of_the_class_is_one_of_every_connection():
    with Card() as card:
        with reader().createConnection() as connection:
            PCSCCardConnection.deadline_s = 1.0
            try:
                connection.connect()
                error = raises(CardConnectionException, connection.transmit, list(SAY_NOTHING))
                assert error.hresult == scard.SCARD_E_TIMEOUT
                card.pull()
            finally:
                PCSCCardConnection.deadline_s = None


def test_a_dropped_connection_lets_its_card_go_on_cpython():
    if sys.implementation.name != "cpython":
        return  # docs/pyscard.md: there it keeps the card until the process ends
    with Card():
        dropped = ExclusiveConnectCardConnection(reader().createConnection())
        dropped.connect()
        with reader().createConnection() as other:
            raises(CardConnectionException, other.connect)
            del dropped
            other.connect()
