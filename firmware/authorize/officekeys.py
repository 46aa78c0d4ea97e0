"""The office's keys: board.toml names the first, each `officekey` file names the next.

Body of the file: {1: new signing key, 2: X25519 key for HPKE, 3: the officekey message before it,
4: true when the office begins a new tree}; 3 and 4 may be left out.  A message is signed by the key
before its own, so the chain leads from board.toml's key to the newest one without gaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from firmware.journal import cose
from firmware.journal.signedfile import (
    OFFICEKEY,
    SignedFile,
    claimed_file,
    signed_file,
)

MAX_CHAIN = 32  # rotations; a file of more is refused
_SIGNING, _SEALING, _BEFORE, _NEW_TREE = 1, 2, 3, 4
_SIGNING_LENGTHS = (32, 65)  # Ed25519 raw; P-256 uncompressed
_SEALING_LENGTH = 32


@dataclass(frozen=True, slots=True)
class OfficeKeys:
    """number: of the file, 0 for board.toml's own.  chain: signing keys, the newest last, none
    where board.toml names none.  sealing: X25519, raw, what personal fields are sealed to."""

    number: int = 0
    chain: tuple[bytes, ...] = ()
    sealing: bytes | None = None
    is_new_tree: bool = False

    @property
    def signing(self) -> bytes | None:
        """The one key whose signature counts on what arrives now."""
        return self.chain[-1] if self.chain else None


def follow(first: bytes, newest: SignedFile) -> tuple[OfficeKeys, bool]:
    """The keys that `newest` leads to from the key `first`, and whether a key on that way signed
    it; raises ValueError.

    A unit whose board.toml was written after some rotations begins the walk at its own key.  Where
    that is the newest already, its message is signed by an older key: nothing proves it here.
    """
    chain, is_proven = [first], False
    for raw in _messages(newest.raw):
        is_proven = cose.peek1(raw).key_id == cose.key_id(chain[-1])
        if is_proven:
            chain.append(_body(signed_file(raw, chain[-1]))[_SIGNING])
    last = _body(newest)
    if chain[-1] != last[_SIGNING] or (len(chain) > 1 and not is_proven):
        raise ValueError("it does not lead on from the key in board.toml")
    keys = OfficeKeys(newest.number, tuple(chain), last[_SEALING], last.get(_NEW_TREE, False))
    return keys, is_proven


def _messages(raw: bytes) -> list[bytes]:
    """The message and those before it, oldest first, their numbers ascending."""
    found: list[bytes] = []
    below: int | None = None
    at: bytes | None = raw
    while at is not None:
        if len(found) >= MAX_CHAIN:
            raise ValueError(f"more than {MAX_CHAIN} keys in a row")
        each = claimed_file(at)
        if each.what != OFFICEKEY or (below is not None and each.number >= below):
            raise ValueError("the message before it is no older officekey")
        found.append(at)
        below, at = each.number, _body(each).get(_BEFORE)
    return found[::-1]


def _body(signed: SignedFile) -> dict[int, Any]:
    match signed.body:
        case {1: bytes() as signing, 2: bytes() as sealing} if (
            len(signing) in _SIGNING_LENGTHS and len(sealing) == _SEALING_LENGTH
        ):
            body: dict[int, Any] = signed.body
            if (
                isinstance(body.get(_BEFORE, b""), bytes)
                and type(body.get(_NEW_TREE, False)) is bool
            ):
                return body
    raise ValueError("an officekey is a map of two keys, the message before and a flag")
