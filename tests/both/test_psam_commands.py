"""firmware/psam/commands.py: the bytes of each command, and what its answers may mean (SPEC-P9)."""

from firmware.psam import commands
from tests.both.expect import raises, vectors

TEMPLATES = vectors("card.json")["published"]["command_templates"]
CARD, CITY, PROVINCE = (bytes([each]) * 8 for each in (0xC1, 0xC2, 0xC3))


def filled(template, **fields):
    """`807001002C<random4>...` with each field's bytes, named without its length, in its place."""
    out = ""
    for part in template.split("<"):
        name, end, rest = part.partition(">")
        if not end:
            out += part
            continue
        value = fields.pop(name.rstrip("0123456789").replace(" ", "_"))
        out += value.hex() + rest
    assert not fields
    return bytes.fromhex(out)


def test_usage_bytes():
    # three factors of a MAC-and-encryption key, two of one that encrypts   SPEC-P9
    assert commands.usage(commands.TYPE_BOTH, 3) == 0x68
    assert commands.usage(commands.TYPE_ENCRYPT, 3) == 0x67
    assert commands.usage(commands.TYPE_BOTH, 2) == 0x48
    assert commands.usage(commands.TYPE_PURCHASE, 0) == 0x02


def test_the_environments_of_the_ciphers():
    want = {1: "7378312E", 2: "7378322E", 3: "7378332E"}
    for algorithm, (name, block) in commands.ENVIRONMENTS.items():
        assert name == bytes.fromhex(want[algorithm] + "73682EC9E7BBE1B1A3D5CF")
        assert block == (8 if algorithm == 1 else 16)
        apdu = commands.select_environment(algorithm).to_apdu()
        assert apdu == b"\x00\xa4\x04\x00\x0f" + name + b"\x00"
    assert commands.select_environment(3).to_tpdu() == bytes.fromhex(TEMPLATES["sm4_psam"][0])
    raises(KeyError, commands.select_environment, 4)


def test_select_df01_and_read():
    assert commands.select_df01().to_tpdu() == bytes.fromhex(TEMPLATES["sm4_psam"][1])
    read = commands.read_binary(commands.SFI_TERMINAL_INFO, 6)
    assert read.to_apdu() == bytes.fromhex("00B0960006")


def test_a_session_key_of_sm4_and_one_block_through_it():
    challenge, original = bytes([0xCC]) * 8, bytes([0xDD]) * 8
    usage = commands.usage(commands.TYPE_BOTH, 2)
    deliver = commands.deliver_session_key(usage, 0x12, CARD + CITY, challenge + bytes(8))
    want = filled(TEMPLATES["sm4_psam"][2], card=CARD, city=CITY, challenge=challenge)
    assert deliver.to_tpdu() == want
    cipher = commands.cipher_data(original + bytes(8))
    assert cipher.to_tpdu() == filled(TEMPLATES["sm4_psam"][3], original=original)
    assert cipher.ne == 16


def test_a_mac_in_the_psam():
    iv, padded = bytes(8), bytes(range(16))
    one = commands.mac_data(iv, padded)
    assert one.to_apdu() == b"\x80\xfa\x05\x00\x18" + iv + padded + b"\x08"


def test_a_purchase():
    fields = {
        "random": b"\xa1\xb2\xc3\xd4",
        "serial": b"\x00\x05",
        "account": b"\x00\x00\x03\xe8",
        "self": bytes(4),
        "pooled": b"\x00\x00\x07\xd0",
        "time": bytes.fromhex("20261122103045"),
    }
    amounts = fields["account"] + fields["self"] + fields["pooled"]
    arguments = (fields["random"], fields["serial"], amounts, b"\x32", fields["time"], 1, 3)
    want = filled(
        TEMPLATES["purchase"][1].replace("<serial2>", "<serial>").replace("<algorithm>", "03"),
        key_version=b"\x01",
        card=CARD,
        city=CITY,
        **fields,
    )
    one = commands.init_sam_for_purchase(*arguments, CARD + CITY)
    # With two factors Lc is 2C, with three 34.
    assert one.to_apdu() == want
    three = commands.init_sam_for_purchase(*arguments, CARD + CITY + PROVINCE)
    assert three.to_apdu()[4] == 0x34
    assert three.ne == 8


def test_credit_sam():
    mac2 = b"\x5c\xb8\x6a\xbb"
    assert commands.credit_sam_for_purchase(mac2).to_apdu() == filled(
        TEMPLATES["purchase"][3].replace("<MAC2 4>", "<mac>"), mac=mac2
    )


def test_each_legal_answer_says_what_it_means():
    for table in (
        commands.LEGAL_DELIVER_SESSION_KEY,
        commands.LEGAL_INIT_SAM_FOR_PURCHASE,
        commands.LEGAL_CREDIT_SAM_FOR_PURCHASE,
    ):
        assert table
        for sw, meaning in table.items():
            assert 0x6100 < sw <= 0xFFFF
            assert sw != 0x9000
            assert meaning
