"""firmware/psam/keys.py held against tests/vectors/card.json, with ciphers of our own.

Requirement: SPEC-P9's formulas give the same bytes for 3DES and SM4, under both interpreters.
"""

from firmware.psam import keys
from tests.both.ciphers import des_encrypt, sm4_encrypt
from tests.both.expect import raises, vectors

ALL = vectors("card.json")
COMPUTED = ALL["computed"]
PURCHASE = COMPUTED["purchase"]
LOAD = COMPUTED["load"]
FAMILIES = (("3des", des_encrypt, 8), ("sm4", sm4_encrypt, 16))

raw = bytes.fromhex


def text(value):
    return value.hex().upper()


def card_key(cipher, block, root):
    factors = [raw(COMPUTED[level + "_factor"]) for level in ("level1", "level2", "card")]
    return keys.diversify_levels(cipher, root, factors, block)


def test_the_ciphers_themselves():
    known = ALL["known_answers"]["sm4_standard"]
    assert text(sm4_encrypt(raw(known["key"]), raw(known["in"]))) == known["out"]
    # The worked example that is in every DES tutorial, and its 3DES with equal halves.
    key, plain, answer = "133457799BBCDFF1", "0123456789ABCDEF", "85E813540F0AB405"
    assert text(des_encrypt(raw(key), raw(plain))) == answer
    assert text(des_encrypt(raw(key * 2), raw(plain * 2))) == answer * 2


def test_the_factors_of_a_region():
    assert text(keys.province_factor("510100")) == COMPUTED["level1_factor"]
    assert text(keys.city_factor("510100")) == COMPUTED["level2_factor"]
    for region in ("", "51010", "5101000", "51010A"):
        raises(ValueError, keys.province_factor, region)
        raises(ValueError, keys.city_factor, region)


def test_each_level_down_to_the_card():
    for name, cipher, block in FAMILIES:
        key = raw(COMPUTED["root"])
        for level, row in (("level1", "level1"), ("level2", "level2"), ("card", "card_key")):
            key = keys.diversify(cipher, key, raw(COMPUTED[level + "_factor"]), block)
            assert text(key) == COMPUTED[name][row], (name, level)
        assert card_key(cipher, block, raw(COMPUTED["root"])) == key
        assert len(key) == 16


def test_an_eight_byte_key_stays_one():
    key, factor = raw("133457799BBCDFF1"), raw("0123456789ABCDEF")
    assert keys.diversify(des_encrypt, key, factor, 8) == des_encrypt(key, factor)


def test_a_session_and_what_it_proves():
    for name, cipher, block in FAMILIES:
        row = COMPUTED[name]
        session = keys.session_key(
            cipher, raw(row["card_key"]), raw(COMPUTED["process_factor"]), block
        )
        assert text(session) == row["session_key"]
        assert len(session) == block
        proved = keys.authentication_data(cipher, session, raw(COMPUTED["original"]), block)
        assert text(proved) == row["auth"]


def test_macs_of_secure_messaging():
    for name, cipher, block in FAMILIES:
        row = COMPUTED[name]
        session = raw(row["session_key"])
        assert (
            text(keys.mac(cipher, session, raw("841E000104"), block))
            == (row["application_block_mac"])
        )
        assert text(keys.mac(cipher, session, raw("8424000004"), block)) == row["pin_unblock_mac"]
        reload = raw(row["pin_reload_654321"])
        assert keys.mac(cipher, session, reload[:-4], block) == reload[-4:]


