"""Readers and connections of PC/SC."""

from ..lazy import submodule


def __getattr__(name):
    return submodule(__name__, name)
