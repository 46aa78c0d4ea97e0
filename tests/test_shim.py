"""Issue 2.3: the beginning of the pyscard-compatible shim; the decisions of docs/pyscard.md."""

import pytest

from firmware.drivers.smartcard import scard
from firmware.drivers.smartcard.ATR import ATR
from firmware.drivers.smartcard.CardConnection import CardConnection
from firmware.drivers.smartcard.Exceptions import (
    CardConnectionException,
    CardServiceNotFoundException,
    NoCardException,
    SmartcardException,
)
from firmware.drivers.smartcard.pcsc.PCSCExceptions import (
    EstablishContextException,
    ListReadersException,
)
from firmware.drivers.smartcard.System import readers
from firmware.drivers.smartcard.util import toBytes, toHexString
from tests.fake_pcsc import FakePcsc

ATR_T0 = bytes.fromhex("3B6800000073C84012009000")
READ = [0x00, 0xB0, 0x95, 0x00, 0x04]


@pytest.fixture
def library():
    fake = FakePcsc(
        User=(ATR_T0, 1, lambda command: bytes(command[:2]) + b"\x90\x00"),
        Block=(b"\x3b\x81\x11\x91", 2, lambda command: b"\x90\x00"),
        Empty=None,
    )
    scard.use_library(fake)
    yield fake
    scard.use_library(None)


@pytest.fixture
def context(library):
    return scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)[1]


@pytest.fixture
def connection(library):
    connection = readers()[0].createConnection()
    yield connection
    connection.release()


class TestLowLevel:
    def test_results_are_lists_of_the_same_length_when_they_fail(self, library, context):
        card = scard.SCardConnect(context, "User", 2, 3)
        assert (card[0], card[2]) == (0, 1)
        assert scard.SCardConnect(context, "nobody", 2, 3) == [0x80100009, 0, 0]
        assert scard.SCardStatus(card[1]) == [0, "User", 0x34, 1, list(ATR_T0)]
        assert scard.SCardReconnect(card[1], 2, 3, 1) == [0, 1]
        assert scard.SCardListReaders(context, []) == [0, ["User", "Block", "Empty"]]
        library.codes = dict.fromkeys(
            ("establish_context", "list_readers", "reconnect", "status"), 0x8010001D
        )
        assert scard.SCardEstablishContext(0) == [0x8010001D, 0]
        assert scard.SCardListReaders(context) == [0x8010001D, []]
        assert scard.SCardReconnect(card[1], 2, 3, 1) == [0x8010001D, 0]
        assert scard.SCardStatus(card[1]) == [0x8010001D, "", 0, 0, []]

    def test_a_failed_transmit_answers_nothing(self, library, context):
        _, card, _ = scard.SCardConnect(context, "User", 2, 3)
        library.codes["transmit"] = scard.SCARD_E_NOT_TRANSACTED
        assert scard.SCardTransmit(card, scard.SCARD_PCI_T0, READ) == [0x80100016, []]
        assert scard.SCardTransmit(card, 77, READ) == [scard.SCARD_E_INVALID_PARAMETER, []]

    @pytest.mark.parametrize("command", [READ, bytes(READ), bytearray(READ)])
    def test_a_command_is_a_list_or_bytes(self, library, context, command):
        _, card, _ = scard.SCardConnect(context, "User", 2, 3)
        assert scard.SCardTransmit(card, scard.SCARD_PCI_T0, command) == [0, [0, 0xB0, 0x90, 0]]
        assert bytes(library.calls[-1][3]) == bytes(READ)

    @pytest.mark.parametrize(
        ("command", "error"),
        [
            ((0, 0xB0), TypeError),
            ("00B0", TypeError),
            ([0.0], TypeError),
            (["0"], TypeError),
            ([256], ValueError),
            ([-1], ValueError),
            ([2**70], ValueError),
        ],
    )
    def test_no_other_command_and_nothing_is_cut(self, library, context, command, error):
        with pytest.raises(error):
            scard.SCardTransmit(1, scard.SCARD_PCI_T0, command)
        assert "transmit" not in [call[0] for call in library.calls]

    def test_a_status_change_may_be_fed_back(self, library, context):
        code, seen = scard.SCardGetStatusChange(context, 0, [("User", scard.SCARD_STATE_UNAWARE)])
        assert code == 0
        ((name, state, atr),) = seen
        assert (name, atr) == ("User", list(ATR_T0))
        assert state & scard.SCARD_STATE_CHANGED
        assert scard.SCardGetStatusChange(context, 10, seen)[0] == scard.SCARD_E_TIMEOUT

    @pytest.mark.parametrize("timeout", [-1, scard.INFINITE + 1])
    def test_a_time_out_that_cannot_be_is_refused(self, context, timeout):
        with pytest.raises(ValueError, match="INFINITE"):
            scard.SCardGetStatusChange(context, timeout, [("User", 0)])

    def test_negative_codes_have_words_too(self, library):
        assert scard.SCardGetErrorMessage(-2146435043) == scard.SCardGetErrorMessage(0x8010001D)


