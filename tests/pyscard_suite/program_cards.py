"""The two cards of tests/pyscard_programs/, in the readers of a private pcscd."""

from __future__ import annotations

from tests.card_server import CardServer

ATRS = {"user": "3B6800000073C84012009000", "psam": "3B8F8001804F0CA000000306030001000000006A"}
# What they answer; any other command gets its own first four bytes and 9000.
ANSWERS = {
    "FFCA000000": "04A1B2C3D4E5F69000",
    "A0A40000027F10": "9F1A",
    "A0C000001A": "00" * 26 + "9000",
    "00A40000023F00": "6F0A82017883023F008A01059000",
    "00A40400" + "0E315041592E5359532E4444463031": "6A82",
    "00A4040007A000000003101000": "6F098407A00000000310109000",
    "00A4040007A0000000031010": "6109",
    "00C0000009": "6F078405A000000003" + "9000",
    "00B2010C00": "6C12",
    "00B2010C12": "70105F201A4A4F484E20444F45202020" + "2020" + "9000",
    "00200001083132333435363738": "63C2",
    "00200001": "63C3",
    "00840000080000": "1122334455667788" + "9000",
    "0084000008": "1122334455667788" + "9000",
    "80CA9F7F00": "9F7F2A" + "11" * 42 + "9000",
    "00A4040008A000000308000010": "61114F0600001000010079074F05A000000308" + "9000",
    "00F10000": "6985",
    "00F20000": "6200",
    "00F30000": "6581",
    "00F40000": "90",  # no status word at all
    "FF82000006FFFFFFFFFFFF": "9000",
    "FF860000050100046000": "9000",
    "FFB0000410": "000102030405060708090A0B0C0D0E0F9000",
    "FFB0000510": "6300",
}


class Table:
    """Plugs and pulls; a card once in stays in for the next program that wants it."""

    def __init__(self, server: CardServer) -> None:
        self._server = server
        self._in: dict[str, int] = {}
        self._ran: list[str] = []
        self._runs = True

    def lay(self, slots: list[str]) -> None:
        """Exactly those are in, pcscd runs, nothing was heard."""
        if not self._runs:
            self.do("start", "")
        for slot in list(ATRS):
            if slot in slots and slot not in self._in:
                self.do("plug", slot)
            elif slot not in slots and slot in self._in:
                self.do("pull", slot)
        self.heard()

    def do(self, what: str, slot: str) -> None:
        if what == "plug" and slot not in self._in:
            answer = self._ask(do="plug", slot=slot, atr=ATRS[slot], answers=ANSWERS)
            self._in[slot] = answer["card"]
        elif what == "pull" and slot in self._in:
            self._ran += self._commands(slot)
            self._ask(do="pull", card=self._in.pop(slot))
        elif what in ("stop", "start"):
            self._runs = what == "start"
            self._ask(do="service", run=self._runs)
            for each in () if self._runs else list(self._in):
                self.do("pull", each)  # pcscd ended its link

    def heard(self) -> list[str]:
        """The commands since the last call, those of each card in their order."""
        ran, self._ran = self._ran, []
        for slot in sorted(self._in):
            ran += self._commands(slot)
        return ran

    def _commands(self, slot: str) -> list[str]:
        return [
            f"{slot} {each}" for each in self._ask(do="commands", card=self._in[slot])["commands"]
        ]

    def _ask(self, **request: object) -> dict[str, list[str]]:
        answer = self._server.answer(request)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer
