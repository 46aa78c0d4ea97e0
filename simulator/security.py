"""PIN, authentication and blocking (SPEC-P5), secure messaging (SPEC-P9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware.apdu import CommandApdu
from simulator.chip import Refusal

if TYPE_CHECKING:
    from simulator.card import SimulatedCard

_MAC = 4
_AUTHENTICATION_VERSION = b"\x01"  # the only one whose PSAM ids are published


def _p1p2(command: CommandApdu, *legal: int) -> int:
    """P1P2 as one number; raises 6A86 unless it is one of `legal`."""
    value = command.p1 << 8 | command.p2
    if value not in legal:
        raise Refusal(0x6A86)
    return value


def get_challenge(card: SimulatedCard, command: CommandApdu) -> bytes:
    """4, 8 or 16 random bytes, usable once, in the current application."""
    _p1p2(command, 0)
    if command.data or command.ne not in (4, 8, 16):
        raise Refusal(0x6700)
    card.session.challenge = card.dice.draw(command.ne)
    return card.session.challenge


def _take_challenge(card: SimulatedCard) -> bytes:
    challenge, card.session.challenge = card.session.challenge, b""
    if not 0 < len(challenge) <= card.algorithm.block:
        raise Refusal(0x6984)
    return challenge


def _authentication_fields(card: SimulatedCard, command: CommandApdu) -> tuple[bytes, bytes]:
    """8 + 8 bytes; a key version after them must be that of the card's authentication keys."""
    if len(command.data) not in (16, 17):
        raise Refusal(0x6700)
    if command.data[16:] not in (b"", _AUTHENTICATION_VERSION):
        raise Refusal(0x6A88)
    return command.data[:8], command.data[8:16]


def internal_authenticate(card: SimulatedCard, command: CommandApdu) -> bytes:
    """Process factor 8, original 8 -> what IRK makes of them, 8 bytes."""
    _p1p2(command, 0)
    process_factor, original = _authentication_fields(card, command)
    if card.session.df == "MF":
        raise Refusal(0x6A88)
    session = card.algorithm.session_key(card.memory.keys["IRK"], process_factor)
    return card.algorithm.authentication_data(session, original)


def external_authenticate(card: SimulatedCard, command: CommandApdu) -> bytes:
    """Authentication data 8 over original 8, session key from the card's last challenge."""
    if command.p1:
        raise Refusal(0x6A86)
    proof, original = _authentication_fields(card, command)
    df = card.session.df if command.p2 & 0x80 or card.session.df == "MF" else "SSSE"
    row = card.key_at(df, command.p2)
    if row is None:
        raise Refusal(0x6A88)
    if _tries(card, row.name) == 0:
        raise Refusal(0x6983)
    key = card.memory.keys[row.name]
    session = card.algorithm.session_key(key, _take_challenge(card))
    if proof != card.algorithm.authentication_data(session, original):
        raise Refusal(0x63C0 | _lose_try(card, row.name))
    if card.memory.key_tries.pop(row.name, None) is not None:
        card.changed()
    held = card.session.keys
    if card.switches.external_auth_kept == "last":
        held.clear()
    if row.name not in held:
        held.append(row.name)
    return b""


def _tries(card: SimulatedCard, key: str) -> int:
    return card.memory.key_tries.get(key, card.memory.key_limit)


def _lose_try(card: SimulatedCard, key: str) -> int:
    """Tries left, 0..15; 0 locks the key."""
    left = _tries(card, key) - 1
    card.memory.key_tries[key] = left
    if key in card.session.keys:
        card.session.keys.remove(key)
    card.changed()
    return left


# -- PIN ------------------------------------------------------------------------------------------


def verify(card: SimulatedCard, command: CommandApdu) -> bytes:
    """The PIN, 2..8 bytes BCD; without data: how it stands."""
    _p1p2(command, 0)
    memory = card.memory
    if not command.data:
        if command.ne not in (0, 256):
            raise Refusal(0x6700)
        return _verify_status(card)
    if not 2 <= len(command.data) <= 8:
        raise Refusal(0x6700)
    if not memory.pin:
        raise Refusal(0x6984)
    _compare_pin(card, command.data)
    card.session.pin_verified = True
    return b""


def _verify_status(card: SimulatedCard) -> bytes:
    memory = card.memory
    if not memory.pin:
        return b""
    if memory.pin_tries == 0:
        raise Refusal(int(card.switches.verify_empty_locked, 16))
    if card.session.pin_verified and card.switches.verify_empty_after_ok == "9000":
        return b""
    raise Refusal(0x63C0 | memory.pin_tries)


