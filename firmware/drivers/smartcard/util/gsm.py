"""The default alphabet of GSM 03.38 (3GPP TS 23.038, 6.2.1), without its extension table."""

# The 128 characters in order; ESC for 0x1B, which leads to the extension table.
_ALPHABET = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
CODES = {character: code for code, character in enumerate(_ALPHABET) if character != "\x1b"}
