"""Issue, section 12: every file of the card is there, filled, and guarded (V2.0; M7, M13).

What V2.0 says of each file stands here once more, in decimal lengths, so that one slip of the pen
in the simulator's own table shows.
"""

import json

import pytest
from simulated_talk import PIN_OK, allow, authenticate, data, enter, in_df04, read_all, send

from simulator.files import where
from simulator.keytable import KEYS
from simulator.region import Region

# Place: how it is read (F free, K its read key, P PIN, "P|K", "P+K"), read key, write key, items.
TAGGED = {
    "SSSE/05": ("F", "", "UKSSSE", "01:16 02:1 03:4 04:12 05:4 06:4 07:9"),
    "SSSE/06": ("K", "RKSSSE", "UKSSSE", "08:18 09:30 4E:20 0A:1 0B:1 0C:3 0D:4"),
    "DF01/05": ("P|K", "RK1DF01", "UK1DF01", "20:2 21:80 0E:3"),
    "DF01/06": ("P|K", "RK1DF01", "UK4DF01", "23:80 24:3 28:15 2C:50 2D:15"),
    "DF01/07": ("P|K", "RK1DF01", "UK2DF01", "29:1"),
    "DF01/08": ("P|K", "RK1DF01", "UK3DF01", "2B:1"),
    "DF01/09": ("P|K", "RK1DF01", "UK2DF01", "2E:70 30:9 32:2"),
    "DF01/0A": ("P|K", "RK1DF01", "UK5DF01", "37:3 38:2 39:4"),
    "DF01/15": ("P|K", "RK1DF01", "UK6DF01", "2A:1 40:52 40:52 40:52"),
    "DF02/05": ("P|K", "RK1DF02", "UK1DF02", "42:3 41:3 43:108 43:108 44:101 44:101"),
    "DF02/06": ("P|K", "RK1DF02", "UK2DF02", "4C:4 4B:5 4D:3 60:4 4F:6 50:3 3A:7"),
    "DF02/09": ("P|K", "RK1DF02", "UK4DF02", "55:16 56:70 96:4 97:3"),
    "DF02/15": ("P|K", "RK1DF02", "UK5DF02", "99:16 99:16 99:16 99:16 0F:4 1F:3"),
    "DF03/05": ("P|K", "RK2DF03", "UK1DF03", "61:3 60:4 98:4 62:4 63:3 64:3 65:3 66:3"),
    "DF03/06": (
        "P|K", "RK1DF03", "UK2DF03",
        "45:20 46:2 47:2 48:1 49:1 67:4 6B:60 4A:97 4A:97 4A:97",
    ),
    "DF03/07": ("P|K", "RK1DF03", "UK3DF03", "70:3 71:3 6E:4 6C:4 6F:4 73:4"),
    "DF03/15": ("P|K", "RK1DF03", "UK4DF03", "7A:3 7B:4 7C:4"),
    "DF03/16": ("P|K", "RK1DF03", "UK5DF03", "51:3 5F:1"),
    "DF03/17": ("P|K", "RK1DF03", "UK6DF03", "3B:20 3C:70 3D:1 3E:4 3F:60"),
    "DF03/18": ("P|K", "RK1DF03", "UK7DF03", "74:3 75:3 76:1 77:4 78:4"),
    "DF03/19": ("P|K", "RK1DF03", "UK8DF03", "79:39 79:39 79:39 79:39"),
    "DF04/05": (
        "P|K", "RK1DF04", "UK1DF04",
        "81:8 84:3 87:17 8C:1 80:4 8B:29 8A:15 83:9 86:9 89:9 7D:9 7E:9 7F:9 8D:9 8E:9 8F:1",
    ),
    "DF04/06": ("P+K", "RK1DF04", "UK2DF04", "90:1 92:4 93:2"),
    "DF07/05": ("K", "RK1DF07", "UK1DF07", "F0:2 F1:1 F2:4 F3:3 F4:4"),
    "DF07/06": ("K", "RK2DF07", "UK2DF07", "F5:3 F6:4 F7:70"),
    "DF07/07": ("K", "RK3DF07", "UK3DF07", "F8:4 F9:1"),
    "DF05/05": (
        "F", "", "UK1DF05",
        "A0:1 A1:1 B9:1 A2:4 A9:1 A3:24 A3:24 A3:24 A3:24 A3:24 A4:23 A4:23 A4:23 A4:23 A4:23"
        " BA:20 BB:100 AA:20 AB:4 AC:1 AD:1 AE:1 AF:1 B0:1 B1:1 B2:1 B3:1 B4:1 B5:1 B6:1 B7:1"
        " BC:1 B8:40",
    ),
}  # fmt: skip

