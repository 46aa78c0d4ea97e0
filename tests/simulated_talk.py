"""What the simulator's tests share: talking to a chip in hex, and a whole purchase by APDU."""

import json
from pathlib import Path

from simulator.card import SimulatedCard
from simulator.psam import SimulatedPsam

VECTORS = json.loads((Path(__file__).parent / "vectors" / "card.json").read_text())
SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
TIME = "20261122103045"
PIN_OK = "0020000003123456"


class FixedDice:
    """Draws the same bytes, cut or repeated to the size asked for."""

    def __init__(self, value: bytes):
        self.value = value

    def restart(self, boots: int) -> None:
        pass

    def draw(self, size: int) -> bytes:
        return (self.value * size)[:size]


def send(chip, command: str) -> str:
    """One command in hex; 61xx is followed; the whole answer in upper-case hex."""
    answer = chip.transmit(bytes.fromhex(command))
    if len(answer) == 2 and answer[0] == 0x61:
        answer = chip.transmit(bytes((0x00, 0xC0, 0x00, 0x00, answer[1])))
    return answer.hex().upper()


def data(chip, command: str) -> str:
    """As `send`, for a command that must answer 9000; without the status word."""
    answer = send(chip, command)
    assert answer.endswith("9000"), f"{command} answered {answer[-4:]}"
    return answer[:-4]


def in_df04(card: SimulatedCard, pin: bool = True) -> SimulatedCard:
    card.power_on()
    if card.switches.mf_before_name == "yes":
        data(card, "00A40000023F00")
    data(card, SSSE)
    data(card, "00A4000002DF04")
    if pin:
        data(card, PIN_OK)
    return card


def in_psam(psam: SimulatedPsam) -> SimulatedPsam:
    psam.power_on()
    data(psam, "00A40400 0F" + psam.algorithm.psam_environment.hex())
    data(psam, "00A4000002DF01")
    return psam


def amounts(account: int, own: int = 0, pooled: int = 0) -> str:
    return f"{account:08X}{own:08X}{pooled:08X}"


def initialize(card, money: str, terminal: str = "510100000001") -> str:
    """INITIALIZE FOR PURCHASE: 22 bytes in hex."""
    return data(card, "B02801011301" + money + terminal)


def init_sam(psam, init: str, money: str, factors: str, time: str = TIME) -> tuple[str, str]:
    """INIT SAM FOR PURCHASE from INITIALIZE's answer: terminal serial, MAC1."""
    body = init[36:44] + init[28:32] + money + "32" + time + init[32:36] + factors
    answer = data(psam, f"80700100{len(body) // 2:02X}" + body)
    return answer[:8], answer[8:]


def debit(terminal_serial: str, mac1: str, time: str = TIME) -> str:
    return "B02C01000F" + terminal_serial + time + mac1


def purchase(card, psam, money: str, time: str = TIME) -> tuple[str, str]:
    """From INITIALIZE to CREDIT SAM: (TAC, MAC2)."""
    init = initialize(card, money, psam.terminal_number.hex())
    serial, mac1 = init_sam(psam, init, money, card.factor.hex(), time)
    answer = data(card, debit(serial, mac1, time))
    tac, mac2 = answer[:8], answer[8:]
    assert data(psam, "8072000004" + mac2) == ""
    return tac, mac2


def authenticate(card, region, name: str, reference: int) -> str:
    """EXTERNAL AUTHENTICATE with the right key; the status word."""
    challenge = bytes.fromhex(data(card, "0084000008"))
    original = bytes(range(8))
    session = region.algorithm.session_key(region.card_key(name, card.factor), challenge)
    proof = region.algorithm.authentication_data(session, original)
    return send(card, f"008200{reference:02X}10" + proof.hex() + original.hex())
