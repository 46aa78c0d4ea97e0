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
MAX_ATTRIBUTE = 264  # pcsclite.h, MAX_BUFFER_SIZE: pcscd carries no longer one

# SCARD_READERSTATE: name, user data, current state, event state, ATR length, ATR, padding.
_STATE = "PPLLL33s"
_STATE_SIZE = (5 * WORD + MAX_ATR + WORD - 1) // WORD * WORD


def _open(path):
    """(load, address, words): load(result type, name, argument types) -> C function; address(buf)
    -> int; words(ints) -> DWORDs in a row, to be read and written by index.

    The interpreter's own binding is imported here: not before the first call.
    """
    try:
        import ctypes
    except ImportError:
        from array import array

        import ffi  # type: ignore[import-not-found]
        import uctypes  # type: ignore[import-not-found]

        return ffi.open(path).func, uctypes.addressof, lambda values: array("L", values)

    types = {"l": ctypes.c_long, "L": ctypes.c_ulong, "P": ctypes.c_void_p, "s": ctypes.c_char_p}
    library = ctypes.CDLL(path)

    def load(result, name, arguments):
        function = getattr(library, name)
        function.restype = types[result]
        function.argtypes = [types[each] for each in arguments]
        return function

    def address(buffer):
        return ctypes.addressof(ctypes.c_char.from_buffer(buffer))

    def words(values):
        return memoryview(bytearray(struct.pack("%dL" % len(values), *values))).cast("L")

    return load, address, words


