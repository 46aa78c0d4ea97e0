"""All standard applications of a card, in the order in which a dump reads them."""

from firmware.card.df01 import DF01
from firmware.card.df02 import DF02
from firmware.card.df03 import DF03
from firmware.card.df04 import DF04
from firmware.card.df05 import DF05
from firmware.card.df06 import DF06
from firmware.card.df07 import DF07
from firmware.card.ssse import SSSE

APPLICATIONS = (SSSE, DF01, DF02, DF03, DF04, DF05, DF06, DF07)
