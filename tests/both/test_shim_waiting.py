"""Waiting for cards and readers over a real pcscd, under both interpreters: docs/pyscard.md."""

from firmware.drivers.smartcard import scard
from firmware.drivers.smartcard.Card import Card as FoundCard
from firmware.drivers.smartcard.CardMonitoring import CardMonitor, CardObserver
from firmware.drivers.smartcard.CardRequest import CardRequest
from firmware.drivers.smartcard.CardType import ATRCardType, CardType
from firmware.drivers.smartcard.deadline import Deadline, pause_ms
from firmware.drivers.smartcard.Exceptions import (
    CardConnectionException,
    CardRequestException,
    CardRequestTimeoutException,
    SmartcardException,
)
from firmware.drivers.smartcard.PassThruCardService import PassThruCardService
from firmware.drivers.smartcard.pcsc.PCSCExceptions import EstablishContextException
from firmware.drivers.smartcard.ReaderMonitoring import ReaderMonitor, ReaderObserver
from firmware.drivers.smartcard.System import readers
from tests.both.cards import ATR_T0, ATR_T1, PSAM_READER, USER_READER, Card, service
from tests.both.expect import raises

NEEDS_PCSCD = True

READ = [0x00, 0xB0, 0x95, 0x00, 0x04]


def until(is_so, seconds=60):
    deadline = Deadline(seconds)
    while not is_so():
        assert not deadline.is_over()
        pause_ms(50)


class Watcher(CardObserver):
    """Of cards or readers: the names of what came and went."""

    def __init__(self):
        self.said = []

    def update(self, observable, handlers):
        for sign, changed in zip("+-", handlers):
            for each in changed:
                self.said.append(sign + str(getattr(each, "reader", each)))


def test_a_request_finds_the_card_that_is_there():
    with Card("psam", ATR_T1), CardRequest(timeout=5, readers=[PSAM_READER]) as request:
        with request.waitforcard() as found:
            assert isinstance(found, PassThruCardService)
            found.connection.connect()
            assert found.connection.getReader() == PSAM_READER
            assert found.connection.getATR() == list(ATR_T1)


def test_a_request_waits_for_its_kind_of_card():
    with Card("psam", ATR_T1):
        request = CardRequest(timeout=1, cardType=ATRCardType(list(ATR_T0)))
        error = raises(CardRequestTimeoutException, request.waitforcard)
        assert str(error) == "Time-out during card request: Command timeout. (0x8010000A)"
        with Card("user", ATR_T0):
            found = request.waitforcard()
            assert found.connection.getReader() == USER_READER
            found.connection.release()


def test_a_request_for_a_new_card_takes_no_old_one():
    with Card("user", ATR_T0):
        request = CardRequest(newcardonly=True, timeout=0.7)
        raises(CardRequestTimeoutException, request.waitforcard)


def test_a_program_chooses_by_a_card_type_of_its_own():
    class Contactless(CardType):
        def matches(self, atr, reader=None):
            return atr[:2] == [0x3B, 0x90] and str(reader) == USER_READER

    with Card("psam", ATR_T1), CardRequest(timeout=0.5, cardType=Contactless()) as request:
        raises(CardRequestTimeoutException, request.waitforcard)


def test_a_reader_that_is_not_there_does_not_outlast_the_time():
    request = CardRequest(readers=["nobody"], timeout=0.6)
    for wait in (request.waitforcard, request.waitforcardevent):
        deadline = Deadline(30)
        if wait == request.waitforcardevent:
            assert wait() == []  # the first one tells what is there
        raises(CardRequestTimeoutException, wait)
        assert not deadline.is_over()


def test_events_that_are_none_of_its_do_not_shorten_the_wait():
    request = CardRequest(readers=[USER_READER], timeout=1.5)
    deadline = Deadline(1.3)
    psam = Card("psam")
    psam.pull_in(0.3)
    raises(CardRequestTimeoutException, request.waitforcard)
    assert deadline.is_over()


def test_an_event_is_a_card_that_came_or_went_and_no_other_change():
    request = CardRequest(timeout=4)
    assert request.waitforcardevent() == []
    with Card("user", ATR_T0):
        (card,) = request.waitforcardevent()
        assert card == FoundCard(USER_READER, list(ATR_T0))
        short = CardRequest(timeout=0.8)
        assert short.waitforcardevent() == [card]
        connection = card.createConnection()
        connection.connect()
        raises(CardRequestTimeoutException, short.waitforcardevent)  # in use is no event
        connection.release()
        raises(CardRequestTimeoutException, short.waitforcardevent)
    assert request.waitforcardevent() == []


