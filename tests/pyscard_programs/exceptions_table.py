"""Making, catching, copying and printing the exceptions."""

import copy
import pickle

from smartcard.Exceptions import *
from smartcard.pcsc import PCSCExceptions
from smartcard.scard import SCARD_E_NO_SERVICE, SCARD_E_SHARING_VIOLATION, error

made = [
    SmartcardException(),
    SmartcardException("a"),
    SmartcardException("a", "b"),
    SmartcardException("a", 5, "c"),
    SmartcardException("a", hresult=SCARD_E_SHARING_VIOLATION),
    SmartcardException(message="m", hresult=-2146435043),
    CardConnectionException("a", SCARD_E_NO_SERVICE),
    CardConnectionException(hresult=SCARD_E_NO_SERVICE),
    CardRequestException("x"),
    CardRequestTimeoutException(),
    CardRequestTimeoutException(hresult=SCARD_E_NO_SERVICE),
    CardRequestTimeoutException(0x8010000A),
    CardServiceException("s"),
    CardServiceStoppedException(hresult=1),
    CardServiceNotFoundException("z"),
    InvalidATRMaskLengthException("FF"),
    InvalidReaderException("foo"),
    ListReadersException(SCARD_E_NO_SERVICE),
    NoCardException("n", SCARD_E_NO_SERVICE),
    NoCardException("n", hresult=SCARD_E_NO_SERVICE),
    NoReadersException(),
    NoReadersException(SCARD_E_NO_SERVICE),
    PCSCExceptions.BaseSCardException(),
    PCSCExceptions.BaseSCardException(SCARD_E_NO_SERVICE),
    PCSCExceptions.BaseSCardException(hresult=1, message="m"),
    PCSCExceptions.EstablishContextException(SCARD_E_NO_SERVICE),
    PCSCExceptions.ListReadersException(SCARD_E_NO_SERVICE),
    PCSCExceptions.IntroduceReaderException(1, "r"),
    PCSCExceptions.AddReaderToGroupException(1, "r", "g"),
    PCSCExceptions.RemoveReaderFromGroupException(1, "r", "g"),
    PCSCExceptions.ReleaseContextException(3),
    error("e"),
]
for each in made:
    print(type(each).__mro__, "|", str(each), "|", repr(each), "|", each.args, vars(each))
    for how in (copy.copy, lambda one: pickle.loads(pickle.dumps(one))):
        try:
            again = how(each)
            print("again", again, again.args, vars(again))
        except Exception as e:
            print("no copy", type(e))
