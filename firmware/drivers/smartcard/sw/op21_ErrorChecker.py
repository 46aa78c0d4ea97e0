"""The status words of Open Platform 2.1, 9.1.3 and the tables of its commands."""

from .ErrorChecker import ErrorChecker, raise_as
from .SWExceptions import (
    CheckingErrorException,
    ExecutionErrorException,
    WarningProcessingException,
)

op21_SW = {
    0x62: (WarningProcessingException, {0x83: "Card life cycle is CARD_LOCKED"}),
    0x63: (WarningProcessingException, {0x00: "Authentication failed"}),
    0x64: (ExecutionErrorException, {0x00: "Execution error"}),
    0x65: (ExecutionErrorException, {0x81: "Memory failure"}),
    0x67: (CheckingErrorException, {0x00: "Wrong length in Lc"}),
    0x69: (
        CheckingErrorException,
        {0x82: "Security status not satisfied", 0x85: "Conditions of use not satisfied"},
    ),
    0x6A: (
        CheckingErrorException,
        {
            0x80: "Incorrect values in command data",
            0x81: "Function not supported",
            0x82: "Application not found",
            0x84: "Not enough memory space",
            0x86: "Incorrect parameters P1-P2",
            0x88: "Referenced data not found",
        },
    ),
    0x6D: (CheckingErrorException, {0x00: "Instruction not supported"}),
    0x6E: (CheckingErrorException, {0x00: "Class not supported"}),
    0x94: (
        CheckingErrorException,
        {0x84: "Algorithm not supported", 0x85: "Invalid key check value"},
    ),
}


class op21_ErrorChecker(ErrorChecker):
    def __call__(self, data, sw1, sw2):
        raise_as(op21_SW, data, sw1, sw2)
