"""Reader groups.  Windows alone can change them: adding one here ends in RecursionError."""

from ..Exceptions import SmartcardException
from ..ulist import ulist


class BadReaderGroupException(SmartcardException):
    def __init__(self):
        SmartcardException.__init__(self, "Invalid reader group")


class innerreadergroups(ulist):
    """The names of the groups; a subclass knows where they are kept."""

    def __init__(self, initlist=None):
        ulist.__init__(self, (self.getreadergroups() or []) if initlist is None else initlist)
        self.unremovablegroups = []

    def __onadditem__(self, item):
        self.addreadergroup(item)

    def __onremoveitem__(self, item):
        self.removereadergroup(item)

    def getreadergroups(self):
        return []

    def addreadergroup(self, newgroup):
        if not isinstance(newgroup, str):
            raise BadReaderGroupException
        self += newgroup

    def removereadergroup(self, group):
        if not isinstance(group, str):
            raise BadReaderGroupException
        self.remove(group)

    def addreadertogroup(self, readername, groupname):
        pass

    def removereaderfromgroup(self, readername, groupname):
        pass


class readergroups:
    """All objects of this class share `instance`, made by the first."""

    instance: "innerreadergroups | None" = None
    innerclazz = innerreadergroups

    def __init__(self, initlist=None):
        if readergroups.instance is None:
            readergroups.instance = self.innerclazz(initlist)

    def __getattr__(self, name):
        return getattr(self.instance, name)
