"""Connections of the shim over a real pcscd, under both interpreters: docs/pyscard.md's rows."""

import os

from firmware.drivers.smartcard import scard
from firmware.drivers.smartcard.CardConnection import CardConnection
from firmware.drivers.smartcard.CardConnectionDecorator import CardConnectionDecorator, innermost
from firmware.drivers.smartcard.CardConnectionObserver import CardConnectionObserver
from firmware.drivers.smartcard.CardRequest import CardRequest
from firmware.drivers.smartcard.CardService import CardService
from firmware.drivers.smartcard.deadline import pause_ms
from firmware.drivers.smartcard.Exceptions import (
    CardConnectionException,
    InvalidReaderException,
    NoCardException,
    SmartcardException,
)
from firmware.drivers.smartcard.ExclusiveConnectCardConnection import ExclusiveConnectCardConnection
from firmware.drivers.smartcard.ExclusiveTransmitCardConnection import (
    ExclusiveTransmitCardConnection,
)
from firmware.drivers.smartcard.Session import Session
from firmware.drivers.smartcard.sw.ErrorCheckingChain import ErrorCheckingChain
from firmware.drivers.smartcard.sw.ISO7816_4_SW1ErrorChecker import ISO7816_4_SW1ErrorChecker
from firmware.drivers.smartcard.sw.ISO7816_4ErrorChecker import ISO7816_4ErrorChecker
from firmware.drivers.smartcard.sw.SWExceptions import (
    CheckingErrorException,
    WarningProcessingException,
)
from firmware.drivers.smartcard.System import listReaders, readergroups, readers
from tests.both.cards import ATR_T0, ATR_T1, PSAM_READER, USER_READER, Card
from tests.both.expect import raises

NEEDS_PCSCD = True

READ = [0x00, 0xB0, 0x95, 0x00, 0x04]


def reader(name=USER_READER):
    (found,) = [each for each in readers() if str(each) == name]
    return found


class Events(CardConnectionObserver):
    def __init__(self):
        self.seen = []

    def update(self, observable, handlers):
        self.seen.append((observable.getReader(), handlers.type, handlers.args))

    def types(self):
        said, self.seen = [each[1] for each in self.seen], []
        return said


def test_observers_hear_each_step_in_pyscards_order():
    events = Events()
    with Card():
        connection = reader().createConnection()
        connection.addObserver(events)
        connection.connect()
        connection.transmit(READ)
        assert events.seen[1] == (USER_READER, "command", [READ, None])
        assert events.seen[2] == (USER_READER, "response", [[0, 0xB0, 0x95, 0], 0x90, 0])
        connection.reconnect()
        connection.disconnect()
        connection.release()
        assert events.types() == [
            "connect", "command", "response", "reconnect", "disconnect", "release"
        ]  # fmt: skip
        connection = reader().createConnection()
        connection.connect()
        connection.addObserver(events)
        connection.release()
        assert events.types() == ["release", "disconnect"]
        connection.release()
        assert events.types() == []
        connection.deleteObserver(events)


def test_an_answer_is_checked_by_the_chain():
    chain = []
    chain = [
        ErrorCheckingChain(chain, ISO7816_4ErrorChecker()),
        ErrorCheckingChain(chain, ISO7816_4_SW1ErrorChecker()),
    ]
    refused, warned = bytes.fromhex("00A40000"), bytes.fromhex("00200000")
    with Card(answers={refused: b"\x6a\x82", warned: b"\x63\xc2"}):
        with reader().createConnection() as connection:
            connection.connect()
            connection.addSWExceptionToFilter(WarningProcessingException)  # no chain yet: nothing
            connection.setErrorCheckingChain(chain)
            assert connection.transmit(READ)[1:] == (0x90, 0)
            error = raises(CheckingErrorException, connection.transmit, list(refused))
            assert (error.sw1, error.sw2, error.data) == (0x6A, 0x82, [])
            assert str(error) == "'Status word exception: checking error - File not found!'"
            raises(WarningProcessingException, connection.transmit, list(warned))
            connection.addSWExceptionToFilter(WarningProcessingException)
            assert connection.transmit(list(warned)) == ([], 0x63, 0xC2)


