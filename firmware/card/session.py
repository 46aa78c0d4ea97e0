"""One conversation with a social security card, from power-up to power-down."""

from __future__ import annotations

from collections.abc import Callable

from firmware.apdu import SW_OK, CommandApdu, ResponseApdu
from firmware.card import commands
from firmware.card.commands import checked
from firmware.card.items import Item
from firmware.card.ssse import SSSE_NAME
from firmware.channel import Channel
from firmware.outcome import ProtocolError, StatusError
from firmware.secret import Pin
from firmware.tlv import TlvError, find, record_value

ALGORITHM_3DES = 0x01
PIN_IS_SET = -1  # no counter was told


class CardSession:
    """Named commands over a channel.  Each raises TransportError, ProtocolError or StatusError."""

    def __init__(self, channel: Channel):
        self._channel = channel
        self._by_sfi: bool | None = None  # does this card take an SFI in P2?  None: not yet seen
        self._select_p1 = 0x02
        self._current_ef: int | None = None
        self.directory_sfi: int | None = None  # FCI tag 88, as select_environment found it

    # -- selecting -------------------------------------------------------------------------------

    def select_environment(self) -> int:
        """SELECT the social security environment; the algorithm byte of its FCI (3DES if none).

        Raises StatusError 6A82 when the card has none, 6A81 when the card is blocked.
        """
        self._current_ef = None
        answer = self._channel.transmit(commands.select_by_name(SSSE_NAME))
        if answer.sw == commands.SW_FILE_NOT_FOUND:
            # One maker wants the MF selected first (SPEC-P6, seen in the field).
            self._channel.transmit(commands.select_by_fid(b"\x3f\x00"))
            answer = self._channel.transmit(commands.select_by_name(SSSE_NAME))
        fci = checked("SELECT SSSE", answer).data
        try:
            if find(fci, 0x6F, 0x84) != SSSE_NAME:
                raise ProtocolError("the FCI names another application")
            algorithm = find(fci, 0x6F, 0xA5, 0x9F0C, 0x86)
            directory = find(fci, 0x6F, 0xA5, 0x88)
        except (TlvError, IndexError):
            raise ProtocolError("the FCI is not BER-TLV") from None
        # SPEC-P3 says 5 to 15; cards in the field show 30.
        self.directory_sfi = directory[0] if directory and 1 <= directory[0] <= 30 else None
        return algorithm[0] if algorithm else ALGORITHM_3DES

    def select_df(self, fid: bytes, aid: bytes = b"") -> None:
        """SELECT a DF by its two-byte FID, else by its AID; external authentications are lost."""
        self._current_ef = None
        answer = self._channel.transmit(commands.select_by_fid(fid))
        if answer.sw == commands.SW_FILE_NOT_FOUND and aid:
            answer = self._channel.transmit(commands.select_by_name(aid))
        checked("SELECT DF", answer)

    # -- reading and writing ---------------------------------------------------------------------

    def read_item(self, item: Item) -> bytes | None:
        """The item's value; None when the file or the item is absent; StatusError 6982 when the
        card wants an authentication first."""
        length = 2 + item.length
        answer = self._addressed(
            item.sfi, lambda sfi: commands.read_record_by_tag(sfi, item.tag, length)
        )
        if answer.sw in (commands.SW_FILE_NOT_FOUND, commands.SW_RECORD_NOT_FOUND):
            return None
        checked("READ RECORD", answer)
        try:
            return record_value(answer.data, item.tag)
        except TlvError as error:
            raise ProtocolError(str(error)) from None

    def read_cyclic(self, sfi: int, number: int, length: int) -> bytes | None:
        """Record `number` (1 = newest) of a cyclic file; None past its end."""
        answer = self._addressed(
            sfi, lambda sfi: commands.read_record_by_number(sfi, number, length)
        )
        if answer.sw in (commands.SW_FILE_NOT_FOUND, commands.SW_RECORD_NOT_FOUND):
            return None
        return checked("READ RECORD", answer).data

    def read_record(self, sfi: int, p1: int, mode: int, ne: int) -> ResponseApdu:
        """READ RECORD in that mode, its answer unjudged but for 6Cxx, which is asked again."""
        return self._asked(sfi, lambda chosen, ne: commands.read_record(chosen, p1, mode, ne), ne)

    def read_binary(self, sfi: int, offset: int, ne: int) -> ResponseApdu:
        """READ BINARY, unjudged.  By SFI only at offset 0; later offsets speak of the current EF,
        which a read by SFI has made current."""
        if offset and self._current_ef == sfi:
            return self._channel.transmit(commands.read_binary(0, offset, ne))
        return self._asked(sfi, lambda chosen, ne: commands.read_binary(chosen, offset, ne), ne)

    def _asked(self, sfi: int, build: Callable[[int, int], CommandApdu], ne: int) -> ResponseApdu:
        answer = self._addressed(sfi, lambda chosen: build(chosen, ne))
        if answer.sw >> 8 == 0x6C:  # T=0 has followed it already; a block protocol has not
            told = answer.sw & 0xFF or 256
            answer = self._addressed(sfi, lambda chosen: build(chosen, told))
        return answer

    def update_item(self, item: Item, value: bytes) -> None:
        """UPDATE RECORD of a whole item; value has the item's full length."""
        if len(value) != item.length:
            raise ValueError(f"{item.name} has {item.length} bytes")
        answer = self._addressed(
            item.sfi, lambda sfi: commands.update_record_by_tag(sfi, item.tag, value)
        )
        checked("UPDATE RECORD", answer)

    def append_record(self, sfi: int, record: bytes) -> None:
        """A new first record of a cyclic file; StatusError 6A82 when the card has no such file."""
        answer = self._addressed(sfi, lambda chosen: commands.append_record(chosen, record))
        checked("UPDATE RECORD", answer)

    def _addressed(self, sfi: int, build: Callable[[int], CommandApdu]) -> ResponseApdu:
        """Address a file by SFI in P2; on a card that refuses that, SELECT EF first (P1 02 or 00).

        Both forms are in the field; what worked is remembered for this card's visit.
        """
        if self._by_sfi is not False:
            answer = self._channel.transmit(build(sfi))
            if self._by_sfi or answer.sw not in commands.SW_OTHER_ADDRESSING:
                self._by_sfi = True
                if answer.sw == SW_OK:
                    self._current_ef = sfi
                return answer
        if self._current_ef != sfi:
            refused = self._select_ef(sfi)
            if refused is not None:
                return refused
        self._by_sfi = False
        return self._channel.transmit(build(0))

    def _select_ef(self, sfi: int) -> ResponseApdu | None:
        fid = bytes((0xEF, sfi))
        for p1 in (self._select_p1, 0x02 - self._select_p1):
            answer = self._channel.transmit(commands.select_by_fid(fid, p1))
            if answer.sw == SW_OK:
                self._select_p1 = p1
                self._current_ef = sfi
                return None
            if answer.sw not in commands.SW_OTHER_ADDRESSING:
                raise StatusError("SELECT EF", answer.sw)
        return ResponseApdu(b"", commands.SW_FILE_NOT_FOUND)

    # -- authentication --------------------------------------------------------------------------

    def get_challenge(self) -> bytes:
        """Eight random bytes of the card, usable once."""
        return self.sized("GET CHALLENGE", commands.get_challenge(8), 8)

    def internal_authenticate(self, process_factor: bytes, original: bytes) -> bytes:
        """What the card proves for process factor 8 and original 8: 8 bytes."""
        command = commands.internal_authenticate(process_factor, original)
        return self.sized("INTERNAL AUTHENTICATE", command, 8)

    def external_authenticate(self, key_reference: int, auth: bytes, original: bytes) -> None:
        """Proves the terminal; raises StatusError (63Cx wrong, 6983 key locked, 6A88 no key)."""
        command = commands.external_authenticate(key_reference, auth, original)
        checked("EXTERNAL AUTHENTICATE", self._channel.transmit(command))

    def verify_status(self) -> int | None:
        """Tries left, from VERIFY with Lc 00; None when the card says that no PIN is set."""
        answer = self._channel.transmit(commands.verify_status())
        return self._tries(answer, when_ok=None)

    def verify(self, pin: Pin) -> int:
        """PIN_IS_SET when the PIN is right, else the tries left (0 = locked).

        StatusError 6984 when no PIN is set.
        """
        answer = self._channel.transmit(commands.verify(pin.reveal()))
        tries = self._tries(answer, when_ok=PIN_IS_SET)
        assert tries is not None
        return tries

    def change_pin(self, old: Pin | None, new: Pin | None) -> None:
        """CHANGE PIN; old None sets one where none is set, new None removes it (not both).

        StatusError as commands.change_pin tells.  After any other fault either may hold.
        """
        before = b"" if old is None else old.reveal()
        after = b"" if new is None else new.reveal()
        checked("CHANGE PIN", self._channel.transmit(commands.change_pin(before, after)))

    def secured(self, name: str, header: bytes, data: bytes) -> None:
        """A command with a MAC; raises StatusError 6982, 6984, 6987, 6988 when it is refused."""
        checked(name, self._channel.transmit(commands.secured(header, data)))

    @staticmethod
    def _tries(answer: ResponseApdu, when_ok: int | None) -> int | None:
        if commands.is_tries_left(answer.sw):
            return answer.sw & 0x0F
        if answer.sw == commands.SW_LOCKED:
            return 0
        checked("VERIFY", answer)
        return when_ok

    def sized(self, name: str, command: CommandApdu, length: int) -> bytes:
        """Transmit; the data of a 9000 answer of exactly that length; else a fault."""
        data = checked(name, self._channel.transmit(command)).data
        if len(data) != length:
            raise ProtocolError(f"{name} answered {len(data)} bytes instead of {length}")
        return data
