"""The answer to reset, read strictly: what the card is, or which byte breaks which rule.

ISO/IEC 7816-3:2006 8.2 and 8.3; SPEC-P8: TS 3B and 3F only, TB1, TC1 and both protocols of TD1 are
taken, TA1 01 and 11 keep 372/1, TCK is refused where T=0 alone is offered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from firmware.drivers import rates
from firmware.outcome import ProtocolError

LONGEST = 33  # TS and at most 32 characters (8.2.1)
DIRECT, INVERSE = 0x3B, 0x3F
_GLOBAL = 15  # T=15 qualifies global interface bytes, it is no protocol (8.2.3)
_LETTERS = "ABCD"


class AtrError(ProtocolError):
    """byte: "TS", "T0", "TA1" ... "TCK".  rule: what it breaks."""

    def __init__(self, byte: str, rule: str):
        super().__init__(f"the answer to reset is wrong at {byte}: {rule}")
        self.byte = byte
        self.rule = rule


@dataclass(frozen=True)
class Specific:
    """TA2: the card speaks this protocol at once, and takes no PPS (8.3).

    is_implicit: F and D are not those of TA1 but known to both by other means.
    """

    protocol: int
    is_implicit: bool
    can_change: bool


@dataclass(frozen=True)
class Atr:
    """What an answer to reset says; defaults where it says nothing.

    protocols: 0..14, in the order offered, the first is in force without PPS.  fi_di: TA1.
    fi, di: the integers of TA1; 372 and 1 where TA1 is reserved and only a PPS could have used it.
    extra_guard: N of TC1, 0..255, 255 is special.  wi: TC2, T=0.  ifsc, bwi, cwi, has_crc: T=1.
    classes: of "ABC", as the card indicates them, None when it does not.  clock_stop: X, 0..3.
    """

    raw: bytes
    is_inverse: bool
    historical: bytes
    protocols: tuple[int, ...] = (0,)
    fi_di: int = rates.DEFAULT
    fi: int = 372
    di: int = 1
    extra_guard: int = 0
    specific: Specific | None = None
    wi: int = 10
    ifsc: int = 32
    bwi: int = 4
    cwi: int = 13
    has_crc: bool = False
    classes: str | None = None
    clock_stop: int | None = None


@dataclass
class _Layout:
    """Where each byte of an answer stands; length: of the whole, None while not yet known."""

    places: dict[str, int] = field(default_factory=dict)
    protocols: list[int] = field(default_factory=list)  # T of TD1, TD2, ..., 15 included
    historical: int = 0
    length: int | None = None


def missing(begun: bytes) -> int:
    """How many characters of an answer are sure to follow; 0 when it is whole.

    begun: what has come so far, TS decoded; whether its bytes are legal is not asked.
    """
    layout = _layout(begun)
    if layout.length is not None:
        return max(layout.length - len(begun), 0)
    return max(max([1, *layout.places.values()]) + 1 - len(begun), 1)


def parse(raw: bytes) -> Atr:
    """A whole answer, TS to TCK, as bytes in the card's own convention (TS is 3B or 3F).

    Raises AtrError naming the byte and the rule.
    """
    if not raw:
        raise AtrError("TS", "nothing came")
    if raw[0] not in (DIRECT, INVERSE):
        raise AtrError("TS", f"{raw[0]:02X} is neither 3B nor 3F (8.2.1)")
    layout = _layout(raw)
    _check_length(raw, layout)
    _check_order(layout.protocols)
    values = {name: raw[at] for name, at in layout.places.items()}
    found = _global_bytes(values)
    groups = list(enumerate(layout.protocols, 2))  # TDi-1 qualifies the bytes of group i
    found |= _t0_bytes(values, offered := _offered(layout.protocols))
    found |= _t1_bytes(values, groups)
    found |= _t15_bytes(values, groups)
    start = len(raw) - layout.historical - _has_tck(layout.protocols)
    return Atr(
        raw=bytes(raw),
        is_inverse=raw[0] == INVERSE,
        historical=bytes(raw[start : start + layout.historical]),
        protocols=offered,
        **found,
    )


def _layout(raw: bytes) -> _Layout:
    """As far as the bytes go: T0, then groups TAi TBi TCi TDi, each announced by the TD before."""
    layout = _Layout()
    if len(raw) < 2:
        return layout
    at, flags, group = 2, raw[1], 1
    layout.historical = raw[1] & 0x0F
    while True:
        for bit, letter in enumerate(_LETTERS):
            if flags & (0x10 << bit):
                layout.places[f"T{letter}{group}"] = at
                at += 1
        if not flags & 0x80:
            break
        if at > len(raw) or at > LONGEST:
            return layout  # the next TD has not come, or never fits
        flags, group = raw[at - 1], group + 1
        layout.protocols.append(flags & 0x0F)
    layout.length = at + layout.historical + _has_tck(layout.protocols)
    return layout


def _has_tck(protocols: list[int]) -> bool:
    """8.2.5: TCK is there unless T=0 alone is indicated, by default or by TDs."""
    return any(protocols)


def _check_length(raw: bytes, layout: _Layout) -> None:
    if layout.length is None or len(raw) < layout.length:
        raise AtrError(_name_of(len(raw), layout), "it did not come (8.2.1)")
    if layout.length > LONGEST:
        raise AtrError("T0", f"{layout.length} characters; {LONGEST} is the most (8.2.1)")
    if len(raw) > layout.length:
        if not _has_tck(layout.protocols):
            raise AtrError("TCK", "T=0 alone is offered, so TCK must be absent (8.2.5)")
        raise AtrError("TCK", "characters follow it (8.2.5)")
    if not _has_tck(layout.protocols):
        return
    total = 0
    for value in raw[1:]:
        total ^= value
    if total:
        raise AtrError("TCK", "the exclusive-or from T0 to TCK is not 00 (8.2.5)")


def _name_of(at: int, layout: _Layout) -> str:
    """The name of the character at that place, for an answer that ends before it."""
    if at < 2:
        return ("TS", "T0")[at]
    for name, place in layout.places.items():
        if place == at:
            return name
    first = max([1, *layout.places.values()]) + 1
    number = at - first + 1
    return f"T{number}" if number <= layout.historical else "TCK"


def _check_order(protocols: list[int]) -> None:
    """8.2.3: T=15 never first; types ascend, so T=15 is last."""
    if protocols and protocols[0] == _GLOBAL:
        raise AtrError("TD1", "T=15 is no protocol and cannot be the first (8.2.3)")
    for at in range(1, len(protocols)):
        if protocols[at] < protocols[at - 1]:
            raise AtrError(f"TD{at + 1}", "protocols stand in ascending order (8.2.3)")


def _offered(protocols: list[int]) -> tuple[int, ...]:
    found = tuple(dict.fromkeys(each for each in protocols if each != _GLOBAL))
    return found or (0,)


def _global_bytes(values: dict[str, int]) -> dict[str, Any]:
    """TA1, TC1, TA2; TB1 and TB2 (programming voltage) are deprecated and ignored (8.3)."""
    found: dict[str, Any] = {}
    specific = None
    if "TA2" in values:
        byte = values["TA2"]
        if byte & 0x60:
            raise AtrError("TA2", f"{byte:02X} sets bits 7 or 6, which are reserved (8.3)")
        specific = Specific(byte & 0x0F, bool(byte & 0x10), not byte & 0x80)
        found["specific"] = specific
    fi_di = values.get("TA1", rates.DEFAULT)
    found["fi_di"] = fi_di
    if rates.is_defined(fi_di):
        found["fi"], found["di"] = rates.integers(fi_di)
    elif specific is not None and not specific.is_implicit:
        raise AtrError("TA1", f"{fi_di:02X} is reserved, and TA2 puts it in force (8.3)")
    if "TC1" in values:
        found["extra_guard"] = values["TC1"]
    return found


def _t0_bytes(values: dict[str, int], offered: tuple[int, ...]) -> dict[str, Any]:
    """TC2: WI, for T=0 only (10.2)."""
    if "TC2" not in values or 0 not in offered:
        return {}
    if values["TC2"] == 0:
        raise AtrError("TC2", "WI 00 is reserved (10.2)")
    return {"wi": values["TC2"]}


def _t1_bytes(values: dict[str, int], groups: list[tuple[int, int]]) -> dict[str, Any]:
    """The first TA, TB, TC behind the first T=1, from group 3 on (11.4)."""
    group = next((at for at, protocol in groups if at > 2 and protocol == 1), None)
    if group is None:
        return {}
    found: dict[str, Any] = {}
    if (ifsc := values.get(f"TA{group}")) is not None:
        if ifsc in (0x00, 0xFF):
            raise AtrError(f"TA{group}", f"IFSC {ifsc:02X} is reserved (11.4.2)")
        found["ifsc"] = ifsc
    if (waiting := values.get(f"TB{group}")) is not None:
        if waiting >> 4 > 9:
            raise AtrError(f"TB{group}", f"BWI {waiting >> 4} is reserved (11.4.3)")
        found["bwi"], found["cwi"] = waiting >> 4, waiting & 0x0F
    if (code := values.get(f"TC{group}")) is not None:
        if code & 0xFE:
            raise AtrError(f"TC{group}", f"{code:02X} sets reserved bits (11.4.4)")
        found["has_crc"] = bool(code)
    return found


_CLASSES = {0x01: "A", 0x02: "B", 0x04: "C", 0x03: "AB", 0x06: "BC", 0x07: "ABC"}


def _t15_bytes(values: dict[str, int], groups: list[tuple[int, int]]) -> dict[str, Any]:
    """The first TA behind T=15: X clock stop, Y classes (8.3); a reserved Y says nothing."""
    group = next((at for at, protocol in groups if at > 2 and protocol == _GLOBAL), None)
    byte = values.get(f"TA{group}")
    if byte is None:
        return {}
    return {"clock_stop": byte >> 6, "classes": _CLASSES.get(byte & 0x3F)}