def test_a_decorator_changes_what_it_overrides():
    class Shown(CardConnectionDecorator):
        def getATR(self):
            return [0x3F] + CardConnectionDecorator.getATR(self)[1:]

    with Card():
        with Shown(Shown(reader().createConnection())) as connection:
            connection.connect()
            assert connection.getATR() == [0x3F] + list(ATR_T0)[1:]
            assert connection.transmit(READ)[1:] == (0x90, 0)
            assert connection.getReader() == USER_READER
            assert innermost(connection).hcard is not None


def test_what_needs_a_card_says_so_before_connect():
    connection = ExclusiveTransmitCardConnection(reader().createConnection())
    for call in (
        connection.getATR,
        connection.reconnect,
        connection.lock,
        connection.unlock,
        connection.beginTransaction,
    ):
        assert str(raises(CardConnectionException, call)) == "Card not connected"
    raises(CardConnectionException, connection.transmit, READ)
    raises(CardConnectionException, connection.getAttrib, scard.SCARD_ATTR_VENDOR_NAME)
    raises(CardConnectionException, connection.control, scard.SCARD_CTL_CODE(3400))
    connection.disconnect()
    connection.release()
    assert str(raises(CardConnectionException, connection.connect)) == "Context already released"


def test_a_reader_without_attributes_or_control_says_its_code():
    with Card():
        with reader().createConnection() as connection:
            connection.connect()
            error = raises(SmartcardException, connection.getAttrib, scard.SCARD_ATTR_ATR_STRING)
            assert error.hresult == scard.SCARD_E_UNSUPPORTED_FEATURE
            error = raises(SmartcardException, connection.control, scard.SCARD_CTL_CODE(3400), [])
            assert str(error) == (
                "Failed to control Feature not supported.: Feature not supported. (0x8010001F)"
            )


def test_connecting_twice_holds_one_handle():
    with Card():
        with reader().createConnection() as first:
            first.connect()
            first.connect()
            first.disconnect()
            with ExclusiveConnectCardConnection(reader().createConnection()) as second:
                second.connect()  # a forgotten handle would keep the card in use
                assert second.transmit(READ)[1:] == (0x90, 0)


def test_another_card_may_speak_another_protocol():
    connection = reader().createConnection()
    with Card(atr=ATR_T0):
        connection.connect()
        assert connection.getProtocol() == CardConnection.T0_protocol
        connection.disconnect()
    with Card(atr=ATR_T1):
        connection.connect()
        assert connection.getProtocol() == CardConnection.T1_protocol
    connection.release()


def test_after_a_bad_mode_and_after_raw_a_plain_connect_works():
    with Card():
        with reader().createConnection() as connection:
            error = raises(CardConnectionException, connection.connect, None, 99)
            assert error.hresult == scard.SCARD_E_INVALID_VALUE
            connection.connect(CardConnection.RAW_protocol, scard.SCARD_SHARE_DIRECT)
            connection.disconnect()
            connection.connect()
            assert connection.getProtocol() == CardConnection.T0_protocol


def test_a_service_around_a_connection_closes_it_at_the_end_of_with_alone():
    with Card():
        connection = reader().createConnection()
        CardService(connection)
        connection.connect()
        with CardService(connection) as service:
            assert service.connection.transmit(READ)[1:] == (0x90, 0)
        raises(CardConnectionException, connection.connect)


