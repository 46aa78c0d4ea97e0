"""A connection to the card in one reader.

Nothing closes itself: a dropped connection keeps its card until the process ends.  Use `with`, or
call release().
"""

from .. import scard
from ..CardConnection import CardConnection
from ..Exceptions import CardConnectionException, NoCardException

_NO_CARD = (scard.SCARD_W_REMOVED_CARD, scard.SCARD_E_NO_SMARTCARD)
# CardConnection's protocol bit, PC/SC's, and its name; RAW is the one that differs.
_PROTOCOLS = (
    (CardConnection.T0_protocol, scard.SCARD_PROTOCOL_T0, "T0"),
    (CardConnection.T1_protocol, scard.SCARD_PROTOCOL_T1, "T1"),
    (CardConnection.RAW_protocol, scard.SCARD_PROTOCOL_RAW, "RAW"),
    (CardConnection.T15_protocol, scard.SCARD_PROTOCOL_T15, "T15"),
)


def _to_pcsc(mask):
    return sum([theirs for ours, theirs, _ in _PROTOCOLS if mask & ours])


def _from_pcsc(mask):
    return sum([ours for ours, theirs, _ in _PROTOCOLS if mask & theirs])


def _names(mask):
    return " or ".join([name for _, theirs, name in _PROTOCOLS if mask & theirs])


class PCSCCardConnection(CardConnection):
    def __init__(self, reader):
        CardConnection.__init__(self, reader)
        self.hcard = None
        self.hcontext = None
        self.disposition = scard.SCARD_UNPOWER_CARD
        self._active = None
        hresult, hcontext = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        self._check(hresult, "Failed to establish context")
        self.hcontext = hcontext

    def connect(self, protocol=None, mode=None, disposition=None):
        """protocol: mask of *_protocol, else setProtocol()'s, else T=0 or T=1.  mode:
        SCARD_SHARE_*, shared without one.  disposition: what disconnect() does to the card, power
        it off without one.

        Raises NoCardException, CardConnectionException.  On a connected object the old handle is
        closed first; the card keeps its power.
        """
        if self.hcontext is None:
            raise CardConnectionException("Context already released")
        if self.hcard is not None:
            self._drop()
        protocols = _to_pcsc(protocol or self.defaultprotocol)
        mode = scard.SCARD_SHARE_SHARED if mode is None else mode
        hresult, hcard, active = scard.SCardConnect(
            self.hcontext, str(self.reader), mode, protocols
        )
        self._check_card(hresult, "Unable to connect", protocols)
        self.hcard = hcard
        self._active = _from_pcsc(active)
        self.disposition = scard.SCARD_UNPOWER_CARD if disposition is None else disposition

    def reconnect(self, protocol=None, mode=None, disposition=None):
        """As connect(), on the same handle.  disposition: what to do to the card now and at
        disconnect(), a warm reset without one.  After a failure the object is unconnected."""
        self._need_card()
        protocols = _to_pcsc(protocol or self.defaultprotocol)
        mode = scard.SCARD_SHARE_SHARED if mode is None else mode
        disposition = scard.SCARD_RESET_CARD if disposition is None else disposition
        hresult, active = scard.SCardReconnect(self.hcard, mode, protocols, disposition)
        if hresult != scard.SCARD_S_SUCCESS:
            self._drop()
        self._check_card(hresult, "Unable to reconnect", protocols)
        self._active = _from_pcsc(active)
        self.disposition = disposition

    def disconnect(self):
        """Does nothing when unconnected."""
        if self.hcard is None:
            return
        hcard = self.hcard
        self.hcard = None
        self._check(scard.SCardDisconnect(hcard, self.disposition), "Failed to disconnect")

    def release(self):
        """disconnect(), and give the context back: this object cannot connect again."""
        try:
            self.disconnect()
        finally:
            if self.hcontext is not None:
                scard.SCardReleaseContext(self.hcontext)
                self.hcontext = None

    def getATR(self):
        """The ATR as a list of ints."""
        self._need_card()
        hresult, _, _, _, atr = scard.SCardStatus(self.hcard)
        self._check(hresult, "Failed to get status")
        return atr

    def getProtocol(self):
        """The protocol in use (or last used), else the mask connect() would ask for."""
        return self.defaultprotocol if self._active is None else self._active

    def setProtocol(self, protocol):
        CardConnection.setProtocol(self, protocol)
        self._active = protocol

    def transmit(self, command, protocol=None):
        """(data, sw1, sw2), data a list of ints.  Raises CardConnectionException."""
        self._need_card()
        header = _to_pcsc(protocol or self.getProtocol())
        if header not in (scard.SCARD_PCI_T0, scard.SCARD_PCI_T1, scard.SCARD_PCI_RAW):
            raise CardConnectionException("Invalid protocol in transmit: T0, T1 or RAW")
        hresult, response = scard.SCardTransmit(self.hcard, header, command)
        self._check(hresult, "Failed to transmit with protocol " + _names(header))
        if len(response) < 2:
            raise CardConnectionException("Card returned no valid response", hresult)
        return response[:-2], response[-2], response[-1]

    def _need_card(self):
        if self.hcard is None:
            raise CardConnectionException("Card not connected")

    def _drop(self):
        scard.SCardDisconnect(self.hcard, scard.SCARD_LEAVE_CARD)
        self.hcard = None

    def _check_card(self, hresult, doing, protocols):
        if hresult in _NO_CARD:
            raise NoCardException(doing + ": no card in the reader", hresult)
        self._check(hresult, "%s with protocol %s" % (doing, _names(protocols)))

    def _check(self, hresult, doing):
        if hresult != scard.SCARD_S_SUCCESS:
            text = scard.SCardGetErrorMessage(hresult)
            raise CardConnectionException("%s: %s" % (doing, text), hresult)
