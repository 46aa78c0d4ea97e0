"""DES, 3DES and SM4 in plain Python, for psam/keys where no package has them (MicroPython).

Slow, and only for test keys.  Sources: FIPS 46-3; GB/T 32907-2016.  Held against the package
`cryptography` by tests/test_plain_ciphers.py, against published vectors by test_psam_keys.py.
"""

# fmt: off
_IP = (
    58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4,
    62, 54, 46, 38, 30, 22, 14, 6, 64, 56, 48, 40, 32, 24, 16, 8,
    57, 49, 41, 33, 25, 17, 9, 1, 59, 51, 43, 35, 27, 19, 11, 3,
    61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31, 23, 15, 7,
)
_EXPAND = (
    32, 1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 9, 8, 9, 10, 11, 12, 13, 12, 13, 14, 15, 16, 17,
    16, 17, 18, 19, 20, 21, 20, 21, 22, 23, 24, 25, 24, 25, 26, 27, 28, 29, 28, 29, 30, 31, 32, 1,
)
_P = (
    16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10,
    2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
)
_PC1 = (
    57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3,
    60, 52, 44, 36, 63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37,
    29, 21, 13, 5, 28, 20, 12, 4,
)
_PC2 = (
    14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
    41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
)
_SHIFTS = (1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1)
# Each box: four rows of sixteen, one hex digit each.
_BOXES = (
    "E4D12FB83A6C59070F74E2D1A6CB953841E8D62BFC973A50FC8249175B3EA06D",
    "F18E6B34972DC05A3D47F28EC01A69B50E7BA4D158C6932FD8A13F42B67C05E9",
    "A09E63F51DC7B428D709346A285ECBF1D6498F30B12C5AE71AD069874FE3B52C",
    "7DE3069A1285BC4FD8B56F03472C1AE9A690CB7DF13E52843F06A1D8945BC72E",
    "2C417AB6853FD0E9EB2C47D150FA3986421BAD78F9C5630EB8C71E2D6F09A453",
    "C1AF92680D34E75BAF427C9561DE0B389EF528C3704A1DB6432C95FABE17608D",
    "4B2EF08D3C975A61D0B7491AE35C2F8614BDC37EAF6805926BD814A7950FE23C",
    "D2846FB1A93E50C71FD8A374C56B0E927B419CE206ADF35821E74A8DFC90356B",
)
# fmt: on
_FINAL = tuple([_IP.index(at + 1) + 1 for at in range(64)])
_SM4_BOX = bytes.fromhex(
    "D690E9FECCE13DB716B614C228FB2C052B679A762ABE04C3AA441326498606999C4250F491EF987A33540B43"
    "EDCFAC62E4B31CA9C908E89580DF94FA758F3FA64707A7FCF37317BA83593C19E6854FA8686B81B27164DA8B"
    "F8EB0F4B70569D351E240E5E6358D1A225227C3B01217887D40046579FD327524C3602E7A0C4C89EEABF8AD2"
    "40C738B5A3F7F2CEF96115A1E0AE5DA49B341A55AD933230F58CB1E31DF6E22E8266CA60C02923AB0D534E6F"
    "D5DB3745DEFD8E2F03FF6A726D6C5B518D1BAF92BBDDBC7F11D95C411F105AD80AC13188A5CD7BBD2D74D012"
    "B8E5B4B08969974A0C96777E65B9F109C56EC68418F07DEC3ADC4D2079EE5F3ED7CB3948"
)
_SM4_FK = (0xA3B1BAC6, 0x56AA3350, 0x677D9197, 0xB27022DC)


def _permute(value, width, table):
    """The bits of `value` (`width` bits, numbered from 1 at the left) in the order of the table."""
    out = 0
    for place in table:
        out = out << 1 | (value >> (width - place) & 1)
    return out


def _round_keys(key):
    state = _permute(int.from_bytes(key, "big"), 64, _PC1)
    left, right = state >> 28, state & 0xFFFFFFF
    keys = []
    for shift in _SHIFTS:
        left = (left << shift | left >> (28 - shift)) & 0xFFFFFFF
        right = (right << shift | right >> (28 - shift)) & 0xFFFFFFF
        keys.append(_permute(left << 28 | right, 56, _PC2))
    return keys


def _feistel(right, key):
    mixed = _permute(right, 32, _EXPAND) ^ key
    out = 0
    for at, box in enumerate(_BOXES):
        six = mixed >> (42 - 6 * at) & 0x3F
        out = out << 4 | int(box[(six >> 5 << 1 | six & 1) << 4 | six >> 1 & 0xF], 16)
    return _permute(out, 32, _P)


def _des_block(block, keys):
    state = _permute(int.from_bytes(block, "big"), 64, _IP)
    left, right = state >> 32, state & 0xFFFFFFFF
    for key in keys:
        left, right = right, left ^ _feistel(right, key)
    return _permute(right << 32 | left, 64, _FINAL).to_bytes(8, "big")


def des_encrypt(key, blocks):
    """ECB over whole 8-byte blocks: 3DES (K1 K2 K1) for a 16-byte key, DES for an 8-byte one."""
    first = _round_keys(key[:8])
    second = list(reversed(_round_keys(key[-8:])))
    out = b""
    for at in range(0, len(blocks), 8):
        block = _des_block(blocks[at : at + 8], first)
        if len(key) == 16:
            block = _des_block(_des_block(block, second), first)
        out += block
    return out


def _turn(word, count):
    return (word << count | word >> (32 - count)) & 0xFFFFFFFF


def _substitute(word):
    return int.from_bytes(bytes([_SM4_BOX[each] for each in word.to_bytes(4, "big")]), "big")


def _words(raw):
    return [int.from_bytes(raw[at : at + 4], "big") for at in range(0, 16, 4)]


def _sm4_keys(key):
    words = [word ^ fixed for word, fixed in zip(_words(key), _SM4_FK)]
    for at in range(32):
        constant = 0
        for each in range(4):
            constant = constant << 8 | (4 * at + each) * 7 & 0xFF
        mixed = _substitute(words[-3] ^ words[-2] ^ words[-1] ^ constant)
        words.append(words[-4] ^ mixed ^ _turn(mixed, 13) ^ _turn(mixed, 23))
    return words[4:]


def sm4_encrypt(key, blocks):
    """ECB over whole 16-byte blocks with a 16-byte key."""
    keys = _sm4_keys(key)
    out = b""
    for at in range(0, len(blocks), 16):
        words = _words(blocks[at : at + 16])
        for each in keys:
            mixed = _substitute(words[-3] ^ words[-2] ^ words[-1] ^ each)
            spread = (
                mixed ^ _turn(mixed, 2) ^ _turn(mixed, 10) ^ _turn(mixed, 18) ^ _turn(mixed, 24)
            )
            words.append(words[-4] ^ spread)
        for word in reversed(words[-4:]):
            out += word.to_bytes(4, "big")
    return out