def test_a_session_appends_the_status_word_to_a_longer_answer():
    long, short = bytes.fromhex("00B0000003"), bytes.fromhex("00B0000002")
    with Card(answers={long: b"\x01\x02\x03\x90\x00", short: b"\x01\x02\x90\x00"}):
        session = Session(USER_READER)
        assert session.sendCommandAPDU(list(long)) == ([1, 2, 3, 0x90, 0], 0x90, 0)
        assert session.sendCommandAPDU(list(short)) == ([1, 2], 0x90, 0)
        assert session.getATR() == list(ATR_T0)
        assert repr(session) == "<Session instance: readerName='%s'>" % USER_READER
        session.close()
    raises(NoCardException, Session, USER_READER)
    raises(InvalidReaderException, Session, "nobody")


def test_reader_groups_are_one_and_stay_so():
    assert list(readergroups()) == ["SCard$DefaultReaders"]
    assert raises(scard.error, readergroups().addreadergroup, "mine").args[0].startswith("Unable")
    assert list(readergroups()) == ["SCard$DefaultReaders"]
    for group in ([], ["SCard$DefaultReaders"], "SCard$DefaultReaders", ["any"]):
        assert USER_READER in [str(each) for each in readers(group)]
    assert PSAM_READER in listReaders()
    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    assert scard.SCardListReaderGroups(context) == [0, ["SCard$DefaultReaders"]]
    assert scard.SCardIntroduceReader(context, "a", "b") == 0x8010001F
    scard.SCardReleaseContext(context)


def test_the_low_level_answers_are_lists_of_one_length():
    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    assert scard.SCardConnect(context, "nobody", 2, 3) == [scard.SCARD_E_UNKNOWN_READER, 0, 0]
    assert scard.SCardStatus(1) == [scard.SCARD_E_INVALID_HANDLE, "", 0, 0, []]
    assert scard.SCardTransmit(0, 1, READ) == [scard.SCARD_E_INVALID_HANDLE, []]
    assert scard.SCardGetAttrib(0, 1) == [scard.SCARD_E_INVALID_HANDLE, []]
    assert scard.SCardControl(0, 1, []) == [scard.SCARD_E_INVALID_HANDLE, []]
    assert scard.SCardReconnect(0, 2, 3, 0) == [scard.SCARD_E_INVALID_HANDLE, 0]
    assert scard.SCardBeginTransaction(0) == scard.SCARD_E_INVALID_HANDLE
    assert scard.SCardDisconnect(0, 0) == scard.SCARD_E_INVALID_HANDLE
    assert scard.SCardReleaseContext(context) == 0
    for code in (2148532236, 2148532236 - 2**32):
        assert scard.SCardGetErrorMessage(code) == "No smart card inserted."
    raises(TypeError, scard.SCardEstablishContext, "0")
    raises(TypeError, scard.SCardTransmit, 1, 1, (0, 0xB0))
    for timeout in (-1, scard.INFINITE + 1):
        raises(ValueError, scard.SCardGetStatusChange, context, timeout, [])


def test_a_command_that_is_no_bytes_never_reaches_the_card():
    with Card() as card:
        with reader().createConnection() as connection:
            connection.connect()
            for command, error in (
                ([0x00, 256], ValueError),
                ([0x00, -1], ValueError),
                ([0.5], TypeError),
                (["00"], TypeError),
                ("00B0", TypeError),
            ):
                raises(error, connection.transmit, command)
            assert connection.transmit(bytes(READ)) == connection.transmit(READ)
        assert card.commands() == [bytes(READ), bytes(READ)]


def test_what_is_released_leaves_no_file_open():
    with Card():
        reader().createConnection().release()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            with reader().createConnection() as connection:
                connection.connect()
            with CardRequest(timeout=1) as request:
                request.waitforcardevent()
            request = CardRequest(timeout=1)
            request.pcsccardrequest.release()
        assert len(os.listdir("/proc/self/fd")) <= before + 1  # the listing itself


def test_many_answers_one_after_another_keep_apart():
    with Card():
        with reader().createConnection() as connection:
            connection.connect()
            kept = []
            for number in range(50):
                kept.append(connection.transmit([0, 0xB0, number, 0, 1])[0])
            assert kept == [[0, 0xB0, number, 0] for number in range(50)]
            pause_ms(1)
