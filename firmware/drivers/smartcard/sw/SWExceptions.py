"""A status word that is no success, as an exception."""


class SWException(Exception):
    """data: of the answer.  sw1, sw2: the status word.  message: what it means."""

    def __init__(self, data, sw1, sw2, message=""):
        super().__init__(data, sw1, sw2, message)
        self.data = data
        self.sw1 = sw1
        self.sw2 = sw2
        self.message = message

    def __str__(self):
        return repr("Status word exception: " + self.message + "!")


class WarningProcessingException(SWException):
    """62, 63."""

    def __init__(self, data, sw1, sw2, message=""):
        SWException.__init__(self, data, sw1, sw2, "warning processing - " + message)


class ExecutionErrorException(SWException):
    """64, 65."""

    def __init__(self, data, sw1, sw2, message=""):
        SWException.__init__(self, data, sw1, sw2, "execution error - " + message)


class SecurityRelatedException(SWException):
    """66."""

    def __init__(self, data, sw1, sw2, message=""):
        SWException.__init__(self, data, sw1, sw2, "security issue - " + message)


class CheckingErrorException(SWException):
    """67..6F."""

    def __init__(self, data, sw1, sw2, message=""):
        SWException.__init__(self, data, sw1, sw2, "checking error - " + message)