def test_a_purchase():
    amounts, kind = raw("".join(PURCHASE["amounts"])), raw(PURCHASE["type"])
    terminal, time = raw(PURCHASE["terminal"]), raw(PURCHASE["time"])
    serial = raw(PURCHASE["terminal_serial"])
    for name, cipher, block in FAMILIES:
        want = PURCHASE[name]
        session = keys.purchase_session_key(
            cipher,
            raw(COMPUTED[name]["card_key"]),
            raw(PURCHASE["random"]),
            raw(PURCHASE["card_serial"]),
            serial,
            block,
        )
        assert text(session) == want["sespk"]
        message = keys.mac1_message(amounts, kind, terminal, time)
        assert len(message) == 26
        assert text(keys.mac(cipher, session, message, block)) == want["mac1"]
        assert text(keys.mac(cipher, session, amounts, block)) == want["mac2"]
        dtk = card_key(cipher, block, raw(PURCHASE["dtk_root"]))
        assert text(dtk) == want["dtk_card"]
        tac_key = keys.tac_key(dtk, block)
        assert text(tac_key) == want.get("tac_key", want["dtk_card"])
        message = keys.tac_message(amounts, kind, terminal, serial, time)
        assert text(keys.mac(cipher, tac_key, message, block)) == want["tac"]


def test_a_load():
    balance, amount, kind = raw(LOAD["balance"]), raw(LOAD["amount"]), raw(LOAD["type"])
    terminal, time = raw(PURCHASE["terminal"]), raw(PURCHASE["time"])
    serial = raw(LOAD["load_serial"])
    for name, cipher, block in FAMILIES:
        want = LOAD[name]
        session = keys.load_session_key(
            cipher, raw(COMPUTED[name]["card_key"]), raw(PURCHASE["random"]), serial, block
        )
        assert text(session) == want["seslk"]
        message = keys.load_mac1_message(balance, amount, kind, terminal)
        assert text(keys.mac(cipher, session, message, block)) == want["mac1"]
        message = keys.load_mac2_message(amount, kind, terminal, time)
        assert text(keys.mac(cipher, session, message, block)) == want["mac2"]
        tac_key = keys.tac_key(raw(PURCHASE[name]["dtk_card"]), block)
        message = keys.load_tac_message(balance, serial, amount, kind, terminal, time)
        assert text(keys.mac(cipher, tac_key, message, block)) == want["tac"]


def test_padding_is_method_2():
    for message, block, padded in (
        ("", 8, "8000000000000000"),
        ("01", 8, "0180000000000000"),
        ("01020304050607", 8, "0102030405060780"),
        ("0102030405060708", 8, "01020304050607088000000000000000"),
        ("", 16, "80" + "00" * 15),
        ("01" * 16, 16, "01" * 16 + "80" + "00" * 15),
    ):
        assert text(keys.pad(raw(message), block)) == padded


def test_a_mac_chains_over_blocks():
    key, iv = raw("133457799BBCDFF1"), raw("1122334455667788")
    one, two = raw("0001020304050607"), raw("08090A0B0C0D0E0F")
    first = des_encrypt(key, bytes([a ^ b for a, b in zip(one, iv)]))
    both = des_encrypt(key, bytes([a ^ b for a, b in zip(two, first)]))
    assert keys.cbc_mac_block(des_encrypt, key, one + two, iv, 8) == both
    assert keys.fold_mac(both) == both[:4]
    assert keys.fold_mac(raw("01020304" + "10203040" + "01010101" + "80808080")) == raw("90A3B2C5")


def test_what_has_another_length_is_refused():
    session = raw("133457799BBCDFF1")
    key = raw(COMPUTED["root"])
    raises(ValueError, keys.diversify, des_encrypt, key, bytes(7), 8)
    raises(ValueError, keys.session_key, des_encrypt, key, b"", 8)
    raises(ValueError, keys.session_key, des_encrypt, key, bytes(9), 8)
    raises(ValueError, keys.session_key, sm4_encrypt, key, bytes(17), 16)
    raises(ValueError, keys.authentication_data, des_encrypt, session, bytes(7), 8)
    raises(ValueError, keys.cbc_mac_block, des_encrypt, session, b"", bytes(8), 8)
    raises(ValueError, keys.cbc_mac_block, des_encrypt, session, bytes(9), bytes(8), 8)
