"""Issue 2.3: `pcsc:<name or pattern>`, over a libpcsclite of the test's own.

The same reader over a real pcscd: test_pcscd_reader.py.
"""

import threading
import time

import pytest

from firmware.apdu import CommandApdu
from firmware.channel import open_channel
from firmware.drivers import pcsc
from firmware.drivers.smartcard import scard
from firmware.outcome import TransportError
from tests.fake_pcsc import FakePcsc
from tests.waiting import SOON_S

ATR_T0 = bytes.fromhex("3B6800000073C84012009000")
ATR_T1 = bytes.fromhex("3B9081119181")
ATR_CONTACTLESS = bytes.fromhex("3B80800101")
OK = b"\x90\x00"
READ = bytes.fromhex("00B0950004")


def card(atr=ATR_T0, protocol=1, answer=lambda command: OK):
    return atr, protocol, answer


@pytest.fixture
def library():
    fake = FakePcsc(User_00=card(), PSAM_00=None)
    scard.use_library(fake)
    yield fake
    scard.use_library(None)


@pytest.fixture
def reader(library):
    reader = pcsc.open_pcsc("User*")
    yield reader
    reader.close()


def kind_of(function, *arguments):
    with pytest.raises(TransportError) as error:
        function(*arguments)
    return error.value.kind


def names(library):
    return [call[0] for call in library.calls]


def test_a_reader_is_found_by_name_or_pattern(library):
    for pattern in ("User 00", "User*", "*ser ??"):
        reader = pcsc.open_pcsc(pattern)
        assert reader.name == "User 00"
        reader.close()


def test_a_name_with_brackets_is_found_exactly(library):
    library.put("ACR1281 [PICC] 00", None)
    library.put("ACR1281 [PICC] 00 00", None)
    reader = pcsc.open_pcsc("ACR1281 [PICC] 00")
    assert reader.name == "ACR1281 [PICC] 00"
    reader.close()


@pytest.mark.parametrize(("pattern", "count"), [("ACS*", "no reader"), ("*00", "2 readers")])
def test_exactly_one_must_match_and_the_error_names_those_seen(library, pattern, count):
    with pytest.raises(TransportError, match=f"{count} .*'User 00', 'PSAM 00'.*board.toml"):
        pcsc.open_pcsc(pattern)
    assert not library.contexts


def test_without_any_reader_the_error_says_so(library):
    library.cards.clear()
    with pytest.raises(TransportError, match="readers seen: none"):
        pcsc.open_pcsc("*")


def test_without_pcscd_or_its_library_the_error_says_what_to_start(library, monkeypatch):
    library.codes["establish_context"] = scard.SCARD_E_NO_SERVICE
    with pytest.raises(TransportError, match="systemctl start pcscd"):
        pcsc.open_pcsc("*")

    def absent(scope):
        raise OSError("libpcsclite.so.1: cannot open shared object file")

    monkeypatch.setattr(library, "establish_context", absent)
    with pytest.raises(TransportError, match="install libpcsclite1"):
        pcsc.open_pcsc("*")


def test_each_power_on_is_a_cold_reset(reader, library):
    for _ in range(2):
        library.calls.clear()
        assert reader.power_on() == ATR_T0
        (reset,) = [call for call in library.calls if call[0] == "reconnect"]
        assert reset[2:] == (
            scard.SCARD_SHARE_EXCLUSIVE,
            scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1,
            scard.SCARD_UNPOWER_CARD,
        )
    assert len(library.handles) == 1


@pytest.mark.parametrize(
    ("atr", "protocols", "is_block"),
    [(ATR_T0, 1, False), (ATR_T1, 2, True), (ATR_CONTACTLESS, 3, True)],
)
def test_t1_and_contactless_carry_apdus_whole(reader, library, atr, protocols, is_block):
    library.put("User 00", card(atr, protocols))
    assert reader.power_on() == atr
    assert reader.is_block_protocol is is_block
    reader.exchange(READ, SOON_S)
    assert library.calls[-1][2] == (2 if is_block else 1)


def test_the_channel_runs_over_it(reader, library):
    answers = {
        bytes.fromhex("00A4000002DF04"): bytes.fromhex("6104"),
        bytes.fromhex("00C0000004"): bytes.fromhex("6F0284009000"),
    }
    library.put("User 00", card(answer=answers.get))
    reader.power_on()
    answer = open_channel(reader, 1.0).transmit(CommandApdu(0, 0xA4, 0, 0, b"\xdf\x04", 256))
    assert (answer.data.hex(), answer.sw) == ("6f028400", 0x9000)


def test_no_card_is_removed(reader, library):
    library.put("User 00", None)
    assert reader.cards_in_reach() == 0
    assert kind_of(reader.power_on) == "removed"
    assert kind_of(reader.exchange, READ, SOON_S) == "removed"


def test_a_card_pulled_during_the_conversation_is_removed(reader, library):
    reader.power_on()
    library.put("User 00", None)
    assert kind_of(reader.exchange, READ, SOON_S) == "removed"
    library.put("User 00", card(ATR_T1, 2))
    assert reader.power_on() == ATR_T1


def test_a_card_pulled_a_moment_ago_is_removed_once_pcscd_has_seen_it(reader, library):
    library.put("User 00", card(answer=lambda command: scard.SCARD_E_NOT_TRANSACTED))
    reader.power_on()
    threading.Timer(0.1, library.put, ("User 00", None)).start()
    assert kind_of(reader.exchange, READ, 3.0) == "removed"


