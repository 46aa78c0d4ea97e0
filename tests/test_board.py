"""board.toml is parsed strictly: what it does not know it refuses, with key, line and advice."""

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest

from firmware import board
from firmware.board_display import Display
from firmware.board_host import Host
from firmware.board_keys import Menu
from firmware.board_sections import OfficeKey, Purchase

EXAMPLE = Path(__file__).parent.parent / "board.toml"

SMALL = """\
[unit]
id = "u-1"
profile = "development"
region = "510100"
data_dir = "data"
[[reader]]
name = "counter"
address = "sim:x#user"
kind = "contact"
[psam]
address = "sim:x#psam"
[limits]
transaction_fen = 1
day_fen = 2
card_day_fen = 3
[purchase]
amount_mapping = "literal"
ef06 = "on"
offline_total_fen = 300000
offline_count = 20
regions = ["51", "5101", "510104"]
"""

PRODUCTION = (
    SMALL.replace("development", "production").replace("sim:x#user", "pcsc:A").replace(
        "sim:x#psam", "pcsc:B"
    )
)  # fmt: skip

MATRIX = (
    SMALL
    + """\
[pad]
address = "gpio:matrix"
rows = [7, 8, 9, 10]
columns = [11, 14, 15, 18]
keys = ["1 2 3 cancel", "4 5 6 clear", "7 8 9 menu", "- 0 up confirm"]
"""
)


def edited(old: str, new: str, text: str = SMALL) -> str:
    assert text.count(old) == 1, "the edit must hit one place"
    return text.replace(old, new)


def refusal(text: str, source: str = "/unit/board.toml") -> board.BoardError:
    with pytest.raises(board.BoardError) as caught:
        board.parse(text, source)
    return caught.value


def test_the_example_is_a_simulated_development_unit():
    loaded = board.load(EXAMPLE)
    assert loaded.unit.profile == "development"
    assert loaded.readers[0].address.startswith("sim:")


def test_the_example_explains_every_key_and_its_optional_keys_are_right(tmp_path):
    """A technician removes the "# " of an optional line; the file must still be right."""
    text = EXAMPLE.read_text("utf-8")
    text = re.sub(r"^# (\[+[a-z_.]+\]+|[a-z0-9_]+ = )", r"\1", text, flags=re.M)
    for slot, device in (("user", "ttyUSB0"), ("psam", "ttyUSB2")):  # pins are a bare slot's
        text = text.replace(f'"sim:build/sim.sock#{slot}"', f'"iso7816:/dev/{device}"')
    (tmp_path / "office.pub").write_text("ab" * 32 + "\n")
    loaded = board.parse(text, str(tmp_path / "board.toml"))
    assert loaded.office.public_key == OfficeKey(b"\xab" * 32)

    def names(kind):
        return {field.name for field in dataclasses.fields(kind)}

    values = tomllib.loads(text)
    assert set().union(*values.pop("reader")) == names(loaded.readers[0])
    assert set(values) == names(loaded) - {"readers"}
    for section in values:
        assert set(values[section]) == names(getattr(loaded, section)), section
    for link in ("serial", "http", "https", "nats", "drop"):
        assert set(values["uplink"][link]) == names(getattr(loaded.uplink, link)), link
    assert set(values["display"]["panel"]) == names(loaded.display.panel)


def test_defaults_and_absent_parts():
    loaded = board.parse(SMALL, "/unit/board.toml")
    assert (loaded.pad, loaded.display) == (None, None)
    assert not loaded.uplink.has_link
    assert (loaded.uplink.seal_after_s, loaded.uplink.batch_records) == (60.0, 500)
    assert (loaded.psam.terminal_number, loaded.psam.warn_days) == (None, 30)
    assert (loaded.office.public_key, loaded.stop_list.file) == (None, None)
    assert loaded.pins.named() == {}
    assert (loaded.pins.chip, loaded.pins.quiet) == (None, False)
    assert (loaded.psam.power_pin, loaded.readers[0].detect_pin) == (None, None)
    assert dataclasses.astuple(loaded.clock) == (False, 48.0, 480)
    assert dataclasses.astuple(loaded.journal) == (64, 24.0, 90)
    assert dataclasses.astuple(loaded.timing) == (5.0, 60.0, 30.0, 60.0)
    assert loaded.purchase == Purchase(
        "literal", "on", 300000, 20, ("51", "5101", "510104"), 1, 1, False, 3, None
    )


