"""Something that looks at a status word."""


class ErrorChecker:
    def __call__(self, data, sw1, sw2):
        """Raises a SWException when the status word is an error."""


def raise_as(table, data, sw1, sw2):
    """Not pyscard's.  table: {sw1: (exception class, {sw2: text})}; others pass."""
    if sw1 in table:
        exception, texts = table[sw1]
        if sw2 in texts:
            raise exception(data, sw1, sw2, texts[sw2])
