"""The exceptions of the high-level classes, with pyscard's names.

message: the cause in words.  hresult: the PC/SC code, or -1 where there is none.
"""


class SmartcardException(Exception):
    def __init__(self, message="", hresult=-1):
        super().__init__(message)
        self.message = message
        self.hresult = hresult & 0xFFFFFFFF if hresult != -1 else -1

    def __str__(self):
        if self.hresult == -1:
            return self.message
        return "%s (0x%08X)" % (self.message, self.hresult)


class CardConnectionException(SmartcardException):
    """A method of a connection failed."""


class NoCardException(SmartcardException):
    """No card in the reader."""


class InvalidReaderException(SmartcardException):
    """No reader of that name."""

    def __init__(self, readername=""):
        SmartcardException.__init__(self, "Invalid reader: %s" % readername)


class ListReadersException(SmartcardException):
    """The readers could not be listed."""


class NoReadersException(SmartcardException):
    """There is no reader at all; readers() does not raise it, it returns []."""

    def __init__(self, *_):
        SmartcardException.__init__(self, "No reader found")
