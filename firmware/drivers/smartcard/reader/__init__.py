"""Readers, whatever connects them."""

from ..lazy import submodule


def __getattr__(name):
    return submodule(__name__, name)
