"""The status words of ISO 7816-4, table 5 and 6."""

from .ErrorChecker import ErrorChecker, raise_as
from .SWExceptions import (
    CheckingErrorException,
    ExecutionErrorException,
    WarningProcessingException,
)

iso7816_4SW = {
    0x62: (
        WarningProcessingException,
        {
            0x00: "Response padded/ More APDU commands expected",
            0x81: "Part of returned data may be corrupted",
            0x82: "End of file/record reached before reading Le bytes",
            0x83: "File invalidated",
            0x84: "FCI not correctly formatted",
            0xFF: "Correct execution, response padded",
        },
    ),
    0x63: (
        WarningProcessingException,
        {0x00: "Authentication failed", 0x81: "File filled up by the last write"},
    ),
    0x64: (ExecutionErrorException, {0x00: "Integrity error detected in EEPROM"}),
    0x67: (CheckingErrorException, {0x00: "Wrong length in Lc"}),
    0x68: (
        CheckingErrorException,
        {0x81: "Logical channel not supported", 0x82: "Secure messaging not supported"},
    ),
    0x69: (
        CheckingErrorException,
        {
            0x81: "Command incompatible with file structure.",
            0x82: "Security status not satisfied",
            0x83: "Authentication method blocked",
            0x84: "Referenced data invalid",
            0x85: "Conditions of use not satisfied",
            0x86: "Command not allowed (no current EF)",
            0x87: "Secure messaging data object missing.",
            0x88: "Secure messaging data object incorrect",
        },
    ),
    0x6A: (
        CheckingErrorException,
        {
            0x80: "Incorrect parameters in the data field",
            0x81: "Function not supported",
            0x82: "File not found",
            0x83: "Record not found",
            0x84: "Not enough memory space in the file",
            0x85: "Lc inconsistent with TLV structure",
            0x86: "Incorrect parameters P1-P2",
            0x87: "Lc is inconsistent with P1-P2",
            0x88: "Referenced data not found",
        },
    ),
    0x6B: (CheckingErrorException, {0x00: "Incorrect parameters P1-P2"}),
    0x6D: (CheckingErrorException, {0x00: "Instruction (INS) not supported"}),
    0x6E: (CheckingErrorException, {0x00: "Class (CLA) not supported"}),
    0x6F: (CheckingErrorException, {0x00: "Fatal error"}),
}
for tries in range(16):
    iso7816_4SW[0x63][1][0xC0 + tries] = (
        "PIN verification failed. %d tries before blocking PIN" % tries
    )


class ISO7816_4ErrorChecker(ErrorChecker):
    def __call__(self, data, sw1, sw2):
        raise_as(iso7816_4SW, data, sw1, sw2)
