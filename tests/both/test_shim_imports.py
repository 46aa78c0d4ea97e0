"""What `smartcard`'s modules give besides what they define, under both interpreters."""

import sys

import firmware.drivers.smartcard as smartcard
from firmware.drivers.smartcard.sw.SWExceptions import CheckingErrorException, SWException
from tests.both.expect import raises


def test_a_star_import_gives_pyscards_names():
    names = {}
    exec("from firmware.drivers.smartcard.pcsc.PCSCReader import *", names)
    assert names["PCSCReader"].readers is not None
    assert smartcard.pcsc.PCSCReader.NoCardException.__name__ == "NoCardException"
    if sys.implementation.name == "micropython":
        return  # it looks at no __all__: docs/pyscard.md
    assert names["NoCardException"].__name__ == "NoCardException"
    assert names["SCARD_S_SUCCESS"] == 0
    assert names["PCSCCardConnection"].__name__ == "PCSCCardConnection"
    assert "_ELSEWHERE" not in names
    exec("from firmware.drivers.smartcard.pcsc.PCSCCardRequest import *", names)
    assert names["INFINITE"] == 0x7FFFFFFF


def test_session_is_the_class_however_often_it_is_asked_for():
    first = smartcard.Session
    exec("from firmware.drivers.smartcard.Session import Session", {})
    assert smartcard.Session is first
    assert first.__name__ == "Session"


def test_a_name_that_is_nowhere_is_an_attribute_error():
    raises(AttributeError, getattr, smartcard, "nothing")
    raises(AttributeError, getattr, smartcard.pcsc.PCSCReader, "nothing")
    raises(AttributeError, getattr, smartcard.CardRequest, "nothing")


def test_a_status_words_exception_keeps_what_it_was_made_with():
    error = CheckingErrorException([1], 0x69, 0x82, "no")
    assert error.args == ([1], 0x69, 0x82, "no")
    assert CheckingErrorException(*error.args).message == error.message == "checking error - no"
    assert SWException([], 1, 2).args == ([], 1, 2)
