"""Text of a card: GBK, as GB18030 reads it, both ways, with nothing dropped.

Bytes that stand for no character, and characters that cannot be shown, appear as `‹A1FE›`; the
same notation is read back into these bytes.
"""

from __future__ import annotations

import re

# Characters that GB18030-2000 put into the private use area and GB18030-2022 gave a code point.
# A name may hold them: shown as what they are, written as the two bytes a card's font knows.
_BYTES = (
    "A6D9 A6DA A6DB A6DC A6DD A6DE A6DF A6EC A6ED A6F3 FE51 FE52 FE53 FE59 FE61 FE66 FE67 FE6C "
    "FE6D FE76 FE7E FE90 FE91 FEA0"
)
_CHARACTERS = (
    "︐︒︑︓︔︕︖︗︘︙\U00020087\U00020089\U000200cc龴龵龶龷\U000215d7"
    "龸\U0002298f龹龺\U000241fe龻"
)
_GIVEN = dict(zip(_BYTES.split(), _CHARACTERS, strict=True))
_TO_GIVEN = str.maketrans(
    {bytes.fromhex(raw).decode("gb18030"): character for raw, character in _GIVEN.items()}
)
_TO_BYTES = {character: bytes.fromhex(raw) for raw, character in _GIVEN.items()}

_ESCAPED = re.compile("‹((?:[0-9A-F]{2})+)›")


class TextError(ValueError):
    """A text that a card cannot hold."""


def text(raw: bytes) -> str:
    """An `an` value as text; padding 00, 20 and FF on the right is stripped."""
    shown = raw.rstrip(b"\x00\x20\xff").decode("gb18030", "surrogateescape")
    return "".join(_shown(each) for each in shown.translate(_TO_GIVEN))


def _shown(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte that begins no character
        return f"‹{ord(character) & 0xFF:02X}›"
    if character != "‹" and (character.isprintable() or character == "\u3000"):
        return character
    return f"‹{character.encode('gb18030').hex().upper()}›"


def bytes_of_text(shown: str) -> bytes:
    """The bytes of a text, unpadded.  Raises TextError."""
    out, at = b"", 0
    for match in _ESCAPED.finditer(shown):
        out += _plain(shown[at : match.start()]) + bytes.fromhex(match[1])
        at = match.end()
    return out + _plain(shown[at:])


def _plain(shown: str) -> bytes:
    try:
        return b"".join(_TO_BYTES.get(each) or each.encode("gb18030") for each in shown)
    except UnicodeEncodeError:
        raise TextError("a character that no card can hold") from None
