"""The two cipher families as values: block length, cipher, and the bytes that name them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware.psam import keys
from firmware.psam.cipher import (
    DES_BLOCK,
    SM4_BLOCK,
    des_decrypt,
    des_encrypt,
    sm4_decrypt,
    sm4_encrypt,
)

ENVIRONMENT_TAIL = "sh.社会保障".encode("gbk")


@dataclass(frozen=True)
class Algorithm:
    """selector: FCI tag 86 (01 DES, 03 SM4).  bytes_accepted: the algorithm byte of 8070.

    SPEC-P6, SPEC-P9.
    """

    name: str
    selector: int
    block: int
    encrypt: Callable[[bytes, bytes], bytes]
    decrypt: Callable[[bytes, bytes], bytes]
    bytes_accepted: tuple[int, ...]

    @property
    def psam_environment(self) -> bytes:
        """DF name of the PSAM's environment: sx1.sh... or sx3.sh..., 15 bytes GBK."""
        return b"sx%d." % self.selector + ENVIRONMENT_TAIL

    def session_key(self, key: bytes, process_factor: bytes) -> bytes:
        return keys.session_key(self.encrypt, key, process_factor, self.block)

    def mac(self, session: bytes, message: bytes) -> bytes:
        return keys.mac(self.encrypt, session, message, self.block)

    def authentication_data(self, session: bytes, original: bytes) -> bytes:
        return keys.authentication_data(self.encrypt, session, original, self.block)

    def diversify(self, key: bytes, *factors: bytes) -> bytes:
        return keys.diversify_levels(self.encrypt, key, factors, self.block)


DES = Algorithm("3des", 1, DES_BLOCK, des_encrypt, des_decrypt, (0x00, 0x01))
SM4 = Algorithm("sm4", 3, SM4_BLOCK, sm4_encrypt, sm4_decrypt, (0x03,))
ALGORITHMS = {each.name: each for each in (DES, SM4)}