class TestReaders:
    def test_they_have_names_and_equal_them(self, library):
        assert [str(each) for each in readers()] == ["User", "Block", "Empty"]
        assert readers()[0] == readers()[0]
        assert readers()[0] != "User"
        assert readers()[0] != readers()[1]
        assert len(set(readers()) | set(readers())) == 3
        assert library.contexts == set()

    def test_none_is_an_empty_list(self, library):
        library.cards.clear()
        assert readers() == []

    def test_a_service_that_is_down_is_no_smartcard_exception(self, library):
        library.codes["list_readers"] = scard.SCARD_E_NO_SERVICE
        with pytest.raises(CardServiceNotFoundException):
            readers()
        library.codes["list_readers"] = scard.SCARD_E_NO_MEMORY
        with pytest.raises(ListReadersException):
            readers()
        assert library.contexts == set()
        library.codes["establish_context"] = scard.SCARD_E_NO_SERVICE
        with pytest.raises(EstablishContextException, match="0x8010001D") as error:
            readers()
        assert not isinstance(error.value, SmartcardException)
        assert error.value.hresult == scard.SCARD_E_NO_SERVICE

    def test_create_connection_says_it_in_its_own_way(self, library):
        reader = readers()[0]
        library.codes["establish_context"] = scard.SCARD_E_NO_SERVICE
        with pytest.raises(CardConnectionException):
            reader.createConnection()


