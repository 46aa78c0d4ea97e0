"""What the simulator's tests share: talking to a chip in hex, and a whole purchase by APDU."""

import json
from pathlib import Path

from firmware.psam import keys
from simulator.algorithm import ALGORITHMS
from simulator.card import SimulatedCard
from simulator.keytable import KEYS
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


def in_psam(psam: SimulatedPsam, algorithm: str | None = None) -> SimulatedPsam:
    """In DF01 of the environment for that algorithm; None: the first."""
    psam.power_on()
    wanted = ALGORITHMS[algorithm] if algorithm else psam.algorithm
    data(psam, "00A404000F" + wanted.psam_environment.hex())
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
    key = region.tree_of(card).card_key(name, card.factor)
    session = card.algorithm.session_key(key, challenge)
    proof = card.algorithm.authentication_data(session, original)
    return send(card, f"008200{reference:02X}10" + proof.hex() + original.hex())


def enter(card, df: str) -> None:
    card.power_on()
    data(card, SSSE)
    if df != "SSSE":
        data(card, f"00A4000002{df}")


def allow(card, region, name: str) -> None:
    """Authenticate that key, or the PIN for "P"."""
    if name == "P":
        data(card, PIN_OK)
    elif name:
        row = next(row for row in KEYS if row.name == name)
        assert authenticate(card, region, name, row.reference) == "9000"


def read_all(card, sfi: int) -> list[str]:
    """Every record in hexadecimal, by number, until 6A83."""
    out = []
    for number in range(1, 40):
        answer = send(card, f"00B2{number:02X}{sfi << 3 | 4:02X}00")
        if answer == "6A83":
            return out
        assert answer.startswith("6C"), answer
        out.append(data(card, f"00B2{number:02X}{sfi << 3 | 4:02X}{answer[2:]}"))
    raise AssertionError("no end of records")


def factors(card, count: int = 3) -> str:
    """The first `count` diversification factors: card, city, province."""
    province = card.memory.code[:2].encode() + b"0000sh"
    return (card.factor + card.memory.code.encode() + b"sx" + province)[: 8 * count].hex()


def prepare(psam, card, usage_id: str, challenge: str) -> None:
    """DELIVERY SESSION KEY for that card and its challenge of 8 bytes."""
    body = factors(card, int(usage_id[:2], 16) >> 5) + challenge.ljust(
        2 * card.algorithm.block, "0"
    )
    assert data(psam, f"BFDE{usage_id}{len(body) // 2:02X}" + body) == ""


def authenticate_by_psam(card, psam, usage_id: str, reference: int) -> str:
    """EXTERNAL AUTHENTICATE as a terminal does it, the PSAM in DF01; the status word."""
    challenge, original = data(card, "0084000008"), "0102030405060708"
    prepare(psam, card, usage_id, challenge)
    block = original.ljust(2 * card.algorithm.block, "0")
    out = bytes.fromhex(data(psam, f"80FA0000{len(block) // 2:02X}" + block))
    if len(out) == 16:
        out = bytes(a ^ b for a, b in zip(out[:8], out[8:], strict=True))
    return send(card, f"008200{reference:02X}10" + out.hex() + original)


def mac_by_psam(psam, card, message: bytes) -> str:
    """The MAC of secure messaging over header, Lc and data, by the prepared session key."""
    block = card.algorithm.block
    padded = message + b"\x80" + bytes(-(len(message) + 1) % block)
    body = bytes(block) + padded
    out = bytes.fromhex(data(psam, f"80FA0500{len(body):02X}" + body.hex()))
    return keys.fold_mac(out).hex()
