"""The low-level PC/SC functions with pyscard's names and shapes.

Functions with results return a list [hresult, ...], of the same length when they fail; the others
return hresult alone.  hresult is positive on every machine.  APDUs, ATRs: lists of ints.  A handle,
mode or number that is no int is a TypeError.
"""

from ..pcsclite import PcscLite
from .constants import *  # noqa: F403  (every constant under this name, too)
from .constants import (
    INFINITE,
    SCARD_E_INVALID_PARAMETER,
    SCARD_E_UNSUPPORTED_FEATURE,
    SCARD_STATE_CHANGED,
)

_opened: "list[PcscLite]" = []  # the library, once it is open


class error(Exception):
    """Raised by programs, after a call that failed; never by these functions."""

    __module__ = "scard"  # as pyscard's prints itself


def use_library(library):
    """Speak to this object of pcsclite.PcscLite's shape; None: open the real one at the next
    call."""
    _opened.clear()
    if library is not None:
        _opened.append(library)


def named(name):
    """A function or constant of this module by its name.  Raises AttributeError for others."""
    if name[:5] not in ("SCard", "SCARD", "INFIN") or name not in globals():
        raise AttributeError(name)
    return globals()[name]


def _library():
    if not _opened:
        _opened.append(PcscLite())
    return _opened[0]


def _check_ints(*values):
    for value in values:
        if not isinstance(value, int):
            raise TypeError("a handle, a mode or a code is an int")


def _name(text):
    """A reader's name as bytes."""
    if not isinstance(text, str):
        raise TypeError("a reader is given by its name, a str")
    return text.encode()


def _to_bytes(values):
    """An APDU as bytes: a list of ints 0..255 (ValueError for others), bytes or bytearray."""
    if isinstance(values, (list, bytes, bytearray)):
        return bytes(values)
    raise TypeError("an APDU is a list of ints, bytes or a bytearray")


def SCardEstablishContext(dwScope):
    """[hresult, hcontext].  Raises OSError where libpcsclite is not installed."""
    _check_ints(dwScope)
    return list(_library().establish_context(dwScope))


def SCardReleaseContext(hcontext):
    _check_ints(hcontext)
    return _library().release_context(hcontext)


def SCardIsValidContext(hcontext):
    _check_ints(hcontext)
    return _library().is_valid_context(hcontext)


def SCardCancel(hcontext):
    """Ends a SCardGetStatusChange that waits in another thread; no other call."""
    _check_ints(hcontext)
    return _library().cancel(hcontext)


def SCardListReaders(hcontext, readergroups=()):
    """[hresult, names].  pcsc-lite has one group, so readergroups changes nothing."""
    _check_ints(hcontext)
    if not isinstance(readergroups, (list, tuple)):
        raise TypeError("reader groups are a list of str")
    code, names = _library().list_readers(hcontext)
    return [code, _split(names)]


def SCardListReaderGroups(hcontext):
    """[hresult, names]."""
    _check_ints(hcontext)
    code, names = _library().list_reader_groups(hcontext)
    return [code, _split(names)]


def SCardConnect(hcontext, readername, dwShareMode, dwPreferredProtocols):
    """[hresult, hcard, active protocol]."""
    _check_ints(hcontext, dwShareMode, dwPreferredProtocols)
    return list(_library().connect(hcontext, _name(readername), dwShareMode, dwPreferredProtocols))


def SCardReconnect(hcard, dwShareMode, dwPreferredProtocols, dwInitialization):
    """[hresult, active protocol]."""
    _check_ints(hcard, dwShareMode, dwPreferredProtocols, dwInitialization)
    return list(_library().reconnect(hcard, dwShareMode, dwPreferredProtocols, dwInitialization))


def SCardDisconnect(hcard, dwDisposition):
    _check_ints(hcard, dwDisposition)
    return _library().disconnect(hcard, dwDisposition)


def SCardBeginTransaction(hcard):
    """Waits while another connection holds the card, without a limit."""
    _check_ints(hcard)
    return _library().begin_transaction(hcard)


