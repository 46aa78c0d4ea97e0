"""What a region adds to the card: applications from DF0A up, files from EF0C up, and their keys.

Data, never code: standard tags and file ids are not used again (SPEC-P3).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from simulator.files import Df, Ef, Place, place, rule, where
from simulator.keytable import KeyRow

_FIRST_DF, _FIRST_EF = 0xDF0A, 0x0C


@dataclass(frozen=True)
class Local:
    """values: what the issuer writes, place -> tag -> text, digits for cn; others are empty."""

    dfs: dict[str, Df] = field(default_factory=dict)
    files: dict[Place, Ef] = field(default_factory=dict)
    keys: tuple[KeyRow, ...] = ()
    values: dict[Place, dict[int, str]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The object that `from_json` takes."""
        return {
            "dfs": {name: [df.fid, df.aid.hex(), df.label] for name, df in self.dfs.items()},
            "files": {
                place(*at): [_text(ef.read), _text(ef.write), ef.items, ef.size, ef.records]
                for at, ef in self.files.items()
            },
            "keys": [[row.name, row.df, row.reference, row.usage, row.key_id] for row in self.keys],
            "values": {
                place(*at): {f"{tag:02X}": value for tag, value in items.items()}
                for at, items in self.values.items()
            },
        }

    @staticmethod
    def from_json(stored: dict[str, Any]) -> Local:
        """dfs: name -> [FID, AID in hex, label]; files: "SSSE/0D" -> [read, write, items, size,
        records] in the words of filetable.py; keys: [name, DF, reference, usage, key id].

        Raises ValueError when a standard file or application would be used again.
        """
        made = Local(
            {
                name: Df(fid, bytes.fromhex(aid), label)
                for name, (fid, aid, label) in stored["dfs"].items()
            },
            {
                where(name): Ef(rule(read), rule(write), *others)
                for name, (read, write, *others) in stored["files"].items()
            },
            tuple(KeyRow(*row) for row in stored["keys"]),
            {
                where(name): {int(tag, 16): value for tag, value in items.items()}
                for name, items in stored["values"].items()
            },
        )
        made.check()
        return made

    def check(self) -> None:
        """Raises ValueError when a standard file or application would be used again."""
        for name, df in self.dfs.items():
            if df.fid < _FIRST_DF:
                raise ValueError(f"a local application has a FID from DF0A up, {name} has not")
        for at in self.files:
            if at[0] not in self.dfs and (at[1] < _FIRST_EF or 0x15 <= at[1] <= 0x1A):
                raise ValueError(
                    f"a local file has an EF from 0C up, {place(*at)} is a standard one"
                )


def _text(rule_: tuple[tuple[str, ...], ...]) -> str:
    """The inverse of files.rule."""
    if not rule_:
        return "never"
    return "|".join("+".join(way) for way in rule_) or "free"


# Seen in one city: a person code and the place of first issue in SSSE/EF0D.
PERSON_CODE = Local.from_json(
    {
        "dfs": {},
        "files": {
            "SSSE/0C": ["free", "UKEF0CSSSE", "E8:a10", 0, 0],
            "SSSE/0D": ["free", "UKEF0DSSSE", "EA:a0C EB:c03", 0, 0],
        },
        "keys": [
            ["UKEF0CSSSE", "SSSE", 0x07, None, None],
            ["UKEF0DSSSE", "SSSE", 0x0D, 0x48, 0x13],
        ],
        "values": {"SSSE/0D": {"EA": "000012345678", "EB": "510100"}},
    }
)
