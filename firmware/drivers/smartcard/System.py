"""The readers of this machine."""

from .pcsc.PCSCReader import PCSCReader


def readers(groups=()):
    """A list of readers, [] when there is none; raises EstablishContextException without pcscd."""
    return PCSCReader.readers(groups)
