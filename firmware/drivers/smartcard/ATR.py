"""The Answer To Reset (ISO 7816-3 8.2)."""

from .Exceptions import SmartcardException
from .util import toHexString


class ATR:
    """atr: list of ints, bytes or bytearray.  Raises SmartcardException for less than two bytes and
    for a TS that is neither 3B nor 3F.  One that is cut short is parsed as far as it goes.

    TA, TB, TC, TD: a list each, index 0 for TA1..TD1, None for a byte that is not there.
    """

    # Tables 7 and 8: Fi and Di of the two halves of TA1; Imax of TB1 in mA.
    clockrateconversion = [372, 372, 558, 744, 1116, 1488, 1860, "RFU"] + [
        "RFU", 512, 768, 1024, 1536, 2048, "RFU", "RFU"
    ]  # fmt: skip
    bitratefactor = ["RFU", 1, 2, 4, 8, 16, 32, 64, 12, 20] + ["RFU"] * 6
    currenttable = [25, 50, 100, "RFU"]

    def __init__(self, atr):
        self.atr = list(atr)
        if len(self.atr) < 2:
            raise SmartcardException("ATR sequences must be at least 2 bytes long")
        self.TS, self.T0 = self.atr[:2]
        if self.TS not in (0x3B, 0x3F):
            raise SmartcardException("invalid TS 0x%02x" % self.TS)
        self.K = self.T0 & 0x0F
        end = self._read_interface_bytes()
        self.interfaceBytesCount = end - 2
        self.historicalBytes = self.atr[end : end + self.K]
        self.hasChecksum = len(self.atr) == end + self.K + 1
        self.TCK = self.atr[-1] if self.hasChecksum else None
        self.checksumOK = _xor(self.atr[1:]) == 0 if self.hasChecksum else None
        ta1, tb1 = self.TA[0], self.TB[0]
        self.FI = None if ta1 is None else ta1 >> 4
        self.DI = None if ta1 is None else ta1 & 0x0F
        self.II = None if tb1 is None else tb1 >> 5 & 0x03
        self.PI1 = None if tb1 is None else tb1 & 0x1F
        self.N = self.TC[0]

    def _read_interface_bytes(self):
        """Fills Y, TA..TD; the place of the first historical byte."""
        self.Y: "list[int]" = []
        self.TA: "list[int | None]" = []
        self.TB: "list[int | None]" = []
        self.TC: "list[int | None]" = []
        self.TD: "list[int | None]" = []
        at = 2
        more = self.T0
        while more is not None:
            self.Y.append(more >> 4)
            for bit, bytes_of in ((1, self.TA), (2, self.TB), (4, self.TC), (8, self.TD)):
                there = more >> 4 & bit and at < len(self.atr)
                bytes_of.append(self.atr[at] if there else None)
                at += 1 if there else 0
            more = self.TD[-1]
        return at

    def getATR(self):
        """Not pyscard's, as the next two."""
        return self.atr

    def getFirstProtocol(self):
        """The protocol a reader uses unless told otherwise: that of TD1, T=0 without one."""
        return self._protocols()[0]

    def isContactless(self):
        """3B 8n 80 01: the ATR a reader makes up for T=CL (PC/SC 3, 3.1.3.2.3)."""
        return self.TS == 0x3B and self.T0 & 0xF0 == 0x80 and self.atr[2:4] == [0x80, 0x01]

    @property
    def hasTA(self):
        return _have(self.TA, "A")

    @property
    def hasTB(self):
        return _have(self.TB, "B")

    @property
    def hasTC(self):
        return _have(self.TC, "C")

    @property
    def hasTD(self):
        return _have(self.TD, "D")

    def getChecksum(self):
        """TCK, or None."""
        return self.TCK

    def getHistoricalBytes(self):
        return self.historicalBytes

    def getHistoricalBytesCount(self):
        return len(self.historicalBytes)

    def getInterfaceBytesCount(self):
        return self.interfaceBytesCount

    def getTA1(self):
        return self.TA[0]

    def getTB1(self):
        return self.TB[0]

    def getTC1(self):
        return self.TC[0]

    def getTD1(self):
        return self.TD[0]

    def getBitRateFactor(self):
        """D, or "RFU"."""
        return 1 if self.DI is None else ATR.bitratefactor[self.DI]

    def getClockRateConversion(self):
        """F, or "RFU"."""
        return 372 if self.FI is None else ATR.clockrateconversion[self.FI]

    def getProgrammingCurrent(self):
        """mA, or "RFU"."""
        return 50 if self.II is None else ATR.currenttable[self.II]

    def getProgrammingVoltage(self):
        return 5 if self.PI1 is None else 5 * (1 + self.PI1)

    def getGuardTime(self):
        """Extra guard time N in etu, or None."""
        return self.N

    def getSupportedProtocols(self):
        """{"T=0": True, ...}: only those that are there."""
        return {"T=%d" % number: True for number in self._protocols()}

    def isT0Supported(self):
        return 0 in self._protocols()

    def isT1Supported(self):
        return 1 in self._protocols()

    def isT15Supported(self):
        return 15 in self._protocols()

    def render(self):
        """All of it in lines of text."""
        lines = []
        for at in range(len(self.TA)):
            for name in ("TA", "TB", "TC", "TD"):
                value = getattr(self, name)[at]
                if value is not None:
                    lines.append("%s%d: %x" % (name, at + 1, value))
        names = []
        for number in self._protocols():
            if "T=%d" % number not in names:
                names.append("T=%d" % number)
        lines.append("supported protocols " + ",".join(names))
        lines.append("T=0 supported: %s" % self.isT0Supported())
        lines.append("T=1 supported: %s" % self.isT1Supported())
        if self.TCK is not None:
            lines.append("checksum: %d" % self.TCK)
        lines.append("\tclock rate conversion factor: %s" % self.getClockRateConversion())
        lines.append("\tbit rate adjustment factor: %s" % self.getBitRateFactor())
        lines.append("\tmaximum programming current: %s" % self.getProgrammingCurrent())
        lines.append("\tprogramming voltage: %s" % self.getProgrammingVoltage())
        lines.append("\tguard time: %s" % self.getGuardTime())
        lines.append("nb of interface bytes: %d" % self.getInterfaceBytesCount())
        lines.append("nb of historical bytes: %d" % self.getHistoricalBytesCount())
        return "\n".join(lines)

    def dump(self):
        """Of old: print(atr.render()) is the same."""
        _warn("print(ATR.render())")
        print(self.render())

    def __str__(self):
        return toHexString(self.atr)

    def _protocols(self):
        return [value & 0x0F for value in self.TD if value is not None] or [0]


def _xor(values):
    total = 0
    for value in values:
        total ^= value
    return total


def _have(values, letter):
    _warn("ATR.T%s[i] is not None" % letter)
    return [value is not None for value in values]


def _warn(better):
    from .deprecated import warn

    warn(better)
