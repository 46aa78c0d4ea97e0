"""smartcard.scard: the low-level PC/SC functions and constants; smartcard.scard.scard is the same.

`use_library` is not pyscard's: it names the libpcsclite to speak to.
"""

from .scard import *  # noqa: F403  (pyscard's own shape: users import every name from here)
