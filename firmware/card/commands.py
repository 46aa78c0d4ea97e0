"""The card's commands, and the status words each may answer besides 9000 (SPEC-P5, SPEC-P7).

What a status word means for that command stands beside it; any other one raises StatusError.
"""

from __future__ import annotations

from firmware.apdu import SW_OK, CommandApdu, ResponseApdu
from firmware.outcome import StatusError

TYPE_LOAD = 0x31
TYPE_SETTLEMENT = 0x32

SW_CARD_BLOCKED = 0x6A81
SW_FILE_NOT_FOUND = 0x6A82
SW_RECORD_NOT_FOUND = 0x6A83
SW_SECURITY_STATUS = 0x6982
SW_LOCKED = 0x6983
SW_NO_REFERENCE = 0x6984
SW_APPLICATION_LOCKED = 0x9303
SW_INSUFFICIENT_FUNDS = 0x9401
SW_COUNTER_FULL = 0x9402
SW_NO_PROOF = 0x9406

# Modes of READ RECORD: the low three bits of P2 (ISO 7816-4 7.3.3)
READ_FIRST = 0  # the first record with identifier P1
READ_NEXT = 2  # the next record with identifier P1
READ_NUMBER = 4  # record number P1
READ_TO_LAST = 5  # whole records from number P1 to the last

# Answers of READ RECORD and SELECT EF that say "address this file another way".
SW_OTHER_ADDRESSING = (0x6981, 0x6986, 0x6A81, SW_FILE_NOT_FOUND, 0x6A86, 0x6B00)


def checked(name: str, answer: ResponseApdu, legal: tuple[int, ...] = ()) -> ResponseApdu:
    """The answer itself when its SW is 9000 or legal for that command; raises StatusError."""
    if answer.sw == SW_OK or answer.sw in legal:
        return answer
    raise StatusError(name, answer.sw)


def is_tries_left(sw: int) -> bool:
    """63Cx: the authentication failed, x tries are left."""
    return sw & 0xFFF0 == 0x63C0


def select_by_name(name: bytes) -> CommandApdu:
    return CommandApdu(0x00, 0xA4, 0x04, 0x00, name, 256)


def select_by_fid(fid: bytes, p1: int = 0x00) -> CommandApdu:
    """P1 00 = MF or DF, 02 = EF below the current DF."""
    return CommandApdu(0x00, 0xA4, p1, 0x00, fid, 256)


def read_record_by_tag(sfi: int, tag: int, length: int) -> CommandApdu:
    """First record with that identifier; sfi 0 = the current EF; length counts tag and length."""
    return CommandApdu(0x00, 0xB2, tag, sfi << 3, b"", length)


def read_record_by_number(sfi: int, number: int, length: int) -> CommandApdu:
    return CommandApdu(0x00, 0xB2, number, sfi << 3 | 0x04, b"", length)


def read_record(sfi: int, p1: int, mode: int, ne: int) -> CommandApdu:
    """mode: one of the READ_ modes; ne 256 = as many bytes as there are."""
    return CommandApdu(0x00, 0xB2, p1, sfi << 3 | mode, b"", ne)


def read_binary(sfi: int, offset: int, ne: int) -> CommandApdu:
    """sfi 0 = the current EF, offset 0..32767; with an sfi the offset is 0..255."""
    if sfi:
        return CommandApdu(0x00, 0xB0, 0x80 | sfi, offset, b"", ne)
    return CommandApdu(0x00, 0xB0, offset >> 8, offset & 0xFF, b"", ne)


def update_record_by_tag(sfi: int, tag: int, value: bytes) -> CommandApdu:
    return CommandApdu(0x00, 0xDC, tag, sfi << 3, bytes((tag, len(value))) + value)


def append_record(sfi: int, record: bytes) -> CommandApdu:
    """A new record of a cyclic file: P2 mode 011, "previous", with no identifier (SPEC-P5)."""
    return CommandApdu(0x00, 0xDC, 0x00, sfi << 3 | 0x03, record)


