"""A reader: something that makes connections to cards."""


class Reader:
    """Equal to another reader of the same name and kind; to no str."""

    def __init__(self, readername):
        self.name = readername

    def addtoreadergroup(self, groupname):
        pass

    def removefromreadergroup(self, groupname):
        pass

    def createConnection(self):
        """A connection that is not connected yet."""

    def __eq__(self, other):
        return isinstance(other, type(self)) and self.name == other.name

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return hash(self.name)

    def __str__(self):
        return self.name

    def __repr__(self):
        return "'%s'" % self.name
