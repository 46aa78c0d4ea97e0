"""Where the public sources disagree or leave a choice: one table, and a frozen choice from it.

A terminal must cope with every value.  docs/simulator-switches.md is printed from this table.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Switch:
    """values[0] is the default.  source: where the doubt stands.  changes: what a terminal sees."""

    name: str
    values: tuple[str, ...]
    source: str
    changes: str


TABLE = (
    Switch(
        "ssse_position",
        ("mf", "ddf"),
        "SPEC-P6",
        "the social security environment is the MF, or a DDF under a payment environment's MF",
    ),
    Switch(
        "mf_before_name",
        ("no", "yes"),
        "one maker's cards",
        "SELECT by name answers 6A82 until 3F00 was selected",
    ),
    Switch(
        "directory",
        ("present", "absent"),
        "SPEC-P3",
        "FCI tag 88 and the directory file are there, or neither",
    ),
    Switch(
        "ef_select",
        ("both", "p1_02", "p1_00"),
        "SPEC-P5; field practice",
        "which P1 selects an EF; the other answers 6A86 (02) or 6A82 (00)",
    ),
    Switch(
        "sfi_addressing",
        ("yes", "no"),
        "SPEC-P5",
        "READ and UPDATE RECORD with an SFI work, or answer 6A86: the EF must be selected first",
    ),
    Switch(
        "le_zero",
        ("6Cxx", "data"),
        "SPEC-P5; a 1.0 card",
        "contact: Le 00 is answered with 6Cxx, or with the data",
    ),
    Switch(
        "le_too_large",
        ("6Cxx", "short_9000"),
        "SPEC-P5; a 1.0 card",
        "contact: a wrong Le is answered with 6Cxx, or with as many bytes as there are and 9000",
    ),
    Switch(
        "name_padding",
        ("00", "20", "FF"),
        "V2.0; cards of three generations",
        "the byte that fills names up to their length",
    ),
    Switch(
        "date_form",
        ("cn8", "ascii_year"),
        "V2.0; a 2.0 card",
        "EF05 tags 05 and 06 are YYYYMMDD in BCD, or the year in four ASCII digits",
    ),
    Switch(
        "access_rules",
        ("v2.0", "p6_draft"),
        "V2.0; SPEC-P6",
        "DF01 EF05 and DF04 EF05 by PIN or read key, or by PIN only; DF03 EF05 and EF07 by both;"
        " DF03 has EF15 to EF19, or EF08 to EF0A",
    ),
    Switch(
        "external_auth_kept",
        ("all", "last"),
        "SPEC-P5",
        "every authenticated key of the application counts, or only the last one",
    ),
    Switch(
        "verify_empty_after_ok",
        ("9000", "63Cx"),
        "SPEC-P5",
        "VERIFY with Lc 00 after the right PIN",
    ),
    Switch(
        "verify_empty_locked",
        ("6983", "63C0"),
        "SPEC-P5",
        "VERIFY with Lc 00 on a locked PIN",
    ),
    Switch(
        "stk_length",
        ("16", "8"),
        "SPEC-P9 annex B; two provinces",
        "bytes of STK(SSSE) in the DES family",
    ),
    Switch(
        "queries_keep_state",
        ("yes", "no"),
        "SPEC-P7",
        "GET BALANCE and GET TRANSACTION PROOF keep the INITIALIZE before them, or drop it",
    ),
    Switch(
        "init_algorithm",
        ("01", "00"),
        "SPEC-P7, SPEC-P9",
        "the algorithm byte of INITIALIZE for a card of the DES family",
    ),
    Switch(
        "sespk_tail",
        ("serial",),
        "SPEC-P7, SPEC-P9; one source says the terminal number",
        "the last two bytes of the purchase session key's input: only the serial is played",
    ),
    Switch(
        "load_tac_balance",
        ("after", "before"),
        "SPEC-P7",
        "the balance in a load's TAC is the one after the load, or before",
    ),
    Switch(
        "proof_serial",
        ("same", "plus_one"),
        "SPEC-P7; terminals of the purse family",
        "GET TRANSACTION PROOF asks with the serial of INITIALIZE, or that plus one",
    ),
    Switch(
        "proof_kept",
        ("last", "none_after_initialize"),
        "SPEC-P7",
        "the latest proof stays, or the next INITIALIZE drops it",
    ),
    Switch(
        "proof_type",
        ("ascii", "binary"),
        "SPEC-P7",
        "the type in P2 of GET TRANSACTION PROOF is 31/32, or 01/02",
    ),
    Switch(
        "psam_serial_moves",
        ("at_8070", "at_8072"),
        "SPEC-P9",
        "the PSAM's transaction serial moves at INIT SAM, or at a good CREDIT SAM",
    ),
    Switch(
        "mac2_failure",
        ("63CF", "9302"),
        "SPEC-P9, text and table",
        "how the PSAM refuses a wrong MAC2",
    ),
    Switch(
        "session_key_kinds",
        ("any", "one"),
        "SPEC-P9",
        "a prepared session key serves encryption and MAC, or the other kind answers 6985",
    ),
)

BY_NAME = {switch.name: switch for switch in TABLE}


class Switches:
    """A value for every switch of the table; those not named have their default.

    >>> Switches(proof_serial="plus_one").mac2_failure
    '63CF'
    Raises ValueError for an unknown switch or value, naming the legal ones.
    """

    __slots__ = ("_chosen",)
    _chosen: dict[str, str]

    def __init__(self, **chosen: str) -> None:
        for name, value in chosen.items():
            if name not in BY_NAME:
                raise ValueError(f"no switch {name!r}; there are: {', '.join(BY_NAME)}")
            if value not in BY_NAME[name].values:
                legal = ", ".join(BY_NAME[name].values)
                raise ValueError(f"switch {name} is one of {legal}, not {value!r}")
        full = {switch.name: chosen.get(switch.name, switch.values[0]) for switch in TABLE}
        object.__setattr__(self, "_chosen", full)

    def __getattr__(self, name: str) -> str:
        try:
            return object.__getattribute__(self, "_chosen")[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("switches are set once, when they are made")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Switches) and other._chosen == self._chosen

    def __hash__(self) -> int:
        return hash(tuple(self._chosen.items()))

    def __repr__(self) -> str:
        named = ", ".join(f"{name}={value!r}" for name, value in self.changed().items())
        return f"Switches({named})"

    def changed(self) -> dict[str, str]:
        """The switches that do not stand at their default."""
        return {
            switch.name: self._chosen[switch.name]
            for switch in TABLE
            if self._chosen[switch.name] != switch.values[0]
        }

    @classmethod
    def every(cls) -> Iterator[Switches]:
        """All defaults first, then each other value of each switch, one at a time."""
        yield cls()
        for switch in TABLE:
            for value in switch.values[1:]:
                yield cls(**{switch.name: value})

    @classmethod
    def product(cls, *names: str) -> Iterator[Switches]:
        """All combinations of the named switches' values, the others at their default."""
        for name in names:
            if name not in BY_NAME:
                raise ValueError(f"no switch {name!r}; there are: {', '.join(BY_NAME)}")
        for values in itertools.product(*(BY_NAME[name].values for name in names)):
            yield cls(**dict(zip(names, values, strict=True)))


def markdown() -> str:
    """The page docs/simulator-switches.md."""
    lines = [
        "# The simulator's switches",
        "",
        "Each row is a place where the public sources disagree or leave a choice. The first value"
        " is the default. Printed by `python -m simulator.switches`; a test holds the page to the"
        " table.",
        "",
        "| Switch | Values | Where it stands | What it changes |",
        "|---|---|---|---|",
    ]
    for switch in TABLE:
        values = ", ".join(f"`{value}`" for value in switch.values)
        lines.append(f"| `{switch.name}` | {values} | {switch.source} | {switch.changes} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
