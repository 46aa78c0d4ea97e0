"""A purchase as a transcript: the same bytes in process, through a real pcscd, and replayed.

GET RESPONSE included.  Same seed, same clock: a difference is a difference of the firmware.
To write tests/transcripts anew after a wanted change: python -m tests.test_transcript
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import pytest

from firmware.channel import Reader
from firmware.drivers.pcsc import open_pcsc
from firmware.drivers.recorder import Transcript
from firmware.drivers.replay import open_replay
from simulator.region import Region
from simulator.vpcd import Plug
from tests import pcscd_rig
from tests.rig import Rig
from tests.waiting import SOON_S

TRANSCRIPTS = Path(__file__).parent / "transcripts"

KINDS = {
    "1.0": {"generation": "1.0", "has_ef06": False},
    "2.0": {"generation": "2.0"},
    "3.0": {"generation": "3.0"},
    "3.0-sm4": {"generation": "3.0"},
}


def prepared(folder: Path, kind: str) -> Rig:
    algorithm = "both" if kind.endswith("sm4") else "3des"
    rig = Rig(folder, Region("510100", seed="TEST", algorithm=algorithm))
    rig.psam()
    rig.card(**KINDS[kind])
    return rig


def paid(rig: Rig) -> tuple[list[str], list[str]]:
    """One payment; what the card and the PSAM saw, as hex."""
    assert rig.pay().name == "APPROVED"
    return tuple(
        [f"{command.hex()} {answer.hex()}" for command, answer in seen]
        for seen in (rig.exchanges, rig.psam_exchanges)
    )  # type: ignore[return-value]


@pytest.mark.parametrize("kind", KINDS)
def test_m14_a_recorded_purchase_replays_byte_for_byte(tmp_path: Path, kind: str) -> None:
    rig = prepared(tmp_path, kind)
    user = open_replay(str(TRANSCRIPTS / f"purchase-{kind}-card.jsonl"))
    psam = open_replay(str(TRANSCRIPTS / f"purchase-{kind}-psam.jsonl"))
    rig.attach(user, psam)
    card, sam = paid(rig)
    assert len(card) == len(recorded(kind, "card"))
    assert len(sam) == len(recorded(kind, "psam"))


def test_a_transcript_with_one_other_byte_is_refused(tmp_path: Path) -> None:
    lines = (TRANSCRIPTS / "purchase-2.0-card.jsonl").read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if '"B02801' in line)
    changed = lines[at].replace('"B02801', '"B02802', 1)
    (tmp_path / "t.jsonl").write_text("\n".join([*lines[:at], changed, *lines[at + 1 :]]) + "\n")
    rig = prepared(tmp_path, "2.0")
    psam = open_replay(str(TRANSCRIPTS / "purchase-2.0-psam.jsonl"))
    rig.attach(open_replay(str(tmp_path / "t.jsonl")), psam)
    assert rig.pay().name == "CARD_UNREADABLE"
    assert f"line {at + 1}" in rig.result()["detail"]


def test_no_transcript_holds_a_pin() -> None:
    for path in TRANSCRIPTS.glob("*.jsonl"):
        assert "0020000003123456" not in path.read_text()


@pytest.mark.pcscd
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_purchase_through_a_real_pcscd_is_the_same_bytes(
    tmp_path: Path, kind: str
) -> None:
    (tmp_path / "process").mkdir()
    (tmp_path / "pcscd").mkdir()
    expected = paid(prepared(tmp_path / "process", kind))

    rig = prepared(tmp_path / "pcscd", kind)
    shared = pcscd_rig.shared()
    plugs = [
        Plug(rig.world.slot("user"), shared.user_port),
        Plug(rig.world.slot("psam"), shared.psam_port),
    ]
    user = open_pcsc(pcscd_rig.USER_READER + " 00 00")
    psam = open_pcsc(pcscd_rig.PSAM_READER + " 00 00")
    for plug in plugs:
        plug.start()
    try:
        wait_for(user, 1)
        wait_for(psam, 1)
        rig.attach(user, psam)
        assert paid(rig) == expected
    finally:
        for plug in plugs:
            plug.stop()
        for reader in (user, psam):
            wait_for(reader, 0)
            reader.close()


def wait_for(reader: Reader, cards: int) -> None:
    until = time.monotonic() + SOON_S
    while reader.cards_in_reach() != cards:
        assert time.monotonic() < until, f"{reader.name} never showed {cards} cards"
        time.sleep(0.05)


def recorded(kind: str, who: str) -> list[str]:
    lines = (TRANSCRIPTS / f"purchase-{kind}-{who}.jsonl").read_text().splitlines()
    return [line for line in lines if '"c"' in line]


def write_transcripts() -> None:
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            rig = prepared(Path(folder), kind)
            assert rig.pay().name == "APPROVED"
            for who, seen, slot in (
                ("card", rig.exchanges, "user"),
                ("psam", rig.psam_exchanges, "psam"),
            ):
                with open(TRANSCRIPTS / f"purchase-{kind}-{who}.jsonl", "w") as file:
                    transcript = Transcript(file)
                    atr = rig.world.slot(slot).power_on()
                    transcript.power_on(atr, is_block_protocol=False)
                    for command, answer in seen:
                        transcript.recorder(command, answer)


if __name__ == "__main__":
    write_transcripts()
    sys.exit(0)
