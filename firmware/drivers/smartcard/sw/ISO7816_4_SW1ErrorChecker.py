"""The status words of ISO 7816-4 by their first byte alone."""

from .ErrorChecker import ErrorChecker
from .SWExceptions import (
    CheckingErrorException,
    ExecutionErrorException,
    SecurityRelatedException,
    WarningProcessingException,
)

iso7816_4SW1 = {
    0x62: WarningProcessingException,
    0x63: WarningProcessingException,
    0x64: ExecutionErrorException,
    0x65: ExecutionErrorException,
    0x66: SecurityRelatedException,
}
for sw1 in range(0x67, 0x70):
    iso7816_4SW1[sw1] = CheckingErrorException


class ISO7816_4_SW1ErrorChecker(ErrorChecker):
    def __call__(self, data, sw1, sw2):
        if sw1 in iso7816_4SW1:
            raise iso7816_4SW1[sw1](data, sw1, sw2)