class TestConnection:
    def test_the_life_of_a_connection(self, connection):
        assert connection.getReader() == "User"
        connection.connect()
        assert connection.getATR() == list(ATR_T0)
        assert connection.getProtocol() == CardConnection.T0_protocol
        assert connection.transmit(READ) == ([0, 0xB0], 0x90, 0)
        connection.disconnect()
        connection.disconnect()
        with pytest.raises(CardConnectionException, match="not connected"):
            connection.transmit(READ)
        with pytest.raises(CardConnectionException, match="not connected"):
            connection.getATR()
        with pytest.raises(CardConnectionException, match="not connected"):
            connection.reconnect()

    @pytest.mark.parametrize(("disposition", "done"), [(None, 2), (0, 0), (1, 1)])
    def test_disconnect_powers_off_unless_told(self, connection, library, disposition, done):
        connection.connect(disposition=disposition)
        connection.disconnect()
        assert library.calls[-1][2] == done

    def test_mode_is_shared_unless_told(self, connection, library):
        connection.connect()
        connection.connect(mode=scard.SCARD_SHARE_EXCLUSIVE)
        assert [call[2] for call in library.calls if call[0] == "connect"] == [2, 1]

    def test_connecting_again_closes_the_old_handle_and_keeps_the_power(self, connection, library):
        connection.connect()
        connection.connect()
        assert len(library.handles) == 1
        assert [c[2] for c in library.calls if c[0] == "disconnect"] == [scard.SCARD_LEAVE_CARD]

    def test_connect_without_a_protocol_does_not_stick_to_the_last_card(self, library):
        connection = readers()[0].createConnection()
        connection.connect()
        connection.disconnect()
        library.cards["User"] = library.cards["Block"]
        connection.connect()
        assert connection.getProtocol() == CardConnection.T1_protocol
        connection.release()

    def test_set_protocol_is_what_connect_asks_for(self, connection, library):
        connection.setProtocol(CardConnection.T1_protocol)
        with pytest.raises(CardConnectionException, match=r"with protocol: T1\. .*0x8010000F"):
            connection.connect()

    def test_raw_is_raw_in_both_numberings(self, connection, library):
        library.cards["User"] = (ATR_T0, 4, lambda command: b"\x90\x00")
        connection.connect(CardConnection.RAW_protocol)
        assert library.calls[-1] == ("connect", "User", 2, scard.SCARD_PROTOCOL_RAW)
        assert connection.getProtocol() == CardConnection.RAW_protocol
        assert connection.transmit(READ) == ([], 0x90, 0)
        assert library.calls[-1][2] == scard.SCARD_PCI_RAW

    def test_a_protocol_that_transmit_cannot_do_is_refused(self, connection):
        connection.connect()
        with pytest.raises(CardConnectionException, match="Invalid protocol"):
            connection.transmit(READ, CardConnection.T0_protocol | CardConnection.T1_protocol)

    def test_reconnect_resets_and_remembers_the_disposition(self, connection, library):
        connection.connect()
        connection.reconnect()
        assert library.calls[-1][4] == scard.SCARD_RESET_CARD
        connection.reconnect(disposition=scard.SCARD_UNPOWER_CARD)
        connection.disconnect()
        assert library.calls[-1][2] == scard.SCARD_UNPOWER_CARD

    def test_after_a_failed_reconnect_it_is_unconnected_and_holds_nothing(
        self, connection, library
    ):
        connection.connect()
        library.cards["User"] = None
        with pytest.raises(NoCardException) as error:
            connection.reconnect()
        assert error.value.hresult == scard.SCARD_W_REMOVED_CARD
        assert library.handles == {}
        with pytest.raises(CardConnectionException, match="not connected"):
            connection.getATR()

    def test_an_empty_reader_is_no_card(self, library):
        with (
            readers()[2].createConnection() as connection,
            pytest.raises(NoCardException, match="Unable to connect"),
        ):
            connection.connect()

    def test_with_ends_in_release(self, library):
        with readers()[0].createConnection() as connection:
            connection.connect()
        assert (library.handles, library.contexts) == ({}, set())
        with pytest.raises(CardConnectionException, match="already released"):
            connection.connect()
        connection.release()

    def test_a_failure_has_pyscards_message_and_its_code(self, connection, library):
        connection.connect()
        library.codes["transmit"] = scard.SCARD_E_NOT_TRANSACTED
        with pytest.raises(CardConnectionException) as error:
            connection.transmit(READ)
        assert str(error.value) == (
            "Failed to transmit with protocol T0. words for 80100016"
            ": words for 80100016 (0x80100016)"
        )
        assert error.value.hresult == 0x80100016

    def test_an_answer_without_a_status_word_is_no_answer(self, connection, library):
        library.cards["User"] = (ATR_T0, 1, lambda command: b"\x90")
        connection.connect()
        with pytest.raises(CardConnectionException, match="no valid response"):
            connection.transmit(READ)


class TestAtr:
    def test_a_t0_atr(self):
        atr = ATR(toBytes("3B 6D 00 00 81 4D 22 08 60 86 60 53 1A 0F 01 23 45"))
        assert (atr.TA, atr.TB, atr.TC, atr.TD) == ([None], [0], [0], [None])
        assert toHexString(atr.getHistoricalBytes()) == "81 4D 22 08 60 86 60 53 1A 0F 01 23 45"
        assert atr.getSupportedProtocols() == {"T=0": True}
        assert (atr.hasChecksum, atr.checksumOK, atr.getChecksum()) == (False, None, None)
        assert str(atr).startswith("3B 6D 00")

    @pytest.mark.parametrize(("check", "is_right"), [(0x80, True), (0x81, False)])
    def test_a_t1_atr_has_a_checksum(self, check, is_right):
        atr = ATR([0x3B, 0x90, 0x11, 0x01, check])
        assert (atr.TA, atr.TD) == ([0x11, None], [0x01, None])
        assert atr.getFirstProtocol() == 1
        assert (atr.hasChecksum, atr.checksumOK, atr.getChecksum()) == (True, is_right, check)

    def test_the_first_protocol_and_all_of_them(self):
        atr = ATR(bytes.fromhex("3B80800101"))
        assert atr.getFirstProtocol() == 0
        assert atr.isT0Supported()
        assert atr.isT1Supported()
        assert not atr.isT15Supported()
        assert atr.isContactless()
        assert not ATR(ATR_T0).isContactless()

    @pytest.mark.parametrize("length", range(2, 12))
    def test_an_atr_cut_short_is_parsed_as_far_as_it_goes(self, length):
        assert ATR(ATR_T0[:length]).isT0Supported()

    @pytest.mark.parametrize("raw", [b"", b"\x3b"])
    def test_less_than_ts_and_t0_is_no_atr(self, raw):
        with pytest.raises(SmartcardException, match="at least 2 bytes"):
            ATR(raw)
