"""Checkers one after another, until one raises."""


class ErrorCheckingChain:
    """One link: appends itself to the list `chain`; strategy: its ErrorChecker."""

    def __init__(self, chain, strategy):
        self.strategy = strategy
        self.chain = chain
        self.chain.append(self)
        self.excludes = []

    def next(self):
        """The next link, or None."""
        return None if self.end() else self.chain[self.chain.index(self) + 1]

    def end(self):
        return self.chain.index(self) + 1 >= len(self.chain)

    def addFilterException(self, exClass):
        """An exception of exactly that class is not raised by this link and those after it, and
        ends the check."""
        self.excludes.append(exClass)
        if not self.end():
            self.next().addFilterException(exClass)

    def __call__(self, data, sw1, sw2):
        """Raises what the first checker raises that finds an error."""
        try:
            self.strategy(data, sw1, sw2)
        except Exception as error:
            if type(error) in self.excludes:
                return
            raise
        if not self.end():
            self.next()(data, sw1, sw2)
