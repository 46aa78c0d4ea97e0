"""A connection to the card in one reader."""

from .. import scard
from ..CardConnection import CardConnection
from ..Exceptions import CardConnectionException, NoCardException, SmartcardException
from ..lazy import public
from .dropped import Held, close_with, leave

_NO_CARD = (scard.SCARD_W_REMOVED_CARD, scard.SCARD_E_NO_SMARTCARD)
# What an old context answers while pcscd is away, and after it came back.
_AWAY = (
    scard.SCARD_E_NO_SERVICE,
    scard.SCARD_E_SERVICE_STOPPED,
    scard.SCARD_E_INVALID_HANDLE,
    scard.SCARD_F_COMM_ERROR,
)
# CardConnection's protocol bit, PC/SC's, and its name; RAW is the one that differs.
_PROTOCOLS = (
    (CardConnection.T0_protocol, scard.SCARD_PROTOCOL_T0, "T0"),
    (CardConnection.T1_protocol, scard.SCARD_PROTOCOL_T1, "T1"),
    (CardConnection.RAW_protocol, scard.SCARD_PROTOCOL_RAW, "RAW"),
    (CardConnection.T15_protocol, scard.SCARD_PROTOCOL_T15, "T15"),
)
# One protocol -> the header of transmit().
_HEADERS = {
    CardConnection.T0_protocol: scard.SCARD_PCI_T0,
    CardConnection.T1_protocol: scard.SCARD_PCI_T1,
    CardConnection.RAW_protocol: scard.SCARD_PCI_RAW,
}


def translateprotocolmask(protocol):
    """A mask of *_protocol -> PC/SC's; None -> 0."""
    return sum([theirs for ours, theirs, _ in _PROTOCOLS if (protocol or 0) & ours])


def translateprotocolheader(protocol):
    """One *_protocol -> SCARD_PCI_*; 0 for a mask of several, T15 and None."""
    return _HEADERS.get(protocol, 0)


def _from_pcsc(mask):
    return sum([ours for ours, theirs, _ in _PROTOCOLS if mask & theirs])


def _names(mask):
    return " or ".join([name for _, theirs, name in _PROTOCOLS if mask & theirs]) or "none"