# Place: read, read key, write key, bytes of a record, records kept.
CYCLIC = {
    "DF02/07": ("P|K", "RK1DF02", "UK3DF02", 85, 4),
    "DF02/16": ("P|K", "RK1DF02", "UK6DF02", 18, 4),
    "DF04/15": ("P|K", "RK1DF04", "UK2DF04", 3, 8),
}

# Place: read, read key, write key, bytes.
TRANSPARENT = {
    "SSSE/07": ("K", "RKSSSE", "UKSSSE", 768),
    "SSSE/08": ("K", "RKSSSE", "UKSSSE", 4096),
    "DF01/16": ("F", "", "UK7DF01", 296),
    "DF01/17": ("F", "", "UK8DF01", 296),
    "DF01/18": ("F", "", "UK9DF01", 296),
    "DF01/19": ("F", "", "UKADF01", 296),
    "DF01/1A": ("F", "", "UKBDF01", 296),
}

RULES = {**TAGGED, **CYCLIC, **TRANSPARENT}
OPTIONAL = ("DF05", "DF06")


@pytest.fixture(scope="module")
def region():
    return Region(algorithm="both")


@pytest.fixture(scope="module")
def full_3_0(region):
    """Shared by the tests that only read."""
    return region.issue_card(
        1,
        generation="3.0",
        full=True,
        optional=OPTIONAL,
        purchase_serial=4,
        offline_total_fen=12_300,
        offline_count=3,
        label="full",
    )


def touch(card, place: str) -> str:
    """The status word of reading the first bytes."""
    sfi = where(place)[1]
    if place in TRANSPARENT:
        return send(card, f"00B0{0x80 | sfi:02X}0001")[-4:]
    answer = send(card, f"00B201{sfi << 3 | 4:02X}00")
    return "9000" if answer.startswith("6C") else answer


# -- what is there --------------------------------------------------------------------------------


@pytest.mark.parametrize("place", TAGGED)
def test_every_item_is_there_at_its_length_and_filled(region, full_3_0, place):
    card = full_3_0
    df, sfi = where(place)
    enter(card, df)
    _, key, _, items = TAGGED[place]
    allow(card, region, key)
    if place == "DF04/06":
        allow(card, region, "P")
    records = read_all(card, sfi)
    assert [f"{each[:2]}:{int(each[2:4], 16)}" for each in records] == items.split()
    for record in records:
        tag, value = record[:2], bytes.fromhex(record[4:])
        assert len(value) == int(record[2:4], 16)
        if tag not in ("4E",):  # nobody's name here is that long
            assert value.strip(b"\x00\xff"), f"{place} tag {tag} is empty"


