"""Waiting for a card in pcscd's readers.

Each wait ends in slices, so that a new reader, a restarted pcscd and Ctrl-C are seen soon without
a thread.
"""

from .. import scard
from ..AbstractCardRequest import AbstractCardRequest
from ..Card import Card
from ..deadline import Deadline, pause_ms
from ..Exceptions import (
    CardConnectionException,
    CardRequestException,
    CardRequestTimeoutException,
    ListReadersException,
)
from ..lazy import public
from .dropped import Held, close_with
from .PCSCReader import PCSCReader

_SLICE_MS = 500
# So long pcscd may be away (a restart) before a wait says so.
_AWAY_S = 5
# What an old context answers while pcscd is away, and after it came back.
_AWAY = (
    scard.SCARD_E_NO_SERVICE,
    scard.SCARD_E_SERVICE_STOPPED,
    scard.SCARD_E_SYSTEM_CANCELLED,
    scard.SCARD_E_INVALID_HANDLE,
    scard.SCARD_F_COMM_ERROR,
)
_VANISHED = (scard.SCARD_E_UNKNOWN_READER, scard.SCARD_E_READER_UNAVAILABLE)


class PCSCCardRequest(AbstractCardRequest):
    """hcontext: for the functions of scard; None after release()."""

    def __init__(
        self,
        newcardonly=False,
        readers=None,
        cardType=None,
        cardServiceClass=None,
        timeout=1,
    ):
        """Raises CardConnectionException without pcscd."""
        AbstractCardRequest.__init__(
            self, newcardonly, readers, cardType, cardServiceClass, timeout
        )
        hresult, self.hcontext = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        if hresult != scard.SCARD_S_SUCCESS:
            self.hcontext = None
            raise CardConnectionException(hresult=hresult)
        self._held = Held(self.hcontext)
        close_with(self, self._held)
        self._away = None  # since when pcscd is, as a Deadline
        self._cards = None  # reader -> card, of the last waitforcardevent()

    def release(self):
        """Give the PC/SC context back."""
        self.hcontext = None
        self._held.close()

    def getReaderNames(self):
        """The names of the readers that are asked for and there.  Raises ListReadersException."""
        hresult, names = scard.SCardListReaders(self.hcontext, [])
        if hresult in _AWAY:
            self._renew(hresult)
            hresult, names = scard.SCardListReaders(self.hcontext, [])
        if hresult == scard.SCARD_E_NO_READERS_AVAILABLE:
            return []
        if hresult != scard.SCARD_S_SUCCESS:
            raise ListReadersException(hresult)
        if self.readersAsked is None:
            return names
        asked = [str(reader) for reader in self.readersAsked]
        return [name for name in asked if name in names]

    def waitforcard(self):
        """A card service of the card that came.  Raises CardRequestTimeoutException; and
        CardRequestException where pcscd does not come back."""
        deadline = Deadline(self.timeout)
        states = self._look()
        old = _cards_of(states) if self.newcardonly else {}
        # A card of another kind is asked again when it, or its use, is another.
        refused: "dict[str, object]" = {}
        while True:
            for name, state, atr in states:
                seen = (_card_of(state), state & scard.SCARD_STATE_EXCLUSIVE, atr)
                if _is_card(state) and old.get(name) != seen[0] and refused.get(name) != seen:
                    service = self._service(name, atr)
                    if service is not None:
                        return service
                    refused[name] = seen
            states = self._wait(states, deadline)

    def waitforcardevent(self):
        """All Cards there are: at once the first time, then when one came or went since the last
        time.  Raises as waitforcard()."""
        deadline = Deadline(self.timeout)
        states = self._look()
        while self._cards == _cards_of(states):
            states = self._wait(states, deadline)
        self._cards = _cards_of(states)
        return [Card(name, atr) for name, state, atr in states if _is_card(state)]

    def _service(self, name, atr):
        """The card service, or None for a card of another kind."""
        reader = PCSCReader(name)
        if not self.cardType.matches(atr, reader) or not self.cardServiceClass.supports("dummy"):
            return None
        return self.cardServiceClass(reader.createConnection())

    def _look(self):
        """[(reader name, state, ATR)] of now; [] while pcscd is away."""
        try:
            names = self.getReaderNames()
            return self._status([(name, scard.SCARD_STATE_UNAWARE) for name in names], 0) or []
        except _PcscdAway:
            return []

    def _wait(self, states, deadline):
        """The states after the next change, or after a slice.  Raises when the time is over."""
        if deadline.is_over():
            if self._away is not None:
                raise CardRequestException("pcscd is away", scard.SCARD_E_NO_SERVICE)
            raise CardRequestTimeoutException(hresult=scard.SCARD_E_TIMEOUT)
        slice_ms = deadline.left_ms(_SLICE_MS)
        try:
            changed = self._status(states, slice_ms)
        except _PcscdAway:
            changed = None
        if changed is None:
            pause_ms(slice_ms)
        return self._look()

    def _status(self, states, timeout_ms):
        """[(reader name, state, ATR)]; None where there is nothing to wait for."""
        if not states:
            return None
        hresult, seen = scard.SCardGetStatusChange(self.hcontext, timeout_ms, states)
        if hresult in _AWAY:
            self._renew(hresult)
            return None
        if hresult in _VANISHED:
            return None
        if hresult not in (scard.SCARD_S_SUCCESS, scard.SCARD_E_TIMEOUT):
            raise CardRequestException("Failed to get status change", hresult)
        return seen

    def _renew(self, hresult):
        """A new context, for pcscd restarted.  Raises _PcscdAway, and CardRequestException once it
        is away for long."""
        if self.hcontext is None:
            raise CardRequestException("Context already released", hresult)
        code, hcontext = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        if code == scard.SCARD_S_SUCCESS:
            scard.SCardReleaseContext(self.hcontext)
            self.hcontext = self._held.hcontext = hcontext
            self._away = None
            return
        if self._away is None:
            self._away = Deadline(_AWAY_S)
        if self._away.is_over():
            raise CardRequestException("pcscd is away", code)
        raise _PcscdAway


class _PcscdAway(Exception):
    pass


def _is_card(state):
    return bool(state & scard.SCARD_STATE_PRESENT)


def _card_of(state):
    """pcscd's count of insertions and removals: changes of use and power are no event."""
    return state >> 16


def _cards_of(states):
    return {name: _card_of(state) for name, state, _ in states if _is_card(state)}


def __getattr__(name):
    """scard's names: pyscard's module has them, too."""
    return scard.named(name)


__all__ = public(
    globals(),
    "INFINITE SCARD_E_CANCELLED SCARD_E_NO_READERS_AVAILABLE SCARD_E_NO_SERVICE"
    " SCARD_E_SERVICE_STOPPED SCARD_E_SYSTEM_CANCELLED SCARD_E_TIMEOUT SCARD_E_UNKNOWN_READER"
    " SCARD_SCOPE_USER SCARD_STATE_CHANGED SCARD_STATE_PRESENT SCARD_STATE_UNAWARE SCARD_S_SUCCESS"
    " SCardCancel SCardEstablishContext SCardGetErrorMessage SCardGetStatusChange SCardListReaders"
    " SCardReleaseContext",
)