def _compare_pin(card: SimulatedCard, pin: bytes) -> None:
    """Resets the counter, or takes a try and raises 63Cx; 6983 when none is left."""
    memory = card.memory
    if memory.pin_tries == 0:
        raise Refusal(0x6983)
    if pin != memory.pin:
        memory.pin_tries -= 1
        card.session.pin_verified = False
        card.changed()
        raise Refusal(0x63C0 | memory.pin_tries)
    if memory.pin_tries != memory.pin_limit:
        memory.pin_tries = memory.pin_limit
        card.changed()


def _is_pin(value: bytes) -> bool:
    """Packed BCD of 4..16 digits, an odd one filled with F."""
    shown = value.hex()
    digits = shown[:-1] if shown.endswith("f") else shown
    return 2 <= len(value) <= 8 and digits.isdigit()


def change_pin(card: SimulatedCard, command: CommandApdu) -> bytes:
    """Old PIN, FF, new PIN; an empty old or new part sets or removes the PIN."""
    _p1p2(command, 0x0100)
    if not 3 <= len(command.data) <= 17:
        raise Refusal(0x6700)
    old, separator, new = command.data.partition(b"\xff")
    if not separator or (new and not _is_pin(new)) or (old and not _is_pin(old)):
        raise Refusal(0x6A80)
    if old and not card.memory.pin:
        raise Refusal(0x6984)
    if card.memory.pin:
        _compare_pin(card, old)
    card.memory.pin = new
    card.changed()
    return b""


def pin_change_unblock(card: SimulatedCard, command: CommandApdu) -> bytes:
    """After PUK: P2 00 resets the counter, P2 01 sets the enciphered PIN block as well."""
    reload = _p1p2(command, 0, 1)
    if "PUK" not in card.session.keys:
        raise Refusal(0x6982)
    block = card.algorithm.block
    try:
        data, session = _unwrap(card, command, "STKSSSE")
    except Refusal as refusal:
        if refusal.sw == 0x6988:
            _lose_try(card, "PUK")
        raise
    if len(data) % block or len(data) > 2 * block or bool(data) != bool(reload):
        raise Refusal(0x6700)
    if reload:
        plain = card.algorithm.decrypt(session, data)
        pin = plain[1 : 1 + plain[0]]
        if len(pin) != plain[0] or (pin and not _is_pin(pin)):
            raise Refusal(0x6A80)
        card.memory.pin = pin
    card.memory.pin_tries = card.memory.pin_limit
    card.changed()
    return b""


# -- secure messaging and blocking ----------------------------------------------------------------


def unwrapped(card: SimulatedCard, command: CommandApdu) -> bytes:
    """The data of a command with a MAC under the STK of the current DF; raises as `_unwrap`."""
    return _unwrap(card, command, "STK" + card.session.df)[0]


def _unwrap(card: SimulatedCard, command: CommandApdu, key: str) -> tuple[bytes, bytes]:
    """(data without its MAC, session key).  The MAC ran over CLA INS P1 P2 Lc and the data.

    Raises 6987 (no MAC), 6984 (no challenge), 6A88 (no such key), 6988 (wrong MAC).
    """
    if len(command.data) < _MAC:
        raise Refusal(0x6987)
    if key not in card.memory.keys:
        raise Refusal(0x6A88)
    session = card.algorithm.session_key(card.memory.keys[key], _take_challenge(card))
    data, mac = command.data[:-_MAC], command.data[-_MAC:]
    message = command.header() + bytes((len(command.data),)) + data
    if mac != card.algorithm.mac(session, message):
        raise Refusal(0x6988)
    return data, session


def application_block(card: SimulatedCard, command: CommandApdu) -> bytes:
    """After the application's LK: this DF is locked for ever."""
    _p1p2(command, 1)
    df = card.session.df
    if "LK" + df not in card.session.keys:
        raise Refusal(0x6982)
    if unwrapped(card, command):
        raise Refusal(0x6700)
    card.memory.blocked_dfs.append(df)
    card.session.df, card.session.ef = card.root_df, None
    card.session.keys.clear()
    card.changed()
    return b""


def card_block(card: SimulatedCard, command: CommandApdu) -> bytes:
    """After BK: every command answers 6A81 from now on."""
    _p1p2(command, 0)
    if "BK" not in card.session.keys:
        raise Refusal(0x6982)
    if _unwrap(card, command, "STKSSSE")[0]:
        raise Refusal(0x6700)
    card.memory.blocked = True
    card.changed()
    return b""