@pytest.mark.parametrize("place", CYCLIC)
def test_every_cyclic_file_is_filled(region, full_3_0, place):
    _, _, _, size, _ = CYCLIC[place]
    df, sfi = where(place)
    enter(full_3_0, df)
    allow(full_3_0, region, "P")
    records = read_all(full_3_0, sfi)
    assert len(records) >= 2
    assert {len(each) // 2 for each in records} == {size}


def test_the_log_of_a_full_card_ends_before_its_next_serial(full_3_0):
    enter(full_3_0, "DF04")
    data(full_3_0, PIN_OK)
    assert [each[:4] for each in read_all(full_3_0, 0x08)] == ["0003", "0002", "0001"]


@pytest.mark.parametrize("place", TRANSPARENT)
def test_every_transparent_file_is_read_to_its_end(region, full_3_0, place):
    df, sfi = where(place)
    _, key, _, size = TRANSPARENT[place]
    enter(full_3_0, df)
    allow(full_3_0, region, key)
    data(full_3_0, f"00A4020002EF{sfi:02X}")
    out = ""
    while True:
        at = len(out) // 2
        answer = send(full_3_0, f"00B0{at:04X}00")
        if answer == "6B00":
            break
        if answer.startswith("6C"):
            answer = send(full_3_0, f"00B0{at:04X}{answer[2:]}")
        assert answer.endswith("9000")
        out += answer[:-4]
    assert len(out) == 2 * size
    assert out.strip("F")
    assert send(full_3_0, f"00B2{1:02X}0400") == "6981"  # it has no records


def test_df06_is_selected_by_its_fid_and_read_with_its_key(region, full_3_0):
    enter(full_3_0, "DF06")
    assert touch(full_3_0, "DF06/05") == "6982"
    allow(full_3_0, region, "RK1DF06")
    assert [each[:2] for each in read_all(full_3_0, 5)] == ["C0", "C2", "C3", "C4", "C5"]
    tags = [f"{tag:02X}" for tag in range(0xC6, 0xE3)]
    assert [each[:2] for each in read_all(full_3_0, 6)] == tags


def test_b_tlv_items_are_runs_of_their_parts(region, full_3_0):
    enter(full_3_0, "DF01")
    data(full_3_0, PIN_OK)
    first = data(full_3_0, "00B240A836")
    assert first.startswith("4034" + "5703" + b"401".hex() + "5803080201" + "5928")
    second = data(full_3_0, "00B240AA36")  # the next occurrence
    third = data(full_3_0, "00B240AA36")
    assert len({first, second, third}) == 3
    assert send(full_3_0, "00B240AA36") == "6A83"
    enter(full_3_0, "DF03")
    data(full_3_0, PIN_OK)
    proof = data(full_3_0, "00B279C829")
    assert proof.startswith("7927" + "1803" + b"110".hex() + "1903510100" + "1A0420140801")


def test_work_history_is_a_run_of_fields_without_tags(full_3_0):
    enter(full_3_0, "DF02")
    data(full_3_0, PIN_OK)
    newest = data(full_3_0, "00B2013C55")
    assert newest.startswith(b"6180101".hex() + "2014080120251231")


@pytest.mark.parametrize("generation", ["1.0", "2.0", "3.0"])
def test_generations_have_what_their_version_has(region, generation):
    card = region.issue_card(2, generation=generation, label=f"gen {generation}", full=True)
    later = {"DF01/0A", "DF04/06", "DF04/15", "SSSE/08"}
    for place in RULES:
        df, sfi = where(place)
        enter(card, "SSSE")
        if df in OPTIONAL or (df == "DF07" and generation == "1.0"):
            assert send(card, f"00A4000002{df}") == "6A82"
            continue
        enter(card, df)
        missing = generation == "1.0" and place in later
        assert (send(card, f"00A4020002EF{sfi:02X}") == "6A82") == missing, place


# -- who may --------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", RULES)
def test_read_rules(region, full_3_0, place):
    """Nothing, the PIN, the key, both: what each opens."""
    rule, key = RULES[place][:2]
    want = {
        "F": (True, True, True, True),
        "K": (False, False, True, True),
        "P|K": (False, True, True, True),
        "P+K": (False, False, False, True),
    }[rule]
    for done, opens in zip(([], ["P"], [key], ["P", key]), want, strict=True):
        enter(full_3_0, where(place)[0])
        for each in done:
            allow(full_3_0, region, each)
        assert touch(full_3_0, place) == ("9000" if opens else "6982"), (place, done)


@pytest.mark.parametrize("generation", ["2.0", "3.0"])
def test_write_rules(region, generation):
    """Neither the PIN nor any other key of the application writes; its own does, and it is read."""
    card = region.issue_card(
        3, generation=generation, full=True, optional=OPTIONAL, label=f"write {generation}"
    )
    for place, (_, read_key, write_key, *_) in RULES.items():
        df, sfi = where(place)
        write, wrote = _write_command(card, place, sfi)
        enter(card, df)
        allow(card, region, "P")
        allow(card, region, read_key)
        assert send(card, write) == "6982", place
        for row in KEYS:
            if row.df == df and row.reference is not None and row.name != write_key:
                authenticate(card, region, row.name, row.reference)
        assert send(card, write) == "6982", place
        allow(card, region, write_key)
        assert send(card, write) == "9000", place
        assert card.memory.files[place][0].hex().upper().startswith(wrote), place
    again = type(card).from_state(json.loads(json.dumps(card.to_state())))
    assert again.memory.files == card.memory.files


def _write_command(card, place: str, sfi: int) -> tuple[str, str]:
    """A legal write to the file, and what its first record then begins with."""
    if place in TRANSPARENT:
        return f"00D6{0x80 | sfi:02X}0003ABCDEF", "ABCDEF"
    if place in CYCLIC:
        record = "31" * CYCLIC[place][3]
        return f"00DC00{sfi << 3 | 3:02X}{len(record) // 2:02X}" + record, record
    first = card.memory.files[place][0]
    record = (first[:2] + b"\x32" * (len(first) - 2)).hex().upper()
    return f"00DC{first[0]:02X}{sfi << 3:02X}{len(first):02X}" + record, record


def test_an_update_by_next_writes_the_following_occurrence(region):
    card = region.issue_card(4, full=True, label="next")
    enter(card, "DF02")
    allow(card, region, "UK5DF02")
    value = "1003393939" + "110420260101" + "1203510100"
    assert send(card, "00DC99A812" + "9910" + value) == "9000"
    assert send(card, "00DC99AA12" + "9910" + value) == "9000"
    data(card, PIN_OK)
    seen = [each[4:] == value for each in read_all(card, 0x15)[:4]]
    assert seen == [True, True, False, False]


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("00D6870301" + "AA", "9000"),
        ("00D68700", "6700"),
        ("00D687FF02AABB", "9000"),
        ("00D6840001AA", "6A82"),
        ("00D6850001AA", "6981"),
        ("00D6E70001AA", "6A86"),
        ("00D6030001AA", "6986"),
        ("00B0870301", "6982"),
        ("00B0850001", "6981"),
    ],
)
def test_binary_commands(region, command, sw):
    card = region.issue_card(5, label=f"binary {command}")
    enter(card, "SSSE")
    allow(card, region, "UKSSSE")
    assert send(card, command) == sw
    data(card, "00A4020002EF07")
    assert send(card, "00D602FF02AABB") == "6A84"
    assert send(card, "00D602FF01AA") == "9000"
    assert send(card, "00D6030001AA") == "6B00"


def test_a_write_into_a_transparent_file_keeps_what_stands_around_it(region):
    card = region.issue_card(15, full=True, label="middle")
    before = card.memory.files["DF01/16"][0].ljust(0x128, b"\xff")
    enter(card, "DF01")
    allow(card, region, "UK7DF01")
    assert send(card, "00D6961002ABCD") == "9000"
    assert card.memory.files["DF01/16"] == [before[:0x10] + b"\xab\xcd" + before[0x12:]]


def test_an_unwritten_transparent_file_reads_as_ff(region):
    card = region.issue_card(6, label="blank")
    enter(card, "DF01")
    assert data(card, "00B0960004") == "FFFFFFFF"
    allow(card, region, "UK7DF01")
    data(card, "00D6960102AABB")
    assert data(card, "00B0960004") == "FFAABBFF"


def test_a_card_of_no_full_contents_still_has_every_file(region):
    card = in_df04(region.issue_card(14, label="sparse"))
    assert data(card, "00B28B281F") == "8B1D" + "00" * 29
    enter(card, "DF01")
    data(card, PIN_OK)
    assert data(card, "00B240A836") == "4034" + "5703000000" + "5803FFFFFF" + "5928" + "00" * 40
