"""Escape commands to the reader: LEDs, the buzzer, firmware, features; here none is supported."""

from smartcard.CardConnection import CardConnection
from smartcard.Exceptions import SmartcardException
from smartcard.pcsc.PCSCPart10 import (
    CM_IOCTL_GET_FEATURE_REQUEST,
    FEATURE_VERIFY_PIN_DIRECT,
    getFeatureRequest,
    getPinProperties,
    getTlvProperties,
    hasFeature,
    parseFeatureRequest,
    parseTlvProperties,
)
from smartcard.scard import *
from smartcard.System import readers

print(hex(SCARD_CTL_CODE(1)), hex(SCARD_CTL_CODE(3400)), hex(CM_IOCTL_GET_FEATURE_REQUEST))


def show(function):
    try:
        print(function())
    except SmartcardException as e:
        print(type(e), "|", e, "|", e.args, "|", hex(e.hresult))


connection = readers()[1].createConnection()
show(lambda: connection.connect(protocol=SCARD_PROTOCOL_UNDEFINED, mode=SCARD_SHARE_DIRECT))
print(connection.getProtocol())
show(lambda: connection.control(SCARD_CTL_CODE(1), [0xFF, 0x00, 0x40, 0xF2, 0x04, 2, 2, 1, 1]))
show(lambda: connection.control(SCARD_CTL_CODE(3500), [0xE0, 0, 0, 0x28, 1, 0]))
show(lambda: getFeatureRequest(connection))
show(lambda: getTlvProperties(connection))
show(lambda: getPinProperties(connection))
show(lambda: connection.getAttrib(SCARD_ATTR_VENDOR_NAME))
show(lambda: connection.transmit([0xFF, 0xCA, 0, 0, 0]))
show(connection.getATR)
show(connection.disconnect)
features = [6, 4, 0x42, 0x33, 0, 6, 7, 4, 0x42, 0x33, 0, 7, 0x12, 4, 0x42, 0x33, 0, 0x12]
features = parseFeatureRequest(features)
print(features, hasFeature(features, FEATURE_VERIFY_PIN_DIRECT), hasFeature(features, 0x11))
properties = parseTlvProperties([1, 2, 2, 16, 8, 3, 65, 66, 67, 10, 4, 0, 0, 1, 0, 0x40, 1, 7])
print(sorted(properties.items(), key=str))
hresult, hcontext = SCardEstablishContext(SCARD_SCOPE_USER)
name = str(readers()[0])
hresult, hcard, protocol = SCardConnect(hcontext, name, SCARD_SHARE_DIRECT, SCARD_PROTOCOL_T0)
print(hresult, protocol, SCardControl(hcard, SCARD_CTL_CODE(3400), []))
print(SCardGetAttrib(hcard, SCARD_ATTR_ATR_STRING), SCardSetAttrib(hcard, 0x7A007, [1]))
print(SCardDisconnect(hcard, SCARD_LEAVE_CARD), SCardReleaseContext(hcontext))
for protocol in (
    CardConnection.RAW_protocol,
    SCARD_PROTOCOL_RAW,
    CardConnection.T15_protocol,
    SCARD_PROTOCOL_ANY,
):
    connection = readers()[0].createConnection()
    show(lambda: connection.connect(protocol))
    print(protocol, connection.getProtocol())
    connection.release()