class PcscLite:
    """The calls of one opened library.  Raises OSError when it is not installed."""

    def __init__(self, path=PATH):
        import _thread

        load, self._address, self._words = _open(path)
        self._establish = load("l", "SCardEstablishContext", "LPPP")
        self._release = load("l", "SCardReleaseContext", "l")
        self._is_valid = load("l", "SCardIsValidContext", "l")
        self._cancel = load("l", "SCardCancel", "l")
        self._list_readers = load("l", "SCardListReaders", "lPPP")
        self._list_groups = load("l", "SCardListReaderGroups", "lPP")
        self._connect = load("l", "SCardConnect", "lPLLPP")
        self._reconnect = load("l", "SCardReconnect", "lLLLP")
        self._disconnect = load("l", "SCardDisconnect", "lL")
        self._begin = load("l", "SCardBeginTransaction", "l")
        self._end = load("l", "SCardEndTransaction", "lL")
        self._status = load("l", "SCardStatus", "lPPPPPP")
        self._status_change = load("l", "SCardGetStatusChange", "lLPL")
        self._transmit = load("l", "SCardTransmit", "lPPLPPP")
        self._control = load("l", "SCardControl", "lLPLPLP")
        self._get_attrib = load("l", "SCardGetAttrib", "lLPP")
        self._set_attrib = load("l", "SCardSetAttrib", "lLPL")
        self._error_text = load("s", "pcsc_stringify_error", "l")
        # SCARD_IO_REQUEST of each protocol, and its address.
        self._headers = {}
        for protocol in (1, 2, 4):
            header = self._words([protocol, 2 * WORD])
            self._headers[protocol] = (self._address(header), header)
        # Answers not in use, one for each transmit() that runs at the same time.
        self._answers: "list[tuple[bytearray, int, object, int]]" = []
        self._lock = _thread.allocate_lock()

    def establish_context(self, scope):
        """(code, context)."""
        context, at = self._word()
        code = self._establish(scope, None, None, at) & 0xFFFFFFFF
        return code, context[0]

    def release_context(self, context):
        return self._release(context) & 0xFFFFFFFF

    def is_valid_context(self, context):
        return self._is_valid(context) & 0xFFFFFFFF

    def cancel(self, context):
        return self._cancel(context) & 0xFFFFFFFF

    def list_readers(self, context):
        """(code, names as bytes, each ended by a zero)."""
        return self._list(lambda names, size: self._list_readers(context, None, names, size))

    def list_reader_groups(self, context):
        """(code, names as bytes, each ended by a zero)."""
        return self._list(lambda names, size: self._list_groups(context, names, size))

    def connect(self, context, name, share, protocols):
        """name: bytes.  (code, card, protocol)."""
        name = bytearray(name + b"\0")
        card, card_at = self._word()
        protocol, protocol_at = self._word()
        code = self._connect(context, self._address(name), share, protocols, card_at, protocol_at)
        return code & 0xFFFFFFFF, card[0], protocol[0]

    def reconnect(self, card, share, protocols, initialization):
        """(code, protocol)."""
        protocol, at = self._word()
        code = self._reconnect(card, share, protocols, initialization, at) & 0xFFFFFFFF
        return code, protocol[0]

    def disconnect(self, card, disposition):
        return self._disconnect(card, disposition) & 0xFFFFFFFF

    def begin_transaction(self, card):
        return self._begin(card) & 0xFFFFFFFF

    def end_transaction(self, card, disposition):
        return self._end(card, disposition) & 0xFFFFFFFF

    def status(self, card):
        """(code, reader name as bytes, state, protocol, ATR as bytes)."""
        name = bytearray(MAX_NAME)
        name_size, name_size_at = self._word(MAX_NAME)
        state, state_at = self._word()
        protocol, protocol_at = self._word()
        atr = bytearray(MAX_ATR)
        atr_size, atr_size_at = self._word(MAX_ATR)
        code = self._status(
            card,
            self._address(name),
            name_size_at,
            state_at,
            protocol_at,
            self._address(atr),
            atr_size_at,
        )
        if code != 0:
            return code & 0xFFFFFFFF, b"", 0, 0, b""
        text = bytes(name[: name_size[0]]).split(b"\0")[0]
        return 0, text, state[0], protocol[0], bytes(atr[: atr_size[0]])

    def status_change(self, context, timeout_ms, states):
        """states: [(name as bytes, known state)].  (code, [(state now, ATR as bytes)])."""
        names = [bytearray(name + b"\0") for name, _ in states]
        table = bytearray(_STATE_SIZE * len(states) or 1)
        for at, name in enumerate(names):
            known = states[at][1]
            row = (self._address(name), 0, known, 0, 0, b"")
            struct.pack_into(_STATE, table, at * _STATE_SIZE, *row)
        code = self._status_change(context, timeout_ms, self._address(table), len(states))
        seen = []
        for at in range(len(states)):
            row = struct.unpack_from(_STATE, table, at * _STATE_SIZE)
            seen.append((row[3], row[5][: row[4]]))
        return code & 0xFFFFFFFF, seen

    def transmit(self, card, protocol, command):
        """protocol: 1 T=0, 2 T=1, 4 raw.  command: bytes.  (code, answer as bytes)."""
        buffer = self._take()
        answer, answer_at, size, size_at = buffer
        size[0] = MAX_ANSWER
        header_at = self._headers[protocol][0]
        # An empty command is refused by the library; a reader might wait for ever.
        code = self._transmit(
            card, header_at, command or None, len(command), None, answer_at, size_at
        )
        # After a failure the buffer and the size are the library's own business.
        got = bytes(answer[: size[0]]) if code == 0 else b""
        with self._lock:
            self._answers.append(buffer)
        return code & 0xFFFFFFFF, got

    def control(self, card, control_code, sent):
        """sent: bytes.  (code, answer as bytes)."""
        buffer = self._take()
        answer, answer_at, size, size_at = buffer
        size[0] = 0
        code = self._control(
            card, control_code, sent or None, len(sent), answer_at, MAX_ANSWER, size_at
        )
        got = bytes(answer[: size[0]]) if code == 0 else b""
        with self._lock:
            self._answers.append(buffer)
        return code & 0xFFFFFFFF, got

    def get_attrib(self, card, attribute):
        """(code, value as bytes)."""
        value = bytearray(MAX_ATTRIBUTE)
        size, size_at = self._word(MAX_ATTRIBUTE)
        code = self._get_attrib(card, attribute, self._address(value), size_at)
        return code & 0xFFFFFFFF, bytes(value[: size[0]]) if code == 0 else b""

    def set_attrib(self, card, attribute, value):
        """value: bytes."""
        return self._set_attrib(card, attribute, value or None, len(value)) & 0xFFFFFFFF

    def error_text(self, code):
        text = self._error_text(code)
        return text if isinstance(text, str) else text.decode()

    def _word(self, value=0):
        """A DWORD that the library writes, and its address."""
        word = self._words([value])
        return word, self._address(word)

    def _take(self):
        """A buffer for an answer, its address, its size and the address of that."""
        with self._lock:
            if self._answers:
                return self._answers.pop()
        answer = bytearray(MAX_ANSWER)
        return (answer, self._address(answer)) + self._word(MAX_ANSWER)

    def _list(self, call):
        """(code, names) of a call that tells the size of its answer first."""
        code = 0
        for _ in range(3):  # a reader may be plugged in between the two calls
            size, size_at = self._word()
            code = call(None, size_at) & 0xFFFFFFFF
            if code != 0:
                break
            names = bytearray(size[0] or 1)
            code = call(self._address(names), size_at) & 0xFFFFFFFF
            if code == 0:
                return code, bytes(names[: size[0]])
        return code, b""
