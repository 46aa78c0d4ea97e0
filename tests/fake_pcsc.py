"""A libpcsclite that is a Python object: the shape of drivers/smartcard/pcsclite.PcscLite."""

from __future__ import annotations

import threading

from firmware.drivers.smartcard import scard


class FakePcsc:
    """Readers by name; each holds None or a card: (ATR, protocols, command -> answer or code)."""

    def __init__(self, **cards):
        self.cards = {name.replace("_", " "): card for name, card in cards.items()}
        self.calls = []
        self.codes = {}  # method name -> the code it answers instead
        self.contexts = set()
        self.handles = {}
        self.counts = dict.fromkeys(self.cards, 0)
        self.changed = threading.Condition()
        self._next = 1000

    def put(self, name, card):
        with self.changed:
            self.cards[name] = card
            self.counts[name] = self.counts.get(name, 0) + 1
            self.changed.notify_all()

    def _code(self, *call):
        self.calls.append(call)
        return self.codes.get(call[0], 0)

    def _number(self):
        self._next += 1
        return self._next

    def establish_context(self, scope):
        code = self._code("establish_context", scope)
        if code:
            return code, 0
        context = self._number()
        self.contexts.add(context)
        return 0, context

    def release_context(self, context):
        code = self._code("release_context", context)
        self.contexts.discard(context)
        return code

    def is_valid_context(self, context):
        return 0 if context in self.contexts else scard.SCARD_E_INVALID_HANDLE

    def cancel(self, context):
        return self._code("cancel", context)

    def list_readers(self, context):
        code = self._code("list_readers", context)
        if code == 0 and not self.cards:
            code = scard.SCARD_E_NO_READERS_AVAILABLE
        return code, b"" if code else b"".join(x.encode() + b"\0" for x in self.cards) + b"\0"

    def connect(self, context, name, share, protocols):
        code = self._code("connect", name.decode(), share, protocols)
        card = self.cards.get(name.decode())
        if code == 0 and name.decode() not in self.cards:
            code = scard.SCARD_E_UNKNOWN_READER
        if code == 0 and card is None:
            code = scard.SCARD_E_NO_SMARTCARD
        if code == 0 and not card[1] & protocols:
            code = scard.SCARD_E_PROTO_MISMATCH
        if code:
            return code, 0, 0
        handle = self._number()
        self.handles[handle] = name.decode()
        return 0, handle, self._chosen(card, protocols)

    def _chosen(self, card, protocols):
        both = card[1] & protocols
        return both & -both  # a card of both protocols gets T=0

    def reconnect(self, handle, share, protocols, initialization):
        code = self._code("reconnect", handle, share, protocols, initialization)
        card = self.cards.get(self.handles.get(handle))
        if code == 0 and card is None:
            code = scard.SCARD_W_REMOVED_CARD
        return code, 0 if code else self._chosen(card, protocols)

    def disconnect(self, handle, disposition):
        code = self._code("disconnect", handle, disposition)
        self.handles.pop(handle, None)
        return code

    def status(self, handle):
        code = self._code("status", handle)
        if code:
            return code, b"", 0, 0, b""
        name = self.handles[handle]
        atr, protocol, _ = self.cards[name]
        return 0, name.encode(), 0x34, protocol, atr

    def state(self, name):
        if name not in self.cards:
            return scard.SCARD_STATE_UNKNOWN
        bit = scard.SCARD_STATE_PRESENT if self.cards[name] else scard.SCARD_STATE_EMPTY
        return self.counts[name] << 16 | bit

    def status_change(self, context, timeout_ms, states):
        code = self._code("status_change", timeout_ms, states)
        (name, known) = (states[0][0].decode(), states[0][1])
        with self.changed:
            if code == 0 and not self.changed.wait_for(
                lambda: self.state(name) != known, timeout_ms / 1000
            ):
                code = scard.SCARD_E_TIMEOUT
            now = self.state(name) | (scard.SCARD_STATE_CHANGED if not code else 0)
        return code, [(now, self.cards[name][0] if self.cards.get(name) else b"")]

    def transmit(self, handle, protocol, command):
        code = self._code("transmit", handle, protocol, command)
        card = self.cards.get(self.handles.get(handle))
        if code == 0 and card is None:
            code = scard.SCARD_W_REMOVED_CARD
        answer = b"" if code else card[2](command)
        return (answer, b"") if isinstance(answer, int) else (code, answer)

    def error_text(self, code):
        return "words for %08X" % code
