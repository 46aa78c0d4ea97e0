"""PC/SC part 10: what a reader with a keypad or display can do, asked by control commands."""

from ..scard import SCARD_CTL_CODE, SCARD_SHARE_DIRECT  # noqa: F401  (users import it from here)

CM_IOCTL_GET_FEATURE_REQUEST = SCARD_CTL_CODE(3400)

# Part 10, 2.2: each feature's tag.
FEATURE_VERIFY_PIN_START = 0x01
FEATURE_VERIFY_PIN_FINISH = 0x02
FEATURE_MODIFY_PIN_START = 0x03
FEATURE_MODIFY_PIN_FINISH = 0x04
FEATURE_GET_KEY_PRESSED = 0x05
FEATURE_VERIFY_PIN_DIRECT = 0x06
FEATURE_MODIFY_PIN_DIRECT = 0x07
FEATURE_MCT_READER_DIRECT = 0x08
FEATURE_MCT_UNIVERSAL = 0x09
FEATURE_IFD_PIN_PROPERTIES = 0x0A
FEATURE_ABORT = 0x0B
FEATURE_SET_SPE_MESSAGE = 0x0C
FEATURE_VERIFY_PIN_DIRECT_APP_ID = 0x0D
FEATURE_MODIFY_PIN_DIRECT_APP_ID = 0x0E
FEATURE_WRITE_DISPLAY = 0x0F
FEATURE_GET_KEY = 0x10
FEATURE_IFD_DISPLAY_PROPERTIES = 0x11
FEATURE_GET_TLV_PROPERTIES = 0x12
FEATURE_CCID_ESC_COMMAND = 0x13

# Part 10, 2.6.14: the tags of FEATURE_GET_TLV_PROPERTIES.
PCSCv2_PART10_PROPERTY_wLcdLayout = 1
PCSCv2_PART10_PROPERTY_bEntryValidationCondition = 2
PCSCv2_PART10_PROPERTY_bTimeOut2 = 3
PCSCv2_PART10_PROPERTY_wLcdMaxCharacters = 4
PCSCv2_PART10_PROPERTY_wLcdMaxLines = 5
PCSCv2_PART10_PROPERTY_bMinPINSize = 6
PCSCv2_PART10_PROPERTY_bMaxPINSize = 7
PCSCv2_PART10_PROPERTY_sFirmwareID = 8
PCSCv2_PART10_PROPERTY_bPPDUSupport = 9
PCSCv2_PART10_PROPERTY_dwMaxAPDUDataSize = 10
PCSCv2_PART10_PROPERTY_wIdVendor = 11
PCSCv2_PART10_PROPERTY_wIdProduct = 12


def _both_ways(prefix):
    """{name: tag, tag: name} of the constants above."""
    found = {}
    for name, tag in list(globals().items()):
        if name.startswith(prefix):
            found[name] = tag
            found[tag] = name
    return found


Features = _both_ways("FEATURE_")
Properties = _both_ways("PCSCv2_PART10_PROPERTY_")


def parseFeatureRequest(response):
    """[[name, control code], ...] of the known features.  response: tag, 04, four bytes, ..."""
    features = []
    for at in range(0, len(response) - 5, 6):
        if response[at] in Features:
            code = int.from_bytes(bytes(response[at + 2 : at + 6]), "big")
            features.append([Features[response[at]], code])
    return features


def getFeatureRequest(cardConnection):
    return parseFeatureRequest(cardConnection.control(CM_IOCTL_GET_FEATURE_REQUEST, []))


def hasFeature(featureList, feature):
    """The control code of a feature (its name or tag), or None."""
    for name, code in featureList:
        if feature in (name, Features[name]):
            return code
    return None


def getPinProperties(cardConnection, featureList=None, controlCode=None):
    """{"raw": the answer, "LcdLayoutX", "LcdLayoutY", "EntryValidationCondition", "TimeOut2"};
    {"raw": []} of a reader that has none."""
    code = _code_of(cardConnection, featureList, controlCode, FEATURE_IFD_PIN_PROPERTIES)
    if code is None:
        return {"raw": []}
    response = cardConnection.control(code, [])
    names = ("LcdLayoutX", "LcdLayoutY", "EntryValidationCondition", "TimeOut2")
    found = {"raw": response}
    for name, value in zip(names, response):
        found[name] = value
    return found


def getTlvProperties(cardConnection, featureList=None, controlCode=None):
    """As parseTlvProperties(); {"raw": []} of a reader that has none."""
    code = _code_of(cardConnection, featureList, controlCode, FEATURE_GET_TLV_PROPERTIES)
    if code is None:
        return {"raw": []}
    return parseTlvProperties(cardConnection.control(code, []))


def parseTlvProperties(response):
    """{"raw": the answer, name: value}.  Values: str of sFirmwareID, ints (little-endian) of 1, 2
    or 4 bytes, else lists.  A tag that is not known is "UNKNOWN"; a cut-off end is left out."""
    found = {"raw": response}
    at = 0
    while at + 2 <= len(response):
        tag, length = response[at], response[at + 1]
        value = response[at + 2 : at + 2 + length]
        if len(value) < length:
            break
        if tag == PCSCv2_PART10_PROPERTY_sFirmwareID:
            value = "".join([chr(each) for each in value])
        elif length in (1, 2, 4):
            value = int.from_bytes(bytes(value), "little")
        found[Properties.get(tag, "UNKNOWN")] = value
        at += 2 + length
    return found


def _code_of(cardConnection, featureList, controlCode, feature):
    if controlCode is not None:
        return controlCode
    if featureList is None:
        featureList = getFeatureRequest(cardConnection)
    return hasFeature(featureList, feature)