def test_paths_start_at_the_folder_of_the_file():
    extra = '[host]\nmode = "0600"\n[display]\npanel_png = "/tmp/panel.png"\n'
    loaded = board.parse(SMALL + extra, "/unit/board.toml")
    assert loaded.unit.data_dir == Path("/unit/data")
    assert loaded.host == Host(Path("/unit/data/unit.sock"), 0o600, None, None)
    assert loaded.display == Display("both", False, False, Path("/tmp/panel.png"), None)
    named = board.parse(SMALL + '[host]\nsocket = "run/x.sock"\n', "/unit/board.toml")
    assert named.host == Host(Path("/unit/run/x.sock"), 0o660, None, None)


def test_pin_zero_is_a_pin():
    loaded = board.parse(SMALL + "[pins]\ncard_led = 0\n", "b")
    assert loaded.pins.card_led == 0
    error = refusal(SMALL + "[pins]\ncard_led = 0\nbuzzer = 0\n")
    assert (error.key, error.line) == ("pins.buzzer", 24)


def test_values_are_frozen():
    loaded = board.parse(SMALL, "b")
    with pytest.raises(dataclasses.FrozenInstanceError):
        loaded.limits.day_fen = 5


REFUSED = {
    # name: (text, dotted key, line, words of the English advice)
    "unknown section": (SMALL + "[pin]\n", "pin", 22, "Did you mean pins?"),
    "unknown key": (SMALL + "[timing]\npin_sec = 3\n", "timing.pin_sec", 23, "mean pin_s?"),
    "unknown key in an array of tables": (
        edited('kind = "contact"', 'kind = "contact"\nspeed = 9'), "reader[0].speed", 10, "unknown",
    ),
    "unknown key in an inline table": (
        SMALL + '[uplink]\nserial = {device = "/dev/x", boud = 9600}\n', "uplink.serial.boud", 23,
        "mean baud?",
    ),
    "unknown dotted key": (
        SMALL + "[uplink]\nhttp.port = 1\n", "uplink.http.port", 23, "unknown key",
    ),
    "missing key": (edited("day_fen = 2\n", ""), "limits.day_fen", 12, "is missing"),
    "missing section": (
        edited('[psam]\naddress = "sim:x#psam"\n', ""), "psam.address", None, "is missing",
    ),
    "missing reader": (re.sub(r"\[\[(.*\n){4}", "", SMALL), "reader", None, "is missing"),
    "one reader as a plain table": (edited("[[reader]]", "[reader]"), "reader", 6, "[[reader]]"),
    "section as a value": ("unit = 3\n", "unit", 1, "a table [unit]"),
    "wrong type: text for a number": (
        edited("= 2\n", '= "2"\n'), "limits.day_fen", 14, 'found "2"',
    ),
    "wrong type: flag for a number": (
        edited("= 2\n", "= true\n"), "limits.day_fen", 14, "found true",
    ),
    "wrong type: fraction for a whole number": (
        edited("= 2\n", "= 2.0\n"), "limits.day_fen", 14, "found 2.0",
    ),
    "wrong type: number for a flag": (
        SMALL + "[clock]\nrtc = 1\n", "clock.rtc", 23, "true or false",
    ),
    "wrong type: number for a text": (edited('"510100"', "510100"), "unit.region", 4, "6 digits"),
    "wrong type: date": (edited("= 2\n", "= 2026-01-01\n"), "limits.day_fen", 14, "2026-01-01"),
    "wrong type: list": (edited("= 2\n", "= [2]\n"), "limits.day_fen", 14, "found [...]"),
    "wrong type: table": (edited("= 2\n", "= {a=2}\n"), "limits.day_fen", 14, "found {...}"),
    "zero limit": (edited("= 2\n", "= 0\n"), "limits.day_fen", 14, "from 1 to"),
    "limit beyond four bytes": (
        edited("= 2\n", "= 4294967296\n"), "limits.day_fen", 14, "4294967295",
    ),
    "not a number": (SMALL + "[timing]\npin_s = nan\n", "timing.pin_s", 23, "found NaN"),
    "no deadline": (SMALL + "[timing]\npin_s = inf\n", "timing.pin_s", 23, "from 0.05 to 600"),
    "pin out of range": (SMALL + "[pins]\nbuzzer = 28\n", "pins.buzzer", 23, "from 0 to 27"),
    "pin used twice": (
        SMALL + "[pins]\nbuzzer = 5\ntamper = 5\n", "pins.tamper", 24, "already pins.buzzer",
    ),
    "two readers with one address": (
        SMALL + '[[reader]]\nname="b"\naddress="sim:x#user"\nkind="contact"\n', "reader[1].address",
        24, "same as reader[0].address",
    ),
    "two readers with one name": (
        SMALL + '[[reader]]\nname="counter"\naddress="sim:y#user"\nkind="contact"\n',
        "reader[1].name", 23, "same as reader[0].name",
    ),
    "the PSAM in a reader's slot": (
        edited("sim:x#psam", "sim:x#user"), "psam.address", 11, "same as reader[0].address",
    ),
    "bad unit id": (edited('"u-1"', '"u 1"'), "unit.id", 2, "letters, digits"),
    "unit id too long": (edited('"u-1"', f'"{"a" * 33}"'), "unit.id", 2, "1 to 32"),
    "unit id with a newline": (edited('"u-1"', r'"u-1\n"'), "unit.id", 2, "letters, digits"),
    "unknown profile": (edited("development", "test"), "unit.profile", 3, '"production"'),
    "unknown scheme": (edited("sim:x#user", "usb:1"), "reader[0].address", 8, "pcsc:"),
    "address without a device": (edited("sim:x#user", "pcsc:"), "reader[0].address", 8, "pcsc:"),
    "region digits": (edited('"5101"', '"510"'), "purchase.regions[1]", 21, "2, 4 or 6"),
    "region twice": (edited('"5101"', '"51"'), "purchase.regions[1]", 21, "none twice"),
    "no region": (edited('["51", "5101", "510104"]', "[]"), "purchase.regions", 21, "at least one"),
    "terminal number": (
        edited('sim:x#psam"', 'sim:x#psam"\nterminal_number = "12"'), "psam.terminal_number", 12,
        "12 digits",
    ),
    "region table": (SMALL + "region_table = 5\n", "purchase.region_table", 22, ""),
    "an initial PIN by no rule": (
        SMALL + '[initial_pin]\nrules = ["123456", "last_7"]\n', "initial_pin.rules[1]", 23,
        "last_8",
    ),
    "socket open to others": (
        SMALL + '[host]\nmode = "0666"\n', "host.mode", 23, "none for others",
    ),
    "socket path too long": (
        SMALL + f'[host]\nsocket = "{"s" * 102}"\n', "host.socket", 23, "at most 107",
    ),
    "HTTP to the network": (
        SMALL + '[uplink.http]\nlisten = "0.0.0.0:80"\n', "uplink.http.listen", 23, "loopback",
    ),
    "HTTP by a name": (
        SMALL + '[uplink.http]\nlisten = "localhost:80"\n', "uplink.http.listen", 23, "127.0.0.1",
    ),
    "HTTP port": (
        SMALL + '[uplink.http]\nlisten = "127.0.0.1:65536"\n', "uplink.http.listen", 23, "PORT",
    ),
    "HTTPS in the clear": (
        SMALL + '[uplink.https]\nurl = "http://office.example"\n', "uplink.https.url", 23,
        "https://",
    ),
    "HTTPS with a password": (
        SMALL + '[uplink.https]\nurl = "https://me:pw@office.example"\n', "uplink.https.url", 23,
        "no more",
    ),
    "HTTPS port": (
        SMALL + '[uplink.https]\nurl = "https://office.example:0"\n', "uplink.https.url", 23,
        "a port",
    ),
    "baud rate": (
        SMALL + '[uplink.serial]\ndevice = "/dev/x"\nbaud = 9601\n', "uplink.serial.baud", 24,
        "9600",
    ),
    "stop list nobody can verify": (
        SMALL + '[stop_list]\nfile = "s"\n', "stop_list.file", 23, "office.public_key",
    ),
    "office key file missing": (
        SMALL + '[office]\npublic_key = "none"\n', "office.public_key", 23, "put the office's",
    ),
    "production with a simulated card": (
        edited("pcsc:A", "sim:a", PRODUCTION), "reader[0].address", 8, "takes no sim:a",
    ),
    "production with a replayed PSAM": (
        edited("pcsc:B", "replay:b", PRODUCTION), "psam.address", 11, "takes no replay:b",
    ),
    "production with a simulated pad": (
        PRODUCTION + '[pad]\naddress = "sim:p"\n', "pad.address", 23, "takes no sim:p",
    ),
    "a matrix without its rows": (
        SMALL + '[pad]\naddress = "gpio:matrix"\ncolumns = [1]\n', "pad.rows", 22, "needs rows",
    ),
    "a key that is none": (MATRIX.replace("clear", "enter"), "pad.keys[1]", 26, "key enter is"),
    "a key of the matrix twice": (MATRIX.replace("clear", "5"), "pad.keys[1]", 26, "comes twice"),
    "no key for a digit": (MATRIX.replace("0 up", "- up"), "pad.keys", 26, "keys 0 are missing"),
    "fewer keys than columns": (
        MATRIX.replace("- 0 up", "0 up"), "pad.keys", 26, "4 rows of 4 keys",
    ),
    "a row on a pin that is taken": (
        MATRIX + "[pins]\nbuzzer = 9\n", "pad.rows[2]", 24, "already pins.buzzer",
    ),
    "one pin as row and column": (
        MATRIX.replace("[11,", "[7,"), "pad.columns[0]", 25, "already pad.rows[0]",
    ),
    "an encrypting pad without a key": (
        SMALL + '[pad]\naddress = "epp:/dev/x"\n', "pad.key_file", 22, "needs key_file",
    ),
    "format of a PIN block": (
        SMALL + '[pad]\naddress = "epp:/dev/x"\nformat = 2\n', "pad.format", 24, "3 or 4",
    ),
    "a menu without a pad": (SMALL + "[menu]\n", "menu", 22, "needs a [pad]"),
    "a menu without its key": (
        MATRIX.replace("menu", "-") + "[menu]\n", "pad.keys", 26, "needs a menu key",
    ),
    "an amount without its limit": (
        MATRIX + "[menu]\namount_entry = true\n", "menu.max_fen", 27, "needs max_fen",
    ),
    "production in a province that is none": (
        edited('"510100"', '"990100"', PRODUCTION), "unit.region", 4, "test region 990100",
    ),
    "production taking the cards of a test city": (
        edited('"5101"', '"5199"', PRODUCTION), "purchase.regions[1]", 21, "test region 5199",
    ),
    "production with a test PSAM": (
        edited('pcsc:B"', 'pcsc:B"\nterminal_number = "449900810027"', PRODUCTION),
        "psam.terminal_number", 12, "test region 449900",
    ),
    "production with NATS in the clear": (
        PRODUCTION + '[uplink.nats]\nurl = "nats://10.0.0.1"\n', "uplink.nats.url", 23, "tls://",
    ),
    "not TOML": (edited("= 2\n", "2\n"), "", 14, "not valid TOML"),
    "not TOML at the end": (SMALL + "[pad", "", 22, "not valid TOML"),
    "a key twice": (edited("= 2\n", "= 2\nday_fen = 3\n"), "", 15, "not valid TOML"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_names_key_line_and_what_to_do(name):
    """Issue: the daemon refuses to start and names the key, its line and what to do."""
    text, key, line, advice = REFUSED[name]
    error = refusal(text)
    assert (error.key, error.line) == (key, line)
    assert advice in error.en
    assert re.search("[一-鿿]", error.zh), "the advice is in Chinese too"
    shown = str(error)
    assert error.zh in shown
    assert error.en in shown
    if line is not None:
        assert f"line {line}" in shown
        assert f"第 {line} 行" in shown


def test_production_takes_real_devices_and_real_regions():
    assert board.parse(PRODUCTION, "b").unit.profile == "production"


def test_bad_key_files(tmp_path):
    text = SMALL + '[office]\npublic_key = "office.pub"\n'
    for content in (
        b"",
        b"ab" * 31,
        b"ab" * 32 + b"c",
        b"zz" * 32,
        b"\xff" * 32,
        b"ab" * 32 + b"\n" + b"cd" * 31,
        b"ab" * 32 + b"\n" + b"cd" * 32 + b"\ne",
    ):
        (tmp_path / "office.pub").write_bytes(content)
        error = refusal(text, str(tmp_path / "board.toml"))
        assert (error.key, error.line) == ("office.public_key", 23)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(board.BoardError) as caught:
        board.load(tmp_path / "board.toml")
    assert "check its path" in caught.value.en
    path = tmp_path / "board.toml"
    path.write_bytes("[unit]\n# 本机\n".encode("gb18030"))
    with pytest.raises(board.BoardError) as caught:
        board.load(path)
    assert caught.value.line == 2
    assert "UTF-8" in caught.value.en
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert board.load(path).unit.id == "u-1", "what a Windows editor saves is read"


@pytest.mark.parametrize(
    ("content", "lengths"),
    [
        ("ab" * 32, (32, None)),
        ("ab" * 32 + "\n" + "cd" * 32 + "\n", (32, 32)),
        ("04" + "ab" * 64 + "\r\n" + "cd" * 32, (65, 32)),
    ],
    ids=["Ed25519", "with encryption", "P-256"],
)
def test_the_offices_keys_are_one_line_or_two(tmp_path, content, lengths):
    (tmp_path / "office.pub").write_text(content)
    text = SMALL + '[office]\npublic_key = "office.pub"\n'
    found = board.parse(text, str(tmp_path / "board.toml")).office.public_key
    sealing = None if found.sealing is None else len(found.sealing)
    assert (len(found.signing), sealing) == lengths


@pytest.mark.parametrize("missing", ["module", "token", "pin_file"])
def test_a_token_needs_module_label_and_pin_file(missing):
    given = {"module": "m.so", "token": "t", "pin_file": "p"}
    lines = "".join(f'{key} = "{value}"\n' for key, value in given.items() if key != missing)
    error = refusal(SMALL + '[signer]\nkind = "pkcs11"\n' + lines)
    assert error.key == f"signer.{missing}"
    assert "add this one" in error.en


def test_the_keys_of_a_matrix_are_a_table_of_names():
    pad = board.parse(MATRIX, "b").pad
    assert pad.keys[0] == ("1", "2", "3", "cancel")
    assert (pad.rows, pad.columns, pad.key_s) == ((7, 8, 9, 10), (11, 14, 15, 18), 10.0)
    assert board.parse(MATRIX + "[menu]\n", "b").menu == Menu(False, None, 20.0)
