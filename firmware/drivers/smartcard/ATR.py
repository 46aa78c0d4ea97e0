"""The Answer To Reset (ISO 7816-3 8.2)."""

from .util import toHexString


class ATR:
    """bytes: list of ints, bytes or bytearray.

    interfaceBytes: [{"A": int, "B": int, "C": int, "D": int}, ...], index 0 for TA1..TD1, keys
    only for bytes that are there.  An ATR that is cut short is parsed as far as it goes.
    """

    def __init__(self, bytes):
        self.bytes = list(bytes)
        if len(self.bytes) < 2:
            raise ValueError("an ATR has at least TS and T0")
        self.TS = self.bytes[0]
        self.T0 = self.bytes[1]
        self.interfaceBytes = []
        at = 2
        flags = self.T0
        while flags & 0xF0 and at < len(self.bytes):
            group = {}
            for letter, bit in (("A", 0x10), ("B", 0x20), ("C", 0x40), ("D", 0x80)):
                if flags & bit and at < len(self.bytes):
                    group[letter] = self.bytes[at]
                    at += 1
            self.interfaceBytes.append(group)
            flags = group.get("D", 0)
        self.historicalBytes = self.bytes[at : at + (self.T0 & 0x0F)]
        at += self.T0 & 0x0F
        # TCK is there unless T=0 is the only protocol.
        self.hasChecksum = len(self.bytes) == at + 1
        self.checksumOK = None
        if self.hasChecksum:
            total = 0
            for value in self.bytes[1:]:
                total ^= value
            self.checksumOK = total == 0

    def getATR(self):
        return self.bytes

    def getHistoricalBytes(self):
        return self.historicalBytes

    def getChecksum(self):
        """TCK, or None."""
        return self.bytes[-1] if self.hasChecksum else None

    def getFirstProtocol(self):
        """The protocol a reader uses unless told otherwise: that of TD1, T=0 without one."""
        return self._protocols()[0]

    def getSupportedProtocols(self):
        """{"T=0": bool, "T=1": bool, "T=15": bool}."""
        found = self._protocols()
        return {"T=%d" % number: number in found for number in (0, 1, 15)}

    def isT0Supported(self):
        return 0 in self._protocols()

    def isT1Supported(self):
        return 1 in self._protocols()

    def isT15Supported(self):
        return 15 in self._protocols()

    def isContactless(self):
        """Not in pyscard: 3B 8n 80 01, the ATR a reader makes up for T=CL (PC/SC 3, 3.1.3.2.3)."""
        return self.bytes[0] == 0x3B and self.T0 & 0xF0 == 0x80 and self.bytes[2:4] == [0x80, 0x01]

    def __str__(self):
        return toHexString(self.bytes)

    def _protocols(self):
        return [group["D"] & 0x0F for group in self.interfaceBytes if "D" in group] or [0]
