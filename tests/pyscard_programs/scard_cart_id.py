from smartcard.scard import *

if __name__ == "__main__":
    hresult, hcontext = SCardEstablishContext(SCARD_SCOPE_USER)
    assert hresult == SCARD_S_SUCCESS
    hresult, readers = SCardListReaders(hcontext, [])
    assert len(readers) > 0
    reader = readers[0]
    hresult, hcard, dwActiveProtocol = SCardConnect(
        hcontext, reader, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1
    )
    print(hresult, type(hcard), dwActiveProtocol)
    hresult, response = SCardTransmit(hcard, dwActiveProtocol, [0xFF, 0xCA, 0x00, 0x00, 0x00])
    print(response)
    try:
        hresult = SCardDisconnect(hcard, SCARD_UNPOWER_CARD)
        if hresult != SCARD_S_SUCCESS:
            raise error("Failed to disconnect: " + SCardGetErrorMessage(hresult))
        hresult = SCardReleaseContext(hcontext)
        hresult = SCardReleaseContext(hcontext)
        if hresult != SCARD_S_SUCCESS:
            raise error("Failed to release context: " + SCardGetErrorMessage(hresult))
    except error as e:
        print("error", e, type(e), error.__mro__)
    raise error("the end")
