"""The shim over a real pcscd, read as a pyscard program would, under both interpreters."""

from firmware.drivers.smartcard import scard
from firmware.drivers.smartcard.CardConnection import CardConnection
from firmware.drivers.smartcard.Exceptions import CardConnectionException, NoCardException
from firmware.drivers.smartcard.System import readers
from firmware.drivers.smartcard.util import toBytes, toHexString
from tests.both.cards import ATR_T0, ATR_T1, PSAM_READER, SAY_NOTHING, USER_READER, Card, service
from tests.both.expect import raises

NEEDS_PCSCD = True

READ = [0x00, 0xB0, 0x95, 0x00, 0x04]


def reader(name=USER_READER):
    (found,) = [each for each in readers() if str(each) == name]
    return found


def test_the_readers_have_names():
    names = [str(each) for each in readers()]
    assert USER_READER in names
    assert PSAM_READER in names
    assert str(reader()) == USER_READER
    assert reader() != reader(PSAM_READER)


def test_a_card_is_read():
    with Card(atr=ATR_T0) as card, reader().createConnection() as connection:
        connection.connect()
        assert toHexString(connection.getATR()) == "3B 68 00 00 00 73 C8 40 12 00 90 00"
        assert connection.getProtocol() == CardConnection.T0_protocol
        assert connection.transmit(toBytes("00 B0 95 00 04")) == ([0, 0xB0, 0x95, 0], 0x90, 0)
        connection.reconnect(disposition=scard.SCARD_UNPOWER_CARD)
        assert connection.transmit(READ)[1:] == (0x90, 0)
        assert card.commands() == [bytes(READ), bytes(READ)]


def test_card_and_psam_side_by_side():
    ask = bytes.fromhex("0084000008")
    with Card("user", ATR_T1, {ask: b"\x01\x90\x00"}), Card("psam", ATR_T0, {ask: b"\x02\x6a\x82"}):
        with reader().createConnection() as user, reader(PSAM_READER).createConnection() as psam:
            user.connect()
            psam.connect()
            assert user.getProtocol() == CardConnection.T1_protocol
            for _ in range(20):
                assert user.transmit(list(ask)) == ([1], 0x90, 0)
                assert psam.transmit(list(ask)) == ([2], 0x6A, 0x82)


def test_the_longest_answer_arrives_whole():
    longest = bytes(range(256)) + b"\x90\x00"
    with Card(answers={bytes(READ): longest}), reader().createConnection() as connection:
        connection.connect()
        assert connection.transmit(READ) == (list(range(256)), 0x90, 0)


def test_an_empty_reader():
    with reader().createConnection() as connection:
        assert raises(NoCardException, connection.connect).hresult in (
            scard.SCARD_E_NO_SMARTCARD,
            scard.SCARD_W_REMOVED_CARD,
        )


def test_a_protocol_the_card_lacks():
    with Card(atr=ATR_T0), reader().createConnection() as connection:
        error = raises(CardConnectionException, connection.connect, CardConnection.T1_protocol)
        assert error.hresult == scard.SCARD_E_PROTO_MISMATCH


def test_a_card_that_is_pulled_while_it_should_answer():
    with Card() as card, reader().createConnection() as connection:
        connection.connect()
        card.pull_in(0.1)
        raises(CardConnectionException, connection.transmit, list(SAY_NOTHING))


def test_a_failed_transmit_shows_no_memory():
    with Card():
        _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
        _, handle, _ = scard.SCardConnect(context, USER_READER, scard.SCARD_SHARE_SHARED, 1)
        for command in (b"", bytes(70000)):
            code, answer = scard.SCardTransmit(handle, scard.SCARD_PCI_T0, command)
            assert code != 0
            assert answer == []
        scard.SCardDisconnect(handle, scard.SCARD_UNPOWER_CARD)
        scard.SCardReleaseContext(context)


def test_the_states_of_two_readers():
    with Card("psam", ATR_T1):
        _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
        asked = [(USER_READER, scard.SCARD_STATE_UNAWARE), (PSAM_READER, 0)]
        code, states = scard.SCardGetStatusChange(context, 0, asked)
        assert code == 0
        assert [each[0] for each in states] == [USER_READER, PSAM_READER]
        assert states[0][1] & scard.SCARD_STATE_EMPTY
        assert states[1][1] & scard.SCARD_STATE_PRESENT
        assert states[1][2] == list(ATR_T1)
        assert scard.SCardReleaseContext(context) == 0
        assert scard.SCardIsValidContext(context) != 0


def test_pcscd_stops_and_starts_again():
    service(False)
    code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    assert (code, context) == (scard.SCARD_E_NO_SERVICE, 0)
    service(True)
    with Card(), reader().createConnection() as connection:
        connection.connect()
        assert connection.transmit(READ)[1:] == (0x90, 0)
