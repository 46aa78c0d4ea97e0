"""What the status words of ISO 7816-4, -8, -9 and Open Platform 2.1 mean, as exceptions."""

from ..lazy import submodule


def __getattr__(name):
    return submodule(__name__, name)
