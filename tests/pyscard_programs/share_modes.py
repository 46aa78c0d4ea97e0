"""Every mode, protocol and disposition that programs pass to connect()."""

from smartcard.CardConnection import CardConnection
from smartcard.Exceptions import CardConnectionException, SmartcardException
from smartcard.scard import *
from smartcard.System import readers

user, _, psam, _ = readers()


def show(function):
    try:
        print(function())
    except SmartcardException as e:
        print(type(e).__name__, "|", e, "|", e.args, "|", hex(e.hresult))


for reader in (user, psam):
    for protocol in (CardConnection.T0_protocol, CardConnection.T1_protocol, None):
        for mode in (SCARD_SHARE_SHARED, SCARD_SHARE_EXCLUSIVE):
            connection = reader.createConnection()
            show(lambda: connection.connect(protocol, mode, SCARD_LEAVE_CARD))
            print(connection.getProtocol(), connection.component.disposition)
            show(lambda: connection.transmit([0, 0x84, 0, 0, 8]))
            show(lambda: connection.transmit([0, 0x84, 0, 0, 8], CardConnection.T0_protocol))
            show(lambda: connection.transmit([0, 0x84, 0, 0, 8], protocol=SCARD_PCI_T1))
            show(lambda: connection.transmit([0, 0x84, 0, 0, 8], 3))
            connection.disconnect()
            connection.release()
connection = user.createConnection()
connection.connect(mode=SCARD_SHARE_EXCLUSIVE, disposition=SCARD_RESET_CARD)
other = user.createConnection()
show(other.connect)
show(lambda: other.connect(mode=SCARD_SHARE_EXCLUSIVE))
show(other.getProtocol)
show(lambda: connection.reconnect(mode=SCARD_SHARE_EXCLUSIVE, disposition=SCARD_LEAVE_CARD))
show(other.connect)
connection.disconnect()
show(connection.getATR)
other.disconnect()
other.setProtocol(CardConnection.T1_protocol)
print(other.getProtocol())
show(other.connect)
connection.transmit([0, 0, 0, 0])