class PCSCCardConnection(CardConnection):
    """hcard, hcontext: for the functions of scard; None when unconnected, released.

    deadline_s: not pyscard's, see DeadlineCardConnection; None: no call has one.
    """

    deadline_s: "float | None" = None

    def __init__(self, reader):
        """Raises CardConnectionException without pcscd."""
        CardConnection.__init__(self, reader)
        self.hcard = None
        self.hcontext = None
        self.disposition = scard.SCARD_UNPOWER_CARD
        self._active = None
        hresult, hcontext = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        _check(hresult, "Failed to establish context : ")
        self._hold(hcontext)

    def connect(self, protocol=None, mode=None, disposition=None):
        """protocol: mask of *_protocol, else setProtocol()'s, else T=0 or T=1.  mode:
        SCARD_SHARE_*, shared without one.  disposition: what disconnect() does to the card, power
        it off without one.

        Raises NoCardException, CardConnectionException.  On a connected object the old handle is
        closed first; the card keeps its power.
        """
        CardConnection.connect(self, protocol)
        if self.hcontext is None:
            raise CardConnectionException("Context already released")
        if self.hcard is not None:
            self._drop()
        protocols = self._wanted(protocol, self.defaultprotocol)
        mode = scard.SCARD_SHARE_SHARED if mode is None else mode
        self.disposition = scard.SCARD_UNPOWER_CARD if disposition is None else disposition
        hresult, hcard, active = self._ask_for_card(mode, protocols)
        _check_card(hresult, "Unable to connect", protocols)
        self._take(hcard, active)

    def reconnect(self, protocol=None, mode=None, disposition=None):
        """As connect(), on the same handle.  disposition: what to do to the card now and at
        disconnect(), a warm reset without one.  After a failure the object is unconnected."""
        CardConnection.reconnect(self, protocol)
        self._need_card()
        protocols = self._wanted(protocol, self.defaultprotocol)
        mode = scard.SCARD_SHARE_SHARED if mode is None else mode
        disposition = scard.SCARD_RESET_CARD if disposition is None else disposition
        hresult, active = self._call(scard.SCardReconnect, self.hcard, mode, protocols, disposition)
        if hresult != scard.SCARD_S_SUCCESS:
            self._drop()
        _check_card(hresult, "Unable to reconnect", protocols)
        self.disposition = disposition
        self._take(self.hcard, active)

    def disconnect(self):
        """Does nothing when unconnected."""
        if self.hcard is None:
            return
        CardConnection.disconnect(self)
        hcard = self.hcard
        self.hcard = self._held.hcard = None
        hresult = self._call(scard.SCardDisconnect, hcard, self.disposition)
        _check(hresult, "Failed to disconnect: ")

    def release(self):
        """disconnect(), and give the context back: this object cannot connect again."""
        if self.hcontext is None:
            return
        CardConnection.release(self)
        try:
            self.disconnect()
        finally:
            hcontext = self.hcontext
            self.hcontext = self._held.hcontext = None
            scard.SCardReleaseContext(hcontext)

    def getATR(self):
        """The ATR as a list of ints."""
        self._need_card()
        hresult, _, _, _, atr = self._call(scard.SCardStatus, self.hcard)
        _check(hresult, "Failed to get status: ")
        return atr

    def getProtocol(self):
        """The protocol in use (or last used), else the mask connect() would ask for."""
        return self.defaultprotocol if self._active is None else self._active

    def setProtocol(self, protocol):
        CardConnection.setProtocol(self, protocol)
        self._active = protocol

    def doTransmit(self, command, protocol=None):
        header = _HEADERS.get(self.getProtocol() if protocol is None else protocol)
        if header is None:
            raise CardConnectionException(
                "Invalid protocol in transmit: must be CardConnection.T0_protocol, "
                "CardConnection.T1_protocol, or CardConnection.RAW_protocol"
            )
        hcard = self.hcard
        if hcard is None:
            raise CardConnectionException("Card not connected")
        if self.deadline_s is None:
            hresult, response = scard.SCardTransmit(hcard, header, command)
        else:
            hresult, response = self._call(scard.SCardTransmit, hcard, header, command)
        if hresult:
            _check(hresult, "Failed to transmit with protocol %s. " % _names(header))
        if len(response) < 2:
            raise CardConnectionException("Card returned no valid response", hresult)
        sw2 = response.pop()
        return response, response.pop(), sw2

    def doControl(self, controlCode, command=None):
        """Raises SmartcardException."""
        self._need_card()
        hresult, response = self._call(scard.SCardControl, self.hcard, controlCode, command or [])
        if hresult != scard.SCARD_S_SUCCESS:
            words = scard.SCardGetErrorMessage(hresult)
            raise SmartcardException("Failed to control " + words, hresult)
        return response

    def doGetAttrib(self, attribId):
        """Raises SmartcardException."""
        self._need_card()
        hresult, response = self._call(scard.SCardGetAttrib, self.hcard, attribId)
        if hresult != scard.SCARD_S_SUCCESS:
            words = scard.SCardGetErrorMessage(hresult)
            raise SmartcardException("Failed to getAttrib " + words, hresult)
        return response

    def beginTransaction(self):
        """Raises CardConnectionException."""
        self._need_card()
        hresult = self._call(scard.SCardBeginTransaction, self.hcard)
        _check(hresult, "Failed to lock with SCardBeginTransaction: ")

    def endTransaction(self, disposition=scard.SCARD_LEAVE_CARD):
        """Raises CardConnectionException."""
        self._need_card()
        hresult = self._call(scard.SCardEndTransaction, self.hcard, disposition)
        _check(hresult, "Failed to unlock with SCardEndTransaction: ")

    def connect_exclusively(self, protocol=None):
        """Not pyscard's.  Connect again so that nobody else can; raises CardConnectionException,
        and is unconnected then."""
        self._need_card()
        protocols = self._wanted(protocol, self.getProtocol())
        self._drop()
        hresult, hcard, active = self._ask_for_card(scard.SCARD_SHARE_EXCLUSIVE, protocols)
        _check(hresult, "Failed to connect with SCARD_SHARE_EXCLUSIVE")
        self._take(hcard, active)

    def _ask_for_card(self, mode, protocols):
        """SCardConnect's answer; with a new context where pcscd was restarted."""
        arguments = (str(self.reader), mode, protocols)
        answer = self._call(scard.SCardConnect, self.hcontext, *arguments)
        if answer[0] in _AWAY:
            hresult, hcontext = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
            if hresult == scard.SCARD_S_SUCCESS:
                scard.SCardReleaseContext(self.hcontext)
                self.hcontext = self._held.hcontext = hcontext
                answer = self._call(scard.SCardConnect, hcontext, *arguments)
        return answer

    def _call(self, function, *arguments):
        """function(*arguments), within the deadline if there is one."""
        if self.deadline_s is None:
            return function(*arguments)
        from ..bounded import TooLate, call

        held = self._held
        try:
            return call(function, arguments, self.deadline_s, held.let_go)
        except TooLate:
            pass
        # The context is busy: it is closed when the call ends.  A new one takes its place.
        leave(held)
        self.hcard = None
        self._hold(scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)[1] or None)
        message = "No answer within %s s" % self.deadline_s
        raise CardConnectionException(message, scard.SCARD_E_TIMEOUT)

    def _hold(self, hcontext):
        self.hcontext = hcontext
        self._held = Held(hcontext)
        close_with(self, self._held)

    def _take(self, hcard, active):
        self.hcard = self._held.hcard = hcard
        self._held.disposition = self.disposition
        self._active = _from_pcsc(active)

    def _wanted(self, protocol, otherwise):
        """PC/SC's mask; a protocol that is none (PC/SC's own RAW) asks for the others, as in
        pyscard."""
        return translateprotocolmask(protocol) or translateprotocolmask(otherwise)

    def _need_card(self):
        if self.hcard is None:
            raise CardConnectionException("Card not connected")

    def _drop(self):
        hcard = self.hcard
        self.hcard = self._held.hcard = None
        scard.SCardDisconnect(hcard, scard.SCARD_LEAVE_CARD)