def get_challenge(length: int) -> CommandApdu:
    return CommandApdu(0x00, 0x84, 0x00, 0x00, b"", length)


def internal_authenticate(process_factor: bytes, original: bytes) -> CommandApdu:
    return CommandApdu(0x00, 0x88, 0x00, 0x00, process_factor + original, 8)


def external_authenticate(key_reference: int, auth: bytes, original: bytes) -> CommandApdu:
    return CommandApdu(0x00, 0x82, 0x00, key_reference, auth + original)


def verify_status() -> CommandApdu:
    """VERIFY with Lc 00: 9000 = no PIN set, 63Cx = set with x tries left; counts nothing."""
    return CommandApdu(0x00, 0x20, 0x00, 0x00)


def verify(pin: bytes) -> CommandApdu:
    return CommandApdu(0x00, 0x20, 0x00, 0x00, pin)


def change_pin(old: bytes, new: bytes) -> CommandApdu:
    """CHANGE PIN, both parts as VERIFY takes them: no old one sets a PIN, no new one removes it.

    63Cx = the old one is wrong, 6983 = locked, 6984 = none is set; the counter is reset (SPEC-P5).
    """
    return CommandApdu(0x80, 0x5E, 0x01, 0x00, old + b"\xff" + new)


# Headers of the commands that carry a MAC (SPEC-P5).
PIN_UNBLOCK = bytes.fromhex("84240000")
PIN_RELOAD = bytes.fromhex("84240001")
APPLICATION_BLOCK = bytes.fromhex("841E0001")
CARD_BLOCK = bytes.fromhex("84160000")


def secured(header: bytes, data: bytes) -> CommandApdu:
    """header: CLA INS P1 P2; data: as psam.session.secure_message made it, MAC included."""
    return CommandApdu(header[0], header[1], header[2], header[3], data)


def pin_block(pin: bytes, block: int) -> bytes:
    """Length byte, PIN cn, then 80 00... to whole blocks; none when they are full (SPEC-P5)."""
    plain = bytes((len(pin),)) + pin
    if len(plain) % block:
        plain += b"\x80"
    return plain + bytes(-len(plain) % block)


def is_state_unknown(sw: int) -> bool:
    """The card may have executed it all the same: 64xx, 65xx, 6Fxx (ISO 7816-4 5.6)."""
    return sw >> 8 in (0x64, 0x65, 0x6F)


def initialize_for_purchase(key_index: int, amounts: bytes, terminal: bytes) -> CommandApdu:
    data = bytes((key_index,)) + amounts + terminal
    return CommandApdu(0xB0, 0x28, 0x01, 0x01, data, 0x16)


def debit_for_purchase(terminal_serial: bytes, time7: bytes, mac1: bytes) -> CommandApdu:
    return CommandApdu(0xB0, 0x2C, 0x01, 0x00, terminal_serial + time7 + mac1, 8)


def initialize_for_load(key_index: int, amount: bytes, terminal: bytes) -> CommandApdu:
    return CommandApdu(0xB0, 0x28, 0x00, 0x01, bytes((key_index,)) + amount + terminal, 0x10)


def credit_for_load(time7: bytes, mac2: bytes) -> CommandApdu:
    return CommandApdu(0xB0, 0x2A, 0x00, 0x00, time7 + mac2, 4)


def get_balance(which: int) -> CommandApdu:
    """which: 1 account (4 bytes), 2 yearly self-pay, 3 yearly pooled (4 bytes and the year)."""
    return CommandApdu(0xB0, 0x26, 0x00, which, b"", 4 if which == 1 else 6)


def get_transaction_proof(kind: int, serial: int) -> CommandApdu:
    return CommandApdu(0xB0, 0x2E, 0x00, kind, serial.to_bytes(2, "big"), 8)
