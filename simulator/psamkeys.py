"""The PSAM's session keys: DELIVERY SESSION KEY and CIPHER DATA (SPEC-P9)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from firmware.apdu import CommandApdu
from firmware.psam import keys as formulas
from simulator.chip import Refusal

if TYPE_CHECKING:
    from simulator.psam import SimulatedPsam

_MAC_TYPES, _ENCRYPT_TYPES = (6, 8), (7, 8)
_MOST_BLOCKS = 8
_ENCRYPT_MORE = 0x02
_MAC_ONLY, _MAC_FIRST, _MAC_NEXT, _MAC_LAST = 0x05, 0x07, 0x03, 0x01


@dataclass
class SessionKey:
    """kind: "encrypt" or "mac" once used.  chain: the running MAC block, None outside a chain."""

    type: int
    key: bytes = field(repr=False)
    kind: str | None = None
    chain: bytes | None = None


def key_name(key_type: int, key_id: int) -> str:
    """How a PSAM files a key: type and id."""
    return f"{key_type:02X}-{key_id:02X}"


def deliver_session_key(psam: SimulatedPsam, command: CommandApdu) -> bytes:
    """BFDE: P1 usage, P2 key id, factors 8N, process factor of one block."""
    psam.session = None
    if psam.df != "DF01":
        raise Refusal(0x6985)
    key_type, count = command.p1 & 0x1F, command.p1 >> 5
    name = key_name(key_type, command.p2)
    held = psam.environment.keys.get(name)
    if held is None:
        raise Refusal(0x6A88)
    if count != held.factors or len(command.data) != 8 * count + psam.algorithm.block:
        raise Refusal(0x6A80)
    factors, process_factor = command.data[: 8 * count], command.data[8 * count :]
    key = psam.derived(name, held, factors)
    psam.session = SessionKey(key_type, psam.algorithm.session_key(key, process_factor))
    return b""


def cipher_data(psam: SimulatedPsam, command: CommandApdu) -> bytes:
    """80FA: encrypt whole blocks (P1 00, 02) or run a CBC-MAC (05; 07, 03, 01)."""
    session, block, data = psam.session, psam.algorithm.block, command.data
    if session is None:
        raise Refusal(0x6985)
    if not data or len(data) % block or len(data) > _MOST_BLOCKS * block:
        raise Refusal(0x6700)
    if command.p2:
        raise Refusal(0x6A86)
    if command.p1 in (0x00, _ENCRYPT_MORE):
        _use(psam, session, "encrypt", _ENCRYPT_TYPES)
        return psam.algorithm.encrypt(session.key, data)
    if command.p1 not in (_MAC_ONLY, _MAC_FIRST, _MAC_NEXT, _MAC_LAST):
        raise Refusal(0x6A86)
    _use(psam, session, "mac", _MAC_TYPES)
    return _chain(psam, session, command.p1, data)


def _use(psam: SimulatedPsam, session: SessionKey, kind: str, types: tuple[int, ...]) -> None:
    changes = session.kind not in (None, kind)
    strict = psam.switches.session_key_kinds == "one"
    if session.type not in types or (changes and (strict or session.chain is not None)):
        psam.session = None
        raise Refusal(0x6985)
    session.kind = kind


def _chain(psam: SimulatedPsam, session: SessionKey, p1: int, data: bytes) -> bytes:
    block = psam.algorithm.block
    opens = p1 in (_MAC_ONLY, _MAC_FIRST)
    if opens == (session.chain is not None):
        psam.session = None
        raise Refusal(0x6985)
    iv, text = (data[:block], data[block:]) if opens else (session.chain or b"", data)
    if p1 == _MAC_ONLY and not text:
        raise Refusal(0x6700)
    out = iv
    if text:
        out = formulas.cbc_mac_block(psam.algorithm.encrypt, session.key, text, iv, block)
    if p1 in (_MAC_FIRST, _MAC_NEXT):
        session.chain = out
        return b""
    session.chain = None
    return out