def SCardEndTransaction(hcard, dwDisposition):
    _check_ints(hcard, dwDisposition)
    return _library().end_transaction(hcard, dwDisposition)


def SCardStatus(hcard):
    """[hresult, reader name, state (event counter in the high half), protocol, ATR]."""
    _check_ints(hcard)
    code, name, state, protocol, atr = _library().status(hcard)
    return [code, name.decode(), state, protocol, list(atr)]


def SCardGetStatusChange(hcontext, dwTimeout, readerstatelist):
    """[hresult, [(name, state now, ATR), ...]].

    dwTimeout: ms, 0..INFINITE.  readerstatelist: tuples (name, known state[, ATR]);
    SCARD_STATE_CHANGED in a known state is ignored, so an answer may be fed back.
    """
    _check_ints(hcontext, dwTimeout)
    if not 0 <= dwTimeout <= INFINITE:
        raise ValueError("a time-out is 0..INFINITE ms")
    known = []
    for each in readerstatelist:
        if len(each) < 2:
            raise TypeError("a reader's state is a tuple (name, state[, ATR])")
        known.append((_name(each[0]), each[1] & ~SCARD_STATE_CHANGED))
    code, seen = _library().status_change(hcontext, dwTimeout, known)
    return [
        code,
        [(each[0], now[0], list(now[1])) for each, now in zip(readerstatelist, seen)],
    ]


def SCardTransmit(hcard, pioSendPci, apducommand):
    """[hresult, answer with its status word]; the answer is [] when hresult is not 0."""
    command = bytes(apducommand) if isinstance(apducommand, list) else _to_bytes(apducommand)
    if pioSendPci not in _HEADERS:
        return [SCARD_E_INVALID_PARAMETER, []]
    code, answer = (_opened or (_library(),))[0].transmit(hcard, pioSendPci, command)
    return [code, list(answer)]


_HEADERS = (1, 2, 4)  # SCARD_PCI_T0, T1, RAW


def SCardControl(hcard, dwControlCode, inbuffer):
    """[hresult, answer].  dwControlCode: SCARD_CTL_CODE(...) or the reader's own."""
    _check_ints(hcard, dwControlCode)
    code, answer = _library().control(hcard, dwControlCode, _to_bytes(inbuffer))
    return [code, list(answer)]


def SCardGetAttrib(hcard, dwAttrId):
    """[hresult, value].  dwAttrId: SCARD_ATTR_*."""
    _check_ints(hcard, dwAttrId)
    code, value = _library().get_attrib(hcard, dwAttrId)
    return [code, list(value)]


def SCardSetAttrib(hcard, dwAttrId, ATTRIBUTESIN):
    _check_ints(hcard, dwAttrId)
    return _library().set_attrib(hcard, dwAttrId, _to_bytes(ATTRIBUTESIN))


def SCARD_CTL_CODE(code):
    """The control code of PC/SC part 10's function `code`."""
    return 0x42000000 + code


def SCardGetErrorMessage(lErrCode):
    """libpcsclite's words; negative codes of 32-bit programs are understood, too."""
    _check_ints(lErrCode)
    return _library().error_text(lErrCode & 0xFFFFFFFF)


def SCardIntroduceReader(hcontext, readername, devicename):
    """Windows only, as the five below: readers and groups cannot be changed."""
    return SCARD_E_UNSUPPORTED_FEATURE


def SCardForgetReader(hcontext, readername):
    return SCARD_E_UNSUPPORTED_FEATURE


def SCardIntroduceReaderGroup(hcontext, groupname):
    return SCARD_E_UNSUPPORTED_FEATURE


def SCardForgetReaderGroup(hcontext, groupname):
    return SCARD_E_UNSUPPORTED_FEATURE


def SCardAddReaderToGroup(hcontext, readername, groupname):
    return SCARD_E_UNSUPPORTED_FEATURE


def SCardRemoveReaderFromGroup(hcontext, readername, groupname):
    return SCARD_E_UNSUPPORTED_FEATURE


def _split(names):
    return [name.decode() for name in names.split(b"\0") if name]
