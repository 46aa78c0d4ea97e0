"""The ways programs import; nothing but `smartcard` named at first."""

import smartcard
import smartcard.CardConnectionObserver
import smartcard.scard
import smartcard.System
import smartcard.util
from smartcard import (
    ATR,
    CardMonitoring,
    Exceptions,
    PassThruCardService,
    System,
    listReaders,
    scard,
    util,
)
from smartcard import Session as TheSession
from smartcard.CardMonitoring import *
from smartcard.CardRequest import *
from smartcard.CardType import *
from smartcard.Exceptions import *
from smartcard.pcsc.PCSCExceptions import *
from smartcard.scard import *
from smartcard.sw.SWExceptions import *
from smartcard.System import *
from smartcard.util import *

print(ATR.ATR([0x3B, 0x00]), Exceptions.NoCardException is NoCardException, util is smartcard.util)
print(PassThruCardService.PassThruCardService.supports("x"), System.readers is readers)
print(readers.__name__, CardMonitor.__name__, AnyCardType().matches([]), scard.SCARD_E_TIMEOUT)
print(TheSession.__name__, smartcard.Session is TheSession, listReaders())
print(smartcard.Exceptions.CardConnectionException("x"), smartcard.pcsc.PCSCReader.PCSCReader)
print(smartcard.reader.Reader.Reader, smartcard.__name__)
print(CardMonitoring.CardMonitor is CardMonitor, smartcard.CardRequest.CardRequest is CardRequest)
from unittest.mock import patch

with patch("smartcard.System.readers", return_value=["mine"]):
    print(smartcard.System.readers(), System.listReaders())
with patch("smartcard.scard.SCardEstablishContext", return_value=(1, 2)):
    print(smartcard.scard.SCardEstablishContext(0))
import importlib

print(importlib.import_module("smartcard.CardConnection").CardConnection.T1_protocol)
import pkgutil

print(sorted(m.name for m in pkgutil.iter_modules(smartcard.sw.__path__)))
from smartcard.pcsc.PCSCReaderGroups import PCSCReaderGroups
from smartcard.System import readergroups

print(readergroups(), list(readergroups()), PCSCReaderGroups().instance == readergroups())
try:
    import smartcard.nothing
except ImportError as e:
    print(type(e))
try:
    from smartcard.System import nothing
except ImportError as e:
    print(type(e))
smartcard.nothing
