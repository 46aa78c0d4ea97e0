"""The shim's functions of values, under both interpreters: docs/pyscard.md's rows."""

from firmware.drivers.smartcard import guid, util
from firmware.drivers.smartcard.ATR import ATR
from firmware.drivers.smartcard.CardType import AnyCardType, ATRCardType
from firmware.drivers.smartcard.Exceptions import (
    InvalidATRMaskLengthException,
    SmartcardException,
)
from firmware.drivers.smartcard.Observer import Observable, Observer
from firmware.drivers.smartcard.pcsc import PCSCPart10
from firmware.drivers.smartcard.reader.ReaderGroups import BadReaderGroupException, readergroups
from firmware.drivers.smartcard.rlock import RLock
from firmware.drivers.smartcard.sw.ErrorCheckingChain import ErrorCheckingChain
from firmware.drivers.smartcard.sw.ISO7816_8ErrorChecker import ISO7816_8ErrorChecker
from firmware.drivers.smartcard.sw.ISO7816_9ErrorChecker import ISO7816_9ErrorChecker
from firmware.drivers.smartcard.sw.op21_ErrorChecker import op21_ErrorChecker
from firmware.drivers.smartcard.sw.SWExceptions import (
    CheckingErrorException,
    SecurityRelatedException,
    SWException,
    WarningProcessingException,
)
from firmware.drivers.smartcard.Synchronization import Synchronization, synchronize
from firmware.drivers.smartcard.ulist import ulist
from tests.both.expect import raises

DATA = [0x3B, 0x65, 0x0A]


def test_hex_both_ways():
    for output_format, text in (
        (0, "3B 65 0A"),
        (util.PACK, "3B650A"),
        (util.COMMA, "3B, 65, 0A"),
        (util.HEX, "0x3B 0x65 0x0A"),
        (util.HEX | util.UPPERCASE | util.PACK | util.COMMA, "0X3B,0X65,0X0A"),
    ):
        assert util.toHexString(DATA, output_format) == text
    assert util.toHexString() == util.toHexString(None) == util.toHexString([]) == ""
    assert util.toHexString(bytes(DATA)) == util.toHexString(bytearray(DATA)) == "3B 65 0A"
    for wrong in ((1, 2), "00", 7):
        raises(TypeError, util.toHexString, wrong)
    for text in ("3B 65 0a", "3B650A", " 3B\n65\t0A "):
        assert util.toBytes(text) == DATA
    for wrong in ("3", "3G", 7, None):
        raises(TypeError, util.toBytes, wrong)


def test_text_both_ways():
    assert util.toASCIIString([0x4E, 0x20, 0x01, 0x80, 0x7F]) == "N ..\x7f"
    assert util.toASCIIBytes("Nö") == [0x4E, 0xC3, 0xB6]
    assert util.toGSM3_38Bytes("@ùPascal") == [0, 6, 0x50, 0x61, 0x73, 0x63, 0x61, 0x6C]
    assert util.toGSM3_38Bytes(b"\xf9") == [6]
    raises(KeyError, util.toGSM3_38Bytes, "社")
    assert util.padd(DATA, 5) == DATA + [0xFF, 0xFF]
    assert util.padd(DATA, 2, "00") == DATA
    assert util.hl2bs([0x4E]) == "N"
    assert util.bs2hl("N") == [0x4E]


def test_a_guid_is_little_endian_in_its_first_fields():
    text = "{AD4F1667-EA75-4124-84D4-641B3B197C65}"
    raw = [103, 22, 79, 173, 117, 234, 36, 65, 132, 212, 100, 27, 59, 25, 124, 101]
    assert guid.strToGUID(text) == raw
    assert guid.GUIDToStr(raw) == text
    raises(ValueError, guid.strToGUID, "{AD4F}")
    raises(ValueError, guid.GUIDToStr, raw[1:])


def test_an_atr_tells_its_bytes_and_protocols():
    atr = ATR(
        util.toBytes("3B FF 18 00 FF 81 31 FE 45 65 63 11 05 40 02 50 00 10 55 10 03 03 05 00 43")
    )
    assert (atr.TA, atr.TB, atr.TC) == ([0x18, None, 0xFE], [0, None, 0x45], [0xFF, None, None])
    assert atr.TD == [0x81, 0x31, None]
    assert (atr.getTA1(), atr.getTB1(), atr.getTC1(), atr.getTD1()) == (0x18, 0, 0xFF, 0x81)
    assert (atr.getClockRateConversion(), atr.getBitRateFactor()) == (372, 12)
    assert (atr.getGuardTime(), atr.getProgrammingCurrent()) == (255, 25)
    assert (atr.isT0Supported(), atr.isT1Supported(), atr.isT15Supported()) == (False, True, False)
    assert atr.getSupportedProtocols() == {"T=1": True}
    assert (atr.hasChecksum, atr.checksumOK, atr.getChecksum()) == (True, True, 0x43)
    assert atr.getHistoricalBytesCount() == 15
    assert "supported protocols T=1\nT=0 supported: False" in atr.render()
    assert (atr.hasTA, atr.hasTD) == ([True, False, True], [True, True, False])
    assert str(ATR(b"\x3b\x00")) == "3B 00"


