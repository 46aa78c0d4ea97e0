"""Issue 2.3: `replay:<transcript>` plays a card back byte for byte; recorder.py writes it."""

import io
import json

import pytest

from firmware.apdu import CommandApdu
from firmware.channel import open_channel
from firmware.drivers.recorder import Transcript, redact
from firmware.drivers.replay import open_replay
from firmware.outcome import ProtocolError, TransportError

ATR_T0 = "3B6D000000814D22086086531A0F01234567"
ATR_T1 = "3B959541A000000000000090"
SELECT = bytes.fromhex("00A4000002DF04")


@pytest.fixture
def transcript(tmp_path):
    def write(*lines):
        path = tmp_path / "card.jsonl"
        path.write_text("\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines))
        return str(path)

    return write


def power_on(atr=ATR_T0, **more):
    return {"t": "power_on", "atr": atr, **more}


def exchange(command, answer):
    return {"c": command, "r": answer}


def test_a_recorded_conversation_is_played_back(transcript):
    reader = open_replay(transcript(power_on(), exchange("00A4000002DF04", "9000")))
    assert reader.cards_in_reach() == 1
    assert reader.power_on().hex().upper() == ATR_T0
    assert not reader.is_block_protocol
    assert reader.exchange(SELECT, 1.0) == b"\x90\x00"
    assert reader.cards_in_reach() == 0


def test_the_t0_rules_run_over_a_replayed_card(transcript):
    reader = open_replay(
        transcript(
            power_on(), exchange("00B0950000", "6C04"), exchange("00B0950004", "010203049000")
        )
    )
    reader.power_on()
    answer = open_channel(reader, 1.0).transmit(CommandApdu(0, 0xB0, 0x95, 0, b"", 256))
    assert (answer.data, answer.sw) == (b"\1\2\3\4", 0x9000)


@pytest.mark.parametrize(
    ("line", "block"),
    [
        (power_on(ATR_T0), False),
        (power_on("3B80800101"), True),  # contactless
        (power_on("3B8000"), False),
        (power_on("3B9081119181"), True),  # TD1: T=1
        (power_on(ATR_T0, block=True), True),
    ],
)
def test_block_protocol_is_what_was_recorded_or_what_the_atr_offers(transcript, line, block):
    reader = open_replay(transcript(line))
    reader.power_on()
    assert reader.is_block_protocol is block


@pytest.mark.parametrize(
    "sent", ["00A4000002DF05", "00A4000002DF0400", "00A4000002DF", "00B4000002DF04"]
)
def test_one_other_byte_is_a_protocol_error_that_names_the_line(transcript, sent):
    reader = open_replay(transcript(power_on(), exchange("00A4000002DF04", "9000")))
    reader.power_on()
    with pytest.raises(ProtocolError, match=r"card\.jsonl line 2"):
        reader.exchange(bytes.fromhex(sent), 1.0)


def test_the_mismatch_of_a_pin_is_told_without_the_pin(transcript):
    reader = open_replay(transcript(power_on(), exchange("0020000003123456", "9000")))
    reader.power_on()
    with pytest.raises(ProtocolError) as error:
        reader.exchange(bytes.fromhex("0020000003987654"), 1.0)
    assert "987654" not in str(error.value)
    assert "123456" not in str(error.value)


def test_more_than_was_recorded_is_a_protocol_error(transcript):
    reader = open_replay(transcript(power_on()))
    reader.power_on()
    with pytest.raises(ProtocolError, match="ends at line 1"):
        reader.exchange(SELECT, 1.0)
    with pytest.raises(ProtocolError, match="ends at line 1"):
        reader.power_on()


def test_a_reset_where_a_command_was_recorded_is_a_protocol_error(transcript):
    reader = open_replay(transcript(exchange("00A4000002DF04", "9000"), power_on()))
    with pytest.raises(ProtocolError, match="line 1"):
        reader.power_on()
    with pytest.raises(ProtocolError, match="line 2"):
        reader.exchange(SELECT, 1.0)


@pytest.mark.parametrize("kind", ["removed", "silent"])
def test_a_card_that_left_or_fell_silent_does_so_again(transcript, kind):
    reader = open_replay(transcript(power_on(), {"t": kind}, power_on()))
    reader.power_on()
    with pytest.raises(TransportError) as error:
        reader.exchange(SELECT, 1.0)
    assert error.value.kind == kind
    assert reader.cards_in_reach() == 1
    reader.power_on()


def test_waiting_meets_the_recorded_removal_or_the_end_of_the_time(transcript):
    reader = open_replay(transcript(power_on(), {"t": "removed"}))
    reader.power_on()
    reader.power_off()
    reader.wait_change(60)
    assert reader.cards_in_reach() == 0
    reader.wait_change(0.01)
    reader.close()
    reader.wait_change(60)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "7",
        '{"t": "lunch"}',
        '{"c": "00"}',
        '{"c": "0", "r": "9000"}',
        '{"c": 1, "r": 2}',
    ],
)
def test_a_file_that_is_no_transcript_is_refused_with_its_line(transcript, line):
    with pytest.raises(ValueError, match=r"card.jsonl line 2"):
        open_replay(transcript(power_on(), line))


def test_a_missing_transcript_is_refused_with_its_path(tmp_path):
    with pytest.raises(ValueError, match=r"nothing\.jsonl"):
        open_replay(str(tmp_path / "nothing.jsonl"))


def test_what_the_recorder_wrote_replay_accepts_pins_hidden(tmp_path):
    """M1: the PIN is in no transcript."""
    pins = {
        "0020000003123456": "0020000003******",
        "805E010007123456FF654321": "805E010007**************",
        "842400010C112233445566778899AABBCC": "842400010C" + "**" * 12,
        "0420000003123456": "0420000003******",
    }
    path = tmp_path / "card.jsonl"
    with path.open("w") as file:
        written = Transcript(file)
        written.power_on(bytes.fromhex(ATR_T1), is_block_protocol=True)
        for command in pins:
            written.recorder(bytes.fromhex(command), b"\x90\x00")
        written.recorder(bytes.fromhex("0020000000"), b"\x63\xc3")
        written.lost("removed")
    text = path.read_text()
    for command, hidden in pins.items():
        assert hidden in text
        assert command not in text
        assert "123456" not in text
    reader = open_replay(str(path))
    reader.power_on()
    assert reader.is_block_protocol
    for command in pins:
        assert reader.exchange(bytes.fromhex(command), 1.0) == b"\x90\x00"
    assert reader.exchange(bytes.fromhex("0020000000"), 1.0) == b"\x63\xc3"
    with pytest.raises(TransportError):
        reader.exchange(SELECT, 1.0)


def test_another_pin_length_does_not_match_a_hidden_one(transcript):
    reader = open_replay(transcript(power_on(), exchange("0020000003******", "9000")))
    reader.power_on()
    with pytest.raises(ProtocolError):
        reader.exchange(bytes.fromhex("002000000412345678"), 1.0)


def test_secrets_are_kept_only_on_demand():
    file = io.StringIO()
    Transcript(file, keep_secrets=True).recorder(bytes.fromhex("00200000021234"), b"\x90\x00")
    assert json.loads(file.getvalue()) == {"c": "00200000021234", "r": "9000"}
    assert redact(bytes.fromhex("00B0950414")) == "00B0950414"
