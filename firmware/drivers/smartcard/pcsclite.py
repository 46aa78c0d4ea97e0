"""libpcsclite, called alike from CPython (ctypes) and MicroPython's unix port (ffi).

DWORD and LONG are the machine's long, 4 or 8 bytes.  Every method returns the result code first, as
an unsigned 32-bit int; buffers are bytearrays of which the library is given the address.
Source: winscard.h and pcsclite.h of pcsc-lite.
"""

import struct

PATH = "libpcsclite.so.1"
WORD = struct.calcsize("L")
MAX_ATR = 33
MAX_NAME = 128
# An extended answer: 65,536 bytes, the status word, and room for a reader's prefix.
MAX_ANSWER = 65548

# SCARD_READERSTATE: name, user data, current state, event state, ATR length, ATR, padding.
_STATE = "PPLLL33s"
_STATE_SIZE = (5 * WORD + MAX_ATR + WORD - 1) // WORD * WORD

try:
    import ctypes

    _TYPES = {"l": ctypes.c_long, "L": ctypes.c_ulong, "P": ctypes.c_void_p, "s": ctypes.c_char_p}

    def _loader(path):
        """A function (result type, name, argument types) -> C function."""
        library = ctypes.CDLL(path)

        def load(result, name, arguments):
            function = getattr(library, name)
            function.restype = _TYPES[result]
            function.argtypes = [_TYPES[each] for each in arguments]
            return function

        return load

    def _address(buffer):
        return ctypes.addressof(ctypes.c_char.from_buffer(buffer))

except ImportError:
    import ffi  # type: ignore[import-not-found]
    import uctypes  # type: ignore[import-not-found]

    def _loader(path):
        return ffi.open(path).func

    _address = uctypes.addressof


def _word(value=0):
    return bytearray(struct.pack("L", value))


def _value(word):
    return struct.unpack("L", word)[0]


def _code(result):
    """32-bit builds answer negative codes; here all are positive."""
    return result & 0xFFFFFFFF


class PcscLite:
    """The calls of one opened library.  Raises OSError when it is not installed."""

    def __init__(self, path=PATH):
        load = _loader(path)
        self._establish = load("l", "SCardEstablishContext", "LPPP")
        self._release = load("l", "SCardReleaseContext", "l")
        self._is_valid = load("l", "SCardIsValidContext", "l")
        self._cancel = load("l", "SCardCancel", "l")
        self._list_readers = load("l", "SCardListReaders", "lPPP")
        self._connect = load("l", "SCardConnect", "lPLLPP")
        self._reconnect = load("l", "SCardReconnect", "lLLLP")
        self._disconnect = load("l", "SCardDisconnect", "lL")
        self._status = load("l", "SCardStatus", "lPPPPPP")
        self._status_change = load("l", "SCardGetStatusChange", "lLPL")
        self._transmit = load("l", "SCardTransmit", "lPPLPPP")
        self._error_text = load("s", "pcsc_stringify_error", "l")

    def establish_context(self, scope):
        """(code, context)."""
        context = _word()
        code = _code(self._establish(scope, None, None, _address(context)))
        return code, _value(context)

    def release_context(self, context):
        return _code(self._release(context))

    def is_valid_context(self, context):
        return _code(self._is_valid(context))

    def cancel(self, context):
        return _code(self._cancel(context))

    def list_readers(self, context):
        """(code, names as bytes, each ended by a zero)."""
        code = 0
        for _ in range(3):  # a reader may be plugged in between the two calls
            size = _word()
            code = _code(self._list_readers(context, None, None, _address(size)))
            if code != 0:
                break
            names = bytearray(_value(size) or 1)
            code = _code(self._list_readers(context, None, _address(names), _address(size)))
            if code == 0:
                return code, bytes(names)
        return code, b""

    def connect(self, context, name, share, protocols):
        """name: bytes.  (code, card, protocol)."""
        name = bytearray(name + b"\0")
        card = _word()
        protocol = _word()
        code = _code(
            self._connect(
                context, _address(name), share, protocols, _address(card), _address(protocol)
            )
        )
        return code, _value(card), _value(protocol)

    def reconnect(self, card, share, protocols, initialization):
        """(code, protocol)."""
        protocol = _word()
        code = _code(self._reconnect(card, share, protocols, initialization, _address(protocol)))
        return code, _value(protocol)

    def disconnect(self, card, disposition):
        return _code(self._disconnect(card, disposition))

    def status(self, card):
        """(code, reader name as bytes, state, protocol, ATR as bytes)."""
        name = bytearray(MAX_NAME)
        name_size = _word(MAX_NAME)
        state = _word()
        protocol = _word()
        atr = bytearray(MAX_ATR)
        atr_size = _word(MAX_ATR)
        code = _code(
            self._status(
                card,
                _address(name),
                _address(name_size),
                _address(state),
                _address(protocol),
                _address(atr),
                _address(atr_size),
            )
        )
        if code != 0:
            return code, b"", 0, 0, b""
        text = bytes(name).split(b"\0")[0]
        return code, text, _value(state), _value(protocol), bytes(atr[: _value(atr_size)])

    def status_change(self, context, timeout_ms, states):
        """states: [(name as bytes, known state)].  (code, [(state now, ATR as bytes)])."""
        names = [bytearray(name + b"\0") for name, _ in states]
        table = bytearray(_STATE_SIZE * len(states) or 1)
        for at, name in enumerate(names):
            known = states[at][1]
            struct.pack_into(_STATE, table, at * _STATE_SIZE, _address(name), 0, known, 0, 0, b"")
        code = _code(self._status_change(context, timeout_ms, _address(table), len(states)))
        seen = []
        for at in range(len(states)):
            row = struct.unpack_from(_STATE, table, at * _STATE_SIZE)
            seen.append((row[3], row[5][: row[4]]))
        return code, seen

    def transmit(self, card, protocol, command):
        """protocol: 1 T=0, 2 T=1, 4 raw.  command: bytes.  (code, answer as bytes)."""
        header = bytearray(struct.pack("LL", protocol, 2 * WORD))  # SCARD_IO_REQUEST
        sent = bytearray(command)
        answer = bytearray(MAX_ANSWER)
        size = _word(MAX_ANSWER)
        code = _code(
            self._transmit(
                card,
                _address(header),
                _address(sent) if sent else None,  # refused there; a reader may wait for ever
                len(sent),
                None,
                _address(answer),
                _address(size),
            )
        )
        # After a failure the buffer and the size are the library's own business.
        return code, bytes(answer[: _value(size)]) if code == 0 else b""

    def error_text(self, code):
        text = self._error_text(code)
        return text if isinstance(text, str) else text.decode()
