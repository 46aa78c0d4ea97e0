"""The exceptions of the service itself.  As in pyscard they are no SmartcardException."""

from ..Exceptions import describe


class BaseSCardException(Exception):
    """hresult: the PC/SC code, or -1.  message: what failed."""

    def __init__(self, *args, hresult=-1, message=""):
        if hresult == -1 and args:
            hresult = args[0]
            args = args[1:]
        self.message = message or "scard exception"
        self.hresult = hresult
        super().__init__(self.message, *args)

    def __str__(self):
        return describe(self.message, self.hresult)


class AddReaderToGroupException(BaseSCardException):
    def __init__(self, hresult, readername="", groupname=""):
        text = "Failed to add reader: %s to group: %s" % (readername, groupname)
        BaseSCardException.__init__(self, hresult=hresult, message=text)
        self.readername = readername
        self.groupname = groupname


class EstablishContextException(BaseSCardException):
    """pcscd does not answer."""

    def __init__(self, hresult):
        BaseSCardException.__init__(self, hresult=hresult, message="Failed to establish context")


class ListReadersException(BaseSCardException):
    def __init__(self, hresult):
        BaseSCardException.__init__(self, hresult=hresult, message="Failed to list readers")


class IntroduceReaderException(BaseSCardException):
    def __init__(self, hresult, readername=""):
        text = "Failed to introduce a new reader: " + readername
        BaseSCardException.__init__(self, hresult=hresult, message=text)
        self.readername = readername


class ReleaseContextException(BaseSCardException):
    def __init__(self, hresult):
        BaseSCardException.__init__(self, hresult=hresult, message="Failed to release context")


class RemoveReaderFromGroupException(BaseSCardException):
    def __init__(self, hresult, readername="", groupname=""):
        text = "Failed to remove reader: %s from group: %s" % (readername, groupname)
        BaseSCardException.__init__(self, hresult=hresult, message=text)
        self.readername = readername
        self.groupname = groupname