def test_a_cut_off_answer_of_a_card_that_left_is_removed(reader, library):
    library.put("User 00", card(answer=lambda command: b""))
    reader.power_on()
    threading.Timer(0.1, library.put, ("User 00", None)).start()
    assert kind_of(reader.exchange, READ, 3.0) == "removed"


def test_a_short_answer_of_a_card_that_stays_is_passed_on(reader, library, monkeypatch):
    """The channel makes a ProtocolError of it."""
    monkeypatch.setattr(pcsc, "SETTLE_S", 0.05)
    library.put("User 00", card(answer=lambda command: b"\x90"))
    reader.power_on()
    assert reader.exchange(READ, 3.0) == b"\x90"


def test_a_card_that_stays_but_fails_is_silent(reader, library, monkeypatch):
    monkeypatch.setattr(pcsc, "SETTLE_S", 0.05)
    library.put("User 00", card(answer=lambda command: scard.SCARD_E_NOT_TRANSACTED))
    reader.power_on()
    assert kind_of(reader.exchange, READ, 3.0) == "silent"
    assert library.contexts  # the reader itself is fine
    reader.power_on()


def test_a_mute_card_is_silent_at_power_on(reader, library):
    library.codes["connect"] = scard.SCARD_W_UNRESPONSIVE_CARD
    assert kind_of(reader.power_on) == "silent"


def test_another_program_that_holds_the_card_is_told(reader, library):
    library.codes["connect"] = scard.SCARD_E_SHARING_VIOLATION
    with pytest.raises(TransportError, match="another program uses User 00"):
        reader.power_on()


def test_a_silent_card_costs_its_deadline_and_the_reader_works_again(reader, library, monkeypatch):
    monkeypatch.setattr(pcsc, "CALL_S", 0.2)
    freed = threading.Event()
    library.put("User 00", card(answer=lambda command: freed.wait(SOON_S) and OK))
    reader.power_on()
    (old,) = library.contexts
    assert kind_of(reader.exchange, READ, 0.1) == "silent"
    assert reader.cards_in_reach() == 1  # over a context of its own
    reader.power_off()
    assert kind_of(reader.power_on) == "silent"  # the first call never ended
    freed.set()
    assert reader.power_on() == ATR_T0
    assert old not in library.contexts
    assert len(library.handles) == 1
    assert reader.exchange(READ, SOON_S) == OK


def test_pcscd_gone_is_a_reader_fault_and_power_on_recovers(reader, library):
    reader.power_on()
    library.codes.update(
        dict.fromkeys(
            ("transmit", "status_change", "establish_context", "disconnect"),
            scard.SCARD_E_NO_SERVICE,
        )
    )
    assert kind_of(reader.exchange, READ, SOON_S) == "reader"
    assert kind_of(reader.power_on) == "reader"
    assert kind_of(reader.cards_in_reach) == "reader"
    assert kind_of(reader.wait_change, 0.1) == "reader"
    reader.power_off()
    library.codes.clear()
    assert reader.power_on() == ATR_T0
    assert reader.exchange(READ, SOON_S) == OK


def test_a_reader_that_is_unplugged_is_a_reader_fault(reader, library):
    del library.cards["User 00"]
    with pytest.raises(TransportError, match="User 00 is gone: plug it in"):
        reader.cards_in_reach()


def test_waiting_ends_with_a_change_or_its_time(reader, library):
    assert reader.cards_in_reach() == 1
    start = time.monotonic()
    reader.wait_change(0.05)
    assert time.monotonic() - start > 0.04
    threading.Timer(0.05, library.put, ("User 00", None)).start()
    reader.wait_change(SOON_S)
    assert time.monotonic() - start < SOON_S / 2
    assert reader.cards_in_reach() == 0


def test_a_change_between_looking_and_waiting_is_not_missed(reader, library):
    """Two cards in turn: the other card is noticed although a card is there before and after."""
    assert reader.cards_in_reach() == 1
    library.put("User 00", None)
    library.put("User 00", card(ATR_T1, 2))
    start = time.monotonic()
    reader.wait_change(SOON_S)
    assert time.monotonic() - start < SOON_S / 2


def test_a_change_of_use_is_no_change_of_card(reader, library, monkeypatch):
    reader.cards_in_reach()
    plain = library.state
    monkeypatch.setattr(library, "state", lambda name: plain(name) | scard.SCARD_STATE_INUSE)
    start = time.monotonic()
    reader.wait_change(0.2)
    assert time.monotonic() - start > 0.15


def test_close_powers_the_card_off_and_gives_everything_back(library):
    reader = pcsc.open_pcsc("User*")
    reader.power_on()
    reader.close()
    reader.close()
    assert library.handles == {}
    assert library.contexts == set()
    assert [c[2] for c in library.calls if c[0] == "disconnect"] == [scard.SCARD_UNPOWER_CARD]


def test_no_error_shows_a_command(reader, library):
    """M1: the PIN is in no exception."""
    reader.power_on()
    library.codes["transmit"] = scard.SCARD_F_COMM_ERROR
    with pytest.raises(TransportError) as error:
        reader.exchange(bytes.fromhex("0020000003123456"), 1.0)
    assert "123456" not in repr(error.value).replace(" ", "")