def test_a_card_equals_itself_by_reader_name_and_atr():
    (reader,) = [each for each in readers() if str(each) == USER_READER]
    one, same = FoundCard(reader, [0x3B, 0]), FoundCard(USER_READER, [0x3B, 0])
    assert one == same
    assert len({one, same}) == 1
    assert one != FoundCard(USER_READER, [0x3B, 1])
    assert one != "3B 00 / " + USER_READER
    assert repr(one) == "3B 00 / " + USER_READER
    assert FoundCard("nobody", []).createConnection() is None


def test_a_monitor_tells_of_cards_and_ends_with_its_last_observer():
    monitor, first, second = CardMonitor(), Watcher(), Watcher()
    monitor.addObserver(first)
    with Card("user"):
        until(lambda: first.said == ["+" + USER_READER])
        CardMonitor().addObserver(second)  # all monitors are one
        assert second.said == first.said
        assert monitor.countObservers() == 2
    until(lambda: first.said == ["+" + USER_READER, "-" + USER_READER])
    thread = monitor.rmthread
    monitor.deleteObserver(first)
    assert thread.is_alive()
    monitor.deleteObserver(second)
    thread.join()
    assert not thread.is_alive()
    assert monitor.rmthread is None


def test_an_observer_that_raises_does_not_end_the_monitor():
    class Broken(CardObserver):
        def update(self, observable, handlers):
            if handlers[0]:
                raise ValueError("the observer's own")

    monitor, broken, watcher = CardMonitor(), Broken(), Watcher()
    monitor.addObserver(broken)
    monitor.addObserver(watcher)
    with Card("user"):
        until(lambda: watcher.said == ["+" + USER_READER])
    until(lambda: len(watcher.said) == 2)
    monitor.deleteObservers()


def test_a_reader_monitor_tells_and_a_second_one_keeps_its_observers():
    there = ["one"]
    monitor = ReaderMonitor(readerProc=lambda: there, period=0.1)
    watcher, late = Watcher(), Watcher()
    monitor.addObserver(watcher)
    until(lambda: watcher.said == ["+one"])
    other = ReaderMonitor(readerProc=lambda: there, period=0.1)
    other.addObserver(late)
    assert late.said == ["+one"]
    there.append("two")
    until(lambda: watcher.said == ["+one", "+two"])
    there.remove("one")
    until(lambda: late.said == ["+one", "+two", "-one"])
    thread = monitor.rmthread
    monitor.deleteObserver(watcher)
    other.deleteObserver(late)
    thread.join()
    assert not thread.is_alive()


def test_a_reader_monitor_of_pcscd():
    class Readers(ReaderObserver):
        found = ()

        def update(self, observable, handlers):
            self.found = [str(each) for each in handlers[0]]

    monitor, seen = ReaderMonitor(startOnDemand=False, period=0.2), Readers()
    assert monitor.rmthread.is_alive()
    until(lambda: monitor.rmthread.readers)
    monitor.addObserver(seen)
    assert USER_READER in seen.found
    monitor.deleteObserver(seen)
    monitor.stop()


def test_pcscd_away_is_reported_and_what_waits_goes_on_when_it_is_back():
    monitor, watcher = CardMonitor(), Watcher()
    with Card("user"):
        monitor.addObserver(watcher)
        until(lambda: watcher.said == ["+" + USER_READER])
        request = CardRequest(timeout=1)
        (reader,) = [each for each in readers() if str(each) == USER_READER]
        connection = reader.createConnection()
        connection.connect()
        service(False)
        until(lambda: watcher.said == ["+" + USER_READER, "-" + USER_READER])
        raises(CardConnectionException, connection.transmit, READ)
        raises(CardRequestException, request.waitforcard)
        assert raises(EstablishContextException, readers).hresult == scard.SCARD_E_NO_SERVICE
        assert not isinstance(raises(EstablishContextException, readers), SmartcardException)
        assert raises(CardConnectionException, CardRequest).hresult == scard.SCARD_E_NO_SERVICE
        raises(CardConnectionException, reader.createConnection)
    service(True)
    with Card("user"):
        until(lambda: watcher.said[2:] == ["+" + USER_READER])
        monitor.deleteObserver(watcher)
        raises(SmartcardException, connection.disconnect)
        connection.connect()
        assert connection.transmit(READ)[1:] == (0x90, 0)
        connection.release()
        found = request.waitforcard()
        assert found.connection.getReader() == USER_READER
        found.connection.release()
