"""The exceptions of the high-level classes.

hresult: the PC/SC code, or -1 where there is none.  str() is the message, libpcsclite's words for
the code, and the code.
"""

from .scard import SCardGetErrorMessage


def describe(message, hresult):
    """message: words (0x8010000C)."""
    if hresult == -1:
        return message
    code = "%s (0x%08X)" % (SCardGetErrorMessage(hresult), hresult & 0xFFFFFFFF)
    return "%s: %s" % (message, code) if message else code


class SmartcardException(Exception):
    """SmartcardException(message, hresult), both by place or by name."""

    def __init__(self, *args, message="", hresult=-1):
        if not message and args:
            message = args[0]
            args = args[1:]
        if hresult == -1 and args:
            hresult = args[0]
            args = args[1:]
        super().__init__(message, *args)
        self.hresult = int(hresult)

    def __str__(self):
        text = self.args[0] if len(self.args) == 1 else self.args
        return describe(str(text), self.hresult)


class CardConnectionException(SmartcardException):
    """A method of a connection failed."""


class CardRequestException(SmartcardException):
    """A wait for a card failed."""


class CardRequestTimeoutException(SmartcardException):
    """No card came within the time."""

    def __init__(self, *args, hresult=-1):
        if hresult == -1 and args:
            hresult = args[0]
        SmartcardException.__init__(self, "Time-out during card request", hresult)


class CardServiceException(SmartcardException):
    """A method of a card service failed."""


class CardServiceStoppedException(SmartcardException):
    """pcscd was stopped."""


class CardServiceNotFoundException(SmartcardException):
    """pcscd does not run."""


class InvalidATRMaskLengthException(SmartcardException):
    """An ATR and its mask differ in length."""

    def __init__(self, mask):
        SmartcardException.__init__(self, "Invalid ATR mask length: %s" % mask)


class InvalidReaderException(SmartcardException):
    """No reader of that name."""

    def __init__(self, readername):
        SmartcardException.__init__(self, "Invalid reader: %s" % readername)


class ListReadersException(SmartcardException):
    """The readers could not be listed."""

    def __init__(self, hresult):
        SmartcardException.__init__(self, "Failed to list readers", hresult)


class NoCardException(SmartcardException):
    """No card in the reader."""

    def __init__(self, message, hresult):
        SmartcardException.__init__(self, message, hresult)


class NoReadersException(SmartcardException):
    """There is no reader at all; Session() raises it, readers() returns []."""

    def __init__(self, *args):
        SmartcardException.__init__(self, "No reader found", *args)
