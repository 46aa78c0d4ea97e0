"""The status words of ISO 7816-8."""

from .ErrorChecker import ErrorChecker, raise_as
from .SWExceptions import (
    CheckingErrorException,
    ExecutionErrorException,
    SecurityRelatedException,
    WarningProcessingException,
)

iso7816_8SW = {
    0x63: (WarningProcessingException, {0x00: "Authentication failed"}),
    0x65: (ExecutionErrorException, {0x81: "Memory failure (unsuccessful changing)"}),
    0x66: (
        SecurityRelatedException,
        {
            0x00: "The environment cannot be set or modified",
            0x87: "Expected SM data objects missing",
            0x88: "SM data objects incorrect",
        },
    ),
    0x67: (CheckingErrorException, {0x00: "Wrong length (empty Lc field)"}),
    0x68: (
        CheckingErrorException,
        {0x83: "Final command expected", 0x84: "Command chaining not supported"},
    ),
    0x69: (
        CheckingErrorException,
        {
            0x82: "Security status not satisfied",
            0x83: "Authentication method blocked",
            0x84: "Referenced data invalidated",
            0x85: "Conditions of use not satisfied",
        },
    ),
    0x6A: (
        CheckingErrorException,
        {
            0x81: "Function not supported",
            0x82: "File not found",
            0x86: "Incorrect parameters P1-P2",
            0x88: "Referenced data not found",
        },
    ),
}
for tries in range(16):
    iso7816_8SW[0x63][1][0xC0 + tries] = (
        "PIN verification failed. %d retries before blocking PIN" % tries
    )


class ISO7816_8ErrorChecker(ErrorChecker):
    def __call__(self, data, sw1, sw2):
        raise_as(iso7816_8SW, data, sw1, sw2)
