"""Not pyscard's: the warning for names kept of old; MicroPython has no warnings and shows none."""


def warn(better):
    """better: what to write instead."""
    try:
        import warnings
    except ImportError:
        return
    warnings.warn("write %s" % better, DeprecationWarning, stacklevel=4)
