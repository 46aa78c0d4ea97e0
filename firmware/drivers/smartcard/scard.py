"""The low-level PC/SC functions with pyscard's names and shapes.

Functions with results return a list [hresult, ...], of the same length when they fail; the others
return hresult alone.  hresult is positive on every machine.  APDUs, ATRs: lists of ints.
"""

from .pcsclite import PcscLite

INFINITE = 0x7FFFFFFF  # pyscard's, not pcsc-lite's 0xFFFFFFFF

SCARD_SCOPE_USER = 0
SCARD_SCOPE_TERMINAL = 1
SCARD_SCOPE_SYSTEM = 2

SCARD_SHARE_EXCLUSIVE = 1
SCARD_SHARE_SHARED = 2
SCARD_SHARE_DIRECT = 3

SCARD_PROTOCOL_UNDEFINED = 0
SCARD_PROTOCOL_T0 = 1
SCARD_PROTOCOL_T1 = 2
SCARD_PROTOCOL_RAW = 4
SCARD_PROTOCOL_T15 = 8
SCARD_PROTOCOL_ANY = SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1
SCARD_PCI_T0 = SCARD_PROTOCOL_T0
SCARD_PCI_T1 = SCARD_PROTOCOL_T1
SCARD_PCI_RAW = SCARD_PROTOCOL_RAW

SCARD_LEAVE_CARD = 0
SCARD_RESET_CARD = 1
SCARD_UNPOWER_CARD = 2
SCARD_EJECT_CARD = 3

SCARD_STATE_UNAWARE = 0x0000
SCARD_STATE_IGNORE = 0x0001
SCARD_STATE_CHANGED = 0x0002
SCARD_STATE_UNKNOWN = 0x0004
SCARD_STATE_UNAVAILABLE = 0x0008
SCARD_STATE_EMPTY = 0x0010
SCARD_STATE_PRESENT = 0x0020
SCARD_STATE_ATRMATCH = 0x0040
SCARD_STATE_EXCLUSIVE = 0x0080
SCARD_STATE_INUSE = 0x0100
SCARD_STATE_MUTE = 0x0200
SCARD_STATE_UNPOWERED = 0x0400

SCARD_S_SUCCESS = 0
SCARD_F_INTERNAL_ERROR = 0x80100001
SCARD_E_CANCELLED = 0x80100002
SCARD_E_INVALID_HANDLE = 0x80100003
SCARD_E_INVALID_PARAMETER = 0x80100004
SCARD_E_NO_MEMORY = 0x80100006
SCARD_E_INSUFFICIENT_BUFFER = 0x80100008
SCARD_E_UNKNOWN_READER = 0x80100009
SCARD_E_TIMEOUT = 0x8010000A
SCARD_E_SHARING_VIOLATION = 0x8010000B
SCARD_E_NO_SMARTCARD = 0x8010000C
SCARD_E_PROTO_MISMATCH = 0x8010000F
SCARD_E_NOT_READY = 0x80100010
SCARD_E_INVALID_VALUE = 0x80100011
SCARD_E_SYSTEM_CANCELLED = 0x80100012
SCARD_F_COMM_ERROR = 0x80100013
SCARD_E_NOT_TRANSACTED = 0x80100016
SCARD_E_READER_UNAVAILABLE = 0x80100017
SCARD_E_NO_SERVICE = 0x8010001D
SCARD_E_SERVICE_STOPPED = 0x8010001E
SCARD_E_UNSUPPORTED_FEATURE = 0x8010001F
SCARD_E_NO_READERS_AVAILABLE = 0x8010002E
SCARD_W_UNSUPPORTED_CARD = 0x80100065
SCARD_W_UNRESPONSIVE_CARD = 0x80100066
SCARD_W_UNPOWERED_CARD = 0x80100067
SCARD_W_RESET_CARD = 0x80100068
SCARD_W_REMOVED_CARD = 0x80100069

