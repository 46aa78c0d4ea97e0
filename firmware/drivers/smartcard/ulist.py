"""A list whose items are unique as long as append, insert and + are used."""


class ulist(list):  # type: ignore[type-arg]
    """A subclass may override __onadditem__ and __onremoveitem__."""

    def __init__(self, initlist=None):
        unique = initlist  # None is no list: TypeError, as in pyscard
        if initlist:
            unique = []
            for item in initlist:
                if item not in unique:
                    unique.append(item)
        super().__init__(unique)

    def __add__(self, other):
        new = self._new_of(other)
        self._tell(new)
        return self.__class__(list(self) + new)

    def __iadd__(self, other):
        new = self._new_of(other)
        self._tell(new)
        super().extend(new)
        return self

    def __radd__(self, other):
        """The items of this list come first, as in pyscard."""
        return list(self) + self._new_of(other)

    def append(self, item):
        if item not in self:
            super().append(item)
            self.__onadditem__(item)

    def insert(self, i, item):
        if item not in self:
            super().insert(i, item)
            self.__onadditem__(item)

    def pop(self, i=-1):
        item = super().pop(i)
        self.__onremoveitem__(item)
        return item

    def remove(self, item):
        super().remove(item)
        self.__onremoveitem__(item)

    def __onadditem__(self, item):
        pass

    def __onremoveitem__(self, item):
        pass

    def _new_of(self, other):
        """The items of that list (or that one item) which are not here yet, each once."""
        new = []
        for item in other if isinstance(other, list) else [other]:
            if item not in self and item not in new:
                new.append(item)
        return new

    def _tell(self, items):
        for item in items:
            self.__onadditem__(item)
