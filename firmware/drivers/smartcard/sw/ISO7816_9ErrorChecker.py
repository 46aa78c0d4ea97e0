"""The status words of ISO 7816-9."""

from .ErrorChecker import ErrorChecker, raise_as
from .SWExceptions import (
    CheckingErrorException,
    ExecutionErrorException,
    WarningProcessingException,
)

iso7816_9SW = {
    0x62: (WarningProcessingException, {0x82: "End of file/record reached"}),
    0x64: (ExecutionErrorException, {0x00: "Execution error"}),
    0x69: (CheckingErrorException, {0x82: "Security status not satisfied"}),
    0x6A: (
        CheckingErrorException,
        {
            0x80: "Incorrect parameters in data field",
            0x84: "Not enough memory space",
            0x89: "File already exists",
            0x8A: "DF name already exists",
        },
    ),
}


class ISO7816_9ErrorChecker(ErrorChecker):
    def __call__(self, data, sw1, sw2):
        raise_as(iso7816_9SW, data, sw1, sw2)
