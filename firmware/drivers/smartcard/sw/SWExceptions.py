"""A status word that is no success, as an exception."""


class SWException(Exception):
    """data: of the answer.  sw1, sw2: the status word.  message: what it means.

    args are those it was made with, so that a copy (pickle, copy) is equal.  kind: not pyscard's,
    words before the message.
    """

    def __init__(self, data, sw1, sw2, message="", kind=""):
        super().__init__(*((data, sw1, sw2, message) if message else (data, sw1, sw2)))
        self.data = data
        self.sw1 = sw1
        self.sw2 = sw2
        self.message = kind + message

    def __str__(self):
        return repr("Status word exception: " + self.message + "!")


class WarningProcessingException(SWException):
    """62, 63."""

    def __init__(self, data, sw1, sw2, message=""):
        SWException.__init__(self, data, sw1, sw2, message, "warning processing - ")


class ExecutionErrorException(SWException):
    """64, 65."""

    def __init__(self, data, sw1, sw2, message=""):
        SWException.__init__(self, data, sw1, sw2, message, "execution error - ")


class SecurityRelatedException(SWException):
    """66."""

    def __init__(self, data, sw1, sw2, message=""):
        SWException.__init__(self, data, sw1, sw2, message, "security issue - ")


class CheckingErrorException(SWException):
    """67..6F."""

    def __init__(self, data, sw1, sw2, message=""):
        SWException.__init__(self, data, sw1, sw2, message, "checking error - ")
