"""One slot of the CCID reader: power, parameters, and how a TPDU, block or APDU meets the card."""

from __future__ import annotations

from collections.abc import Callable

from firmware.outcome import TransportError
from simulator.contact_t1 import BlockCard, check_lrc
from simulator.slot import SimulatedSlot

ACTIVE, INACTIVE, ABSENT = 0, 1, 2
_T0_PARAMETERS = bytes.fromhex("1100000A00")
_ROUNDS = 8  # of 61 and 6C
_IFSC = 0x20


class CcidSlot:
    """slot: where the card is.  parameters: (protocol, as last set by the terminal).

    least_volts: bPowerSelect at which the card first answers (1 5 V, 2 3 V, 3 1.8 V).
    A card of the contactless slot speaks T=1 here, in `blocks`.
    pps: what the terminal agreed with the card, PPS1 or None.  refuses_rates: card and reader know
    372/1 only.
    """

    def __init__(
        self, slot: SimulatedSlot, is_apdu: bool, rewrite_atr: Callable[[bytes], bytes] = bytes
    ):
        self.slot = slot
        self.parameters = (0, _T0_PARAMETERS)
        self.least_volts = 1
        self.refuses_rates = False
        self.pps: int | None = None
        self._is_apdu = is_apdu
        self.blocks = BlockCard(slot.exchange, ifsc=_IFSC)
        self._rewrite_atr = rewrite_atr
        self._powered_at: int | None = None  # the slot's count of changes
        self._is_fresh = False

    def state(self) -> int:
        count, now = self.slot.wait_beyond(-1, 0)
        if not count:
            return ABSENT
        return ACTIVE if self._powered_at == now else INACTIVE

    def power_on(self, volts: int) -> bytes:
        """The ATR; raises TransportError as the slot does."""
        atr = self.slot.power_on()
        if volts < self.least_volts:
            self.slot.power_off()
            raise TransportError("the card needs another voltage", "silent")
        self._powered_at = self.slot.wait_beyond(-1, 0)[1]
        self.parameters, self.pps, self._is_fresh = (0, _T0_PARAMETERS), None, True
        self.blocks.reset()
        return self._rewrite_atr(_block_atr(atr) if self.slot.is_block_protocol else atr)

    def power_off(self) -> None:
        self._powered_at = None
        self.slot.power_off()

    def set_parameters(self, protocol: int, parameters: bytes) -> bool:
        """Whether the reader takes them."""
        if self.refuses_rates and parameters[0] != 0x11:
            return False
        self.parameters = (protocol, parameters)
        return True

    def transfer(self, data: bytes) -> bytes:
        """What the card answers; raises TransportError as the slot does."""
        is_fresh, self._is_fresh = self._is_fresh, False
        if self._is_apdu:
            return self._apdu(data)
        if is_fresh and data[:1] == b"\xff":
            if self.refuses_rates:
                raise TransportError("the card does not answer a PPS", "silent")
            self.pps = data[2] if data[1] & 0x10 else None
            return data
        if self.parameters[0] == 1:
            answer = self.blocks.receive(data)
            if not answer:
                raise TransportError("no block within BWT", "silent")
            return answer
        return self.slot.exchange(data)

    def _apdu(self, apdu: bytes) -> bytes:
        """The reader's own T=0: P3 is Lc or Le; 61xx is fetched, 6Cxx asked again."""
        if self.slot.is_block_protocol:
            return self.slot.exchange(apdu)
        body = apdu[4:] or b"\0"
        has_data = len(body) > 1
        tpdu = apdu[:4] + (body[: 1 + body[0]] if has_data else body)
        answer = self.slot.exchange(tpdu)
        found = b""
        for _ in range(_ROUNDS):
            if answer[-2] == 0x6C and not has_data:
                answer = self.slot.exchange(tpdu[:4] + answer[-1:])
            elif answer[-2] == 0x61:
                found += answer[:-2]
                answer = self.slot.exchange(b"\x00\xc0\x00\x00" + answer[-1:])
            else:
                break
        return found + answer


def _block_atr(ats: bytes) -> bytes:
    """An ATR that offers T=1 alone: TB1, TC1, TD1 81, TD2 31, IFSC, BWI and CWI 4 and 5, TCK."""
    historical = ats[-13:]
    body = bytes((0xE0 | len(historical), 0, 0, 0x81, 0x31, _IFSC, 0x45)) + historical
    return b"\x3b" + body + check_lrc(body)