def test_an_atr_cut_short_is_parsed_as_far_as_it_goes():
    whole = util.toBytes("3B FF 18 00 FF 81 31 FE 45 65 63")
    for length in range(2, len(whole)):
        atr = ATR(whole[:length])
        assert len(atr.TA) == len(atr.TD) == len(atr.Y)
        assert atr.render()
    for wrong in ([], [0x3B], [0x00, 0x00]):
        raises(SmartcardException, ATR, wrong)


def test_a_card_type_compares_what_its_mask_shows():
    assert AnyCardType().matches([])
    plain, masked = ATRCardType([0x3B, 0x12]), ATRCardType([0x3B, 0x12], [0xFF, 0xF0])
    for atr, is_plain, is_masked in (
        ([0x3B, 0x12], True, True),
        ([0x3B, 0x1F], False, True),
        ([0x3B, 0x22], False, False),
        ([0x3B, 0x12, 0x00], False, False),
    ):
        assert plain.matches(atr) == is_plain
        assert masked.matches(bytes(atr)) == is_masked
    error = raises(InvalidATRMaskLengthException, ATRCardType, [0x3B, 0x12], [0xFF])
    assert str(error) == "Invalid ATR mask length: FF"


def test_a_chain_filters_exactly_the_named_class():
    chain = []
    for checker in (ISO7816_8ErrorChecker(), ISO7816_9ErrorChecker(), op21_ErrorChecker()):
        ErrorCheckingChain(chain, checker)
    chain[0]([], 0x90, 0)
    for sw1, sw2, error in (
        (0x63, 0xC2, WarningProcessingException),
        (0x66, 0x87, SecurityRelatedException),
        (0x6A, 0x8A, CheckingErrorException),
        (0x94, 0x85, CheckingErrorException),
    ):
        assert raises(error, chain[0], [1], sw1, sw2).data == [1]
    assert "2 retries" in str(raises(SWException, chain[0], [], 0x63, 0xC2))
    chain[0].addFilterException(SWException)  # a base class filters nothing
    raises(WarningProcessingException, chain[0], [], 0x63, 0xC2)
    chain[0].addFilterException(WarningProcessingException)
    chain[0]([], 0x63, 0xC2)
    assert chain[0].next() is chain[1]
    assert chain[2].end()
    assert chain[2].next() is None


def test_observers_are_told_once_for_each_change():
    class Counter(Observer):
        said = ()

        def update(self, observable, handlers):
            self.said += (handlers,)
            observable.deleteObservers()

    seen, counter = Observable(), Counter()
    seen.addObserver(counter)
    seen.addObserver(counter)
    assert seen.countObservers() == 1
    seen.notifyObservers("nothing changed")
    seen.setChanged()
    assert seen.hasChanged()
    seen.notifyObservers("first")
    assert not seen.hasChanged()
    assert counter.said == ("first",)
    assert seen.countObservers() == 0
    raises(ValueError, seen.deleteObserver, counter)


def test_a_synchronized_method_holds_the_mutex_of_its_object():
    class Mutex:
        depth = 0

        def __enter__(self):
            self.depth += 1

        def __exit__(self, kind, value, traceback):
            self.depth -= 1

    class Account(Synchronization):
        def depth(self, more=0):
            return self.mutex.depth + more

        def free(self):
            return self.mutex.depth

    synchronize(Account, "depth")
    account = Account()
    account.mutex = Mutex()
    assert (account.depth(more=1), account.free()) == (2, 0)


def test_a_re_entrant_lock_is_free_after_as_many_exits():
    lock = RLock()
    with lock, lock:
        assert lock._lock.locked()
    assert not lock._lock.locked()


def test_a_ulist_keeps_its_items_apart():
    items = ulist([1, 1, 2])
    items.append(2)
    items.insert(0, 1)
    items += [2, 3]
    assert list(items) == [1, 2, 3]
    assert list(items + [3, 4]) == [1, 2, 3, 4]
    assert [9, 1] + items == [1, 2, 3, 9]  # pyscard's order
    items.remove(2)
    assert items.pop() == 3
    assert list(items) == [1]
    raises(TypeError, ulist)


def test_groups_of_the_base_class_take_names_alone():
    readergroups.instance = None  # one for the process: another test's may be there
    groups = readergroups([])
    raises(BadReaderGroupException, groups.addreadergroup, 1)
    raises(BadReaderGroupException, groups.removereadergroup, 1)
    readergroups.instance = None


def test_what_a_reader_with_a_keypad_says_of_itself():
    features = PCSCPart10.parseFeatureRequest([0x06, 4, 0x42, 0, 0x0D, 0x48, 0x77, 4, 0, 0, 0, 1])
    assert features == [["FEATURE_VERIFY_PIN_DIRECT", 0x42000D48]]
    assert PCSCPart10.hasFeature(features, PCSCPart10.FEATURE_VERIFY_PIN_DIRECT) == 0x42000D48
    assert PCSCPart10.hasFeature(features, "FEATURE_ABORT") is None
    tlv = [1, 2, 0x10, 0x02, 8, 2, 0x4F, 0x4B, 10, 4, 0, 1, 0, 0, 99, 1, 7, 6, 9]
    assert PCSCPart10.parseTlvProperties(tlv) == {
        "raw": tlv,
        "PCSCv2_PART10_PROPERTY_wLcdLayout": 0x0210,
        "PCSCv2_PART10_PROPERTY_sFirmwareID": "OK",
        "PCSCv2_PART10_PROPERTY_dwMaxAPDUDataSize": 256,
        "UNKNOWN": 7,
    }
