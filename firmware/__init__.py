"""Open terminal firmware for the Chinese social security card."""

__version__ = "0.1.0"
