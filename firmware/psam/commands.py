"""The commands of the PSAM, and the status words each may answer (SPEC-P9).

MicroPython-clean.  Each function builds one CommandApdu; each LEGAL table says what an answer other
than 9000 means for that command.  Anything else raises StatusError in psam.session.
"""

from firmware.apdu import CommandApdu

TYPE_PURCHASE = 2
TYPE_ENCRYPT = 7
TYPE_BOTH = 8  # MAC and encryption

# Algorithm byte -> (DF name of the PSAM's environment, cipher block)   SPEC-P9
ENVIRONMENTS = {
    0x01: (bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF"), 8),
    0x02: (bytes.fromhex("7378322E73682EC9E7BBE1B1A3D5CF"), 16),
    0x03: (bytes.fromhex("7378332E73682EC9E7BBE1B1A3D5CF"), 16),
}
DF01_AID = bytes.fromhex("D15600000590")

SFI_PUBLIC_INFO = 0x15
SFI_TERMINAL_INFO = 0x16
SFI_TERMINAL_SERIAL = 0x19
SFI_NATIONAL_INFO = 0x1A
SFI_PROVINCIAL_INFO = 0x1B
SFI_CITY_INFO = 0x1C

LEGAL_DELIVER_SESSION_KEY = {
    0x6A80: "wrong number of diversification factors",
    0x6A88: "the PSAM lacks this key",
}
LEGAL_INIT_SAM_FOR_PURCHASE = {
    0x6A80: "wrong number of diversification factors",
    0x6A88: "the PSAM lacks this purchase key version",
}
LEGAL_CREDIT_SAM_FOR_PURCHASE = {
    0x63CF: "MAC2 is wrong",
    0x9302: "MAC2 is wrong",
}


def usage(key_type: int, factors: int) -> int:
    """The key usage byte: high 3 bits the number of factors, low 5 the type."""
    return factors << 5 | key_type


def select_environment(algorithm: int) -> CommandApdu:
    return CommandApdu(0x00, 0xA4, 0x04, 0x00, ENVIRONMENTS[algorithm][0], 256)


def select_df01() -> CommandApdu:
    return CommandApdu(0x00, 0xA4, 0x00, 0x00, b"\xdf\x01", 256)


def read_binary(sfi: int, length: int) -> CommandApdu:
    return CommandApdu(0x00, 0xB0, 0x80 | sfi, 0x00, b"", length)


def deliver_session_key(
    usage_byte: int, key_id: int, factors: bytes, process_factor: bytes
) -> CommandApdu:
    """BFDE: factors 8N bytes in the order card, city, province; process factor 8 or 16 bytes."""
    return CommandApdu(0xBF, 0xDE, usage_byte, key_id, factors + process_factor)


def cipher_data(block: bytes) -> CommandApdu:
    """80FA 00: encrypt whole blocks with the prepared session key (ECB)."""
    return CommandApdu(0x80, 0xFA, 0x00, 0x00, block, len(block))


def mac_data(iv: bytes, padded: bytes) -> CommandApdu:
    """80FA 05: the last block of a CBC-MAC over padded data, at most seven blocks of it."""
    return CommandApdu(0x80, 0xFA, 0x05, 0x00, iv + padded, len(iv))


def init_sam_for_purchase(
    random: bytes,
    purchase_serial: bytes,
    amounts: bytes,
    kind: bytes,
    time: bytes,
    key_version: int,
    algorithm: int,
    factors: bytes,
) -> CommandApdu:
    """8070: random 4, serial 2, amounts 12, type 1, time 7, version 1, algorithm 1, factors 8N."""
    data = random + purchase_serial + amounts + kind + time
    return CommandApdu(0x80, 0x70, 0x01, 0x00, data + bytes((key_version, algorithm)) + factors, 8)


def credit_sam_for_purchase(mac2: bytes) -> CommandApdu:
    """8072: sent once, directly after its 8070; never repeated."""
    return CommandApdu(0x80, 0x72, 0x00, 0x00, mac2)
