"""The PC/SC transport of a SIM tool: exclusive, the protocol found by a first connect."""

import re

from smartcard.CardConnection import CardConnection
from smartcard.CardRequest import CardRequest
from smartcard.Exceptions import (
    CardConnectionException,
    CardRequestTimeoutException,
    NoCardException,
)
from smartcard.ExclusiveConnectCardConnection import ExclusiveConnectCardConnection
from smartcard.System import readers


class Link:
    def __init__(self, pattern):
        for reader in readers():
            if re.search(pattern, reader.name):
                self._reader = reader
        self._con = ExclusiveConnectCardConnection(self._reader.createConnection())

    def __del__(self):
        try:
            self._con.disconnect()
        except:
            pass

    def wait_for_card(self, timeout=None, newcardonly=False):
        cr = CardRequest(readers=[self._reader], timeout=timeout, newcardonly=newcardonly)
        try:
            cr.waitforcard()
        except CardRequestTimeoutException as exc:
            raise RuntimeError("no card") from exc
        self.connect()

    def connect(self):
        try:
            self._con.disconnect()
            self._con.connect()
            supported = self._con.getProtocol()
            print("supported", supported)
            self._con.disconnect()
            if supported & CardConnection.T0_protocol:
                protocol = CardConnection.T0_protocol
            else:
                protocol = CardConnection.T1_protocol
            self._con.connect(protocol)
        except (CardConnectionException, NoCardException) as exc:
            raise RuntimeError(str(exc)) from exc

    def send(self, tpdu):
        data, sw1, sw2 = self._con.transmit(list(bytes.fromhex(tpdu)))
        return bytes(data).hex(), "%02x%02x" % (sw1, sw2)

    def __str__(self):
        return "PCSC[%s]" % (self._reader)


for pattern in ("User 00 00", "PSAM 00 00"):
    link = Link(pattern)
    link.wait_for_card(timeout=5)
    print(link, bytes(link._con.getATR()).hex())
    print(link.send("a0a40000027f10"), link.send("a0c000001a"))
    other = link._reader.createConnection()
    try:
        other.connect()
    except CardConnectionException as exc:
        print(type(exc).__name__, exc, hex(exc.hresult))
    link._con.disconnect()
    other.connect()
    try:
        link.connect()
    except RuntimeError as exc:
        print(exc.__cause__.args, link._con.getProtocol())
    other.disconnect()
link.wait_for_card(timeout=0.2, newcardonly=True)