_opened: "list[PcscLite]" = []  # the library, once it is open


def use_library(library):
    """Speak to this object of pcsclite.PcscLite's shape; None: open the real one at the next
    call."""
    _opened.clear()
    if library is not None:
        _opened.append(library)


def _library():
    if not _opened:
        _opened.append(PcscLite())
    return _opened[0]


def SCardEstablishContext(dwScope):
    """[hresult, hcontext].  Raises OSError where libpcsclite is not installed."""
    return list(_library().establish_context(dwScope))


def SCardReleaseContext(hcontext):
    return _library().release_context(hcontext)


def SCardIsValidContext(hcontext):
    return _library().is_valid_context(hcontext)


def SCardCancel(hcontext):
    """Ends a SCardGetStatusChange that waits in another thread; no other call."""
    return _library().cancel(hcontext)


def SCardListReaders(hcontext, readergroups=()):
    """[hresult, names].  pcsc-lite has one group, so readergroups changes nothing."""
    code, names = _library().list_readers(hcontext)
    return [code, [name.decode() for name in names.split(b"\0") if name]]


def SCardConnect(hcontext, szReader, dwShareMode, dwPreferredProtocols):
    """[hresult, hcard, active protocol]."""
    return list(_library().connect(hcontext, szReader.encode(), dwShareMode, dwPreferredProtocols))


def SCardReconnect(hcard, dwShareMode, dwPreferredProtocols, dwInitialization):
    """[hresult, active protocol]."""
    return list(_library().reconnect(hcard, dwShareMode, dwPreferredProtocols, dwInitialization))


def SCardDisconnect(hcard, dwDisposition):
    return _library().disconnect(hcard, dwDisposition)


def SCardStatus(hcard):
    """[hresult, reader name, state (event counter in the high half), protocol, ATR]."""
    code, name, state, protocol, atr = _library().status(hcard)
    return [code, name.decode(), state, protocol, list(atr)]


def SCardGetStatusChange(hcontext, dwTimeout, readerstatelist):
    """[hresult, [(name, state now, ATR), ...]].

    dwTimeout: ms, 0..INFINITE.  readerstatelist: tuples (name, known state[, ATR]);
    SCARD_STATE_CHANGED in a known state is ignored, so an answer may be fed back.
    """
    if not 0 <= dwTimeout <= INFINITE:
        raise ValueError("a time-out is 0..INFINITE ms")
    known = [(each[0].encode(), each[1] & ~SCARD_STATE_CHANGED) for each in readerstatelist]
    code, seen = _library().status_change(hcontext, dwTimeout, known)
    return [
        code,
        [(each[0], now[0], list(now[1])) for each, now in zip(readerstatelist, seen)],
    ]


def SCardTransmit(hcard, pioSendPci, apducommand):
    """[hresult, answer with its status word]; the answer is [] when hresult is not 0.

    apducommand: list of ints 0..255 (ValueError for others), bytes or bytearray.
    """
    if isinstance(apducommand, list):
        for value in apducommand:
            if not isinstance(value, int):
                raise TypeError("an APDU is a list of ints")
            if not 0 <= value <= 255:
                raise ValueError("a byte of an APDU is 0..255")
        apducommand = bytes(apducommand)
    elif not isinstance(apducommand, (bytes, bytearray)):
        raise TypeError("an APDU is a list of ints, bytes or a bytearray")
    if pioSendPci not in (SCARD_PCI_T0, SCARD_PCI_T1, SCARD_PCI_RAW):
        return [SCARD_E_INVALID_PARAMETER, []]
    code, answer = _library().transmit(hcard, pioSendPci, apducommand)
    return [code, list(answer)]


def SCardGetErrorMessage(lErrCode):
    """libpcsclite's words; negative codes of 32-bit programs are understood, too."""
    return _library().error_text(lErrCode & 0xFFFFFFFF)
