import smartcard.System
from smartcard.pcsc.PCSCReaderGroups import PCSCReaderGroups
from smartcard.scard import *

print(smartcard.System.readergroups(), PCSCReaderGroups().getreadergroups())
print(smartcard.System.readers("SCard$DefaultReaders"), smartcard.System.readers(["none"]))
hresult, hcontext = SCardEstablishContext(SCARD_SCOPE_USER)
print(SCardListReaderGroups(hcontext), SCardListReaders(hcontext, ["SCard$DefaultReaders"]))
print(SCardIntroduceReader(hcontext, "a", "b"), SCardForgetReader(hcontext, "a"))
for change in (
    lambda: smartcard.System.readergroups().append("mine"),
    lambda: smartcard.System.readergroups().remove("SCard$DefaultReaders"),
    lambda: smartcard.System.readers()[0].addtoreadergroup("mine"),
    lambda: smartcard.System.readers()[0].removefromreadergroup("mine"),
):
    try:
        print(change())
    except Exception as e:
        print(type(e).__name__, str(e)[:40])