def _check_card(hresult, doing, protocols):
    if hresult in _NO_CARD:
        raise NoCardException(doing, hresult)
    _check(hresult, "%s with protocol: %s. " % (doing, _names(protocols)))


def _check(hresult, doing):
    """Programs compare the message, so it is pyscard's: what failed, and libpcsclite's words."""
    if hresult != scard.SCARD_S_SUCCESS:
        raise CardConnectionException(doing + scard.SCardGetErrorMessage(hresult), hresult)


def __getattr__(name):
    """scard's names: pyscard's module has them, too."""
    return scard.named(name)


__all__ = public(
    globals(),
    "SCARD_E_INVALID_VALUE SCARD_E_NO_SMARTCARD SCARD_PCI_RAW SCARD_PCI_T0 SCARD_PCI_T1"
    " SCARD_PROTOCOL_RAW SCARD_PROTOCOL_T0 SCARD_PROTOCOL_T1 SCARD_PROTOCOL_T15 SCARD_RESET_CARD"
    " SCARD_S_SUCCESS SCARD_SCOPE_USER SCARD_SHARE_SHARED SCARD_UNPOWER_CARD SCARD_W_REMOVED_CARD"
    " SCardConnect SCardControl SCardDisconnect SCardEstablishContext SCardGetAttrib"
    " SCardGetErrorMessage SCardReconnect SCardReleaseContext SCardStatus SCardTransmit",
)
