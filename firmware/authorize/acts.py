"""The service acts besides medical settlement: what each shows and writes (M15, M16, M17).

Data.  Form, length, read rule and write key of each file stand in card/df01.py to df03.py.  Which
items an act touches no source tells: this table is our reading of V2.0, kept to items that one
record holds (no group that stands several times).  A cyclic file is written by appending.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firmware.card import values
from firmware.card.items import CYCLIC, VERSIONS, Df, Ef, Item
from firmware.card.standard import APPLICATIONS

MAX_CHANGES = 16


@dataclass(frozen=True)
class ServiceAct:
    """shows: files, "DF02EF06".  writes: items, "DF02EF06|60", or cyclic files, "DF02EF07"."""

    code: str
    label: str
    requirement: str
    shows: tuple[str, ...]
    writes: tuple[str, ...] = ()


def _act(code: str, label: str, requirement: str, shows: str, writes: str) -> ServiceAct:
    return ServiceAct(code, label, requirement, tuple(shows.split()), tuple(writes.split()))


_JOB_STATE = "DF01EF07|29"

ACTS = {
    act.code: act
    for act in (
        _act(
            "job-seeking", "求职登记", "M16",
            "DF01EF07 DF01EF15 DF02EF05 DF02EF06 DF02EF07 DF02EF09",
            f"{_JOB_STATE} DF02EF06|3A DF02EF07",
        ),
        _act(
            "unemployment", "失业登记", "M16",
            "DF01EF07 DF02EF06 DF02EF07 DF02EF09 DF03EF05",
            f"{_JOB_STATE} DF02EF06|60 DF02EF07 DF03EF05|60",
        ),
        _act(
            "unemployment-benefit", "申领失业保险金", "M16",
            "DF01EF07 DF02EF06 DF03EF05",
            "DF03EF05|98 DF03EF05|62 DF03EF05|63 DF03EF05|64 DF03EF05|65 DF03EF05|66",
        ),
        _act(
            "training", "职业培训申请", "M16",
            "DF01EF15 DF02EF05 DF02EF15 DF02EF16",
            "DF02EF16",
        ),
        _act(
            "work-capability", "劳动能力鉴定申请", "M17",
            "DF03EF06 DF03EF17",
            "DF03EF06|45 DF03EF06|46 DF03EF06|47 DF03EF06|48 DF03EF06|49 DF03EF06|67 DF03EF06|6B",
        ),
        _act(
            "injury-benefit", "工伤保险待遇申请", "M17",
            "DF03EF06 DF03EF15 DF03EF17",
            "DF03EF15|7A DF03EF15|7B DF03EF15|7C "
            "DF03EF17|3B DF03EF17|3C DF03EF17|3D DF03EF17|3E DF03EF17|3F",
        ),
        _act(
            "pension", "养老保险业务", "M15",
            "DF01EF07 DF03EF07 DF03EF18 DF03EF19",
            f"{_JOB_STATE} DF03EF07|6C DF03EF07|6F DF03EF07|73",
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One item or cyclic record to be written.  item: None for a cyclic file."""

    place: str
    df: Df
    ef: Ef
    item: Item | None
    raw: bytes

    @property
    def write_key(self) -> str:
        """The first alternative of the file's write rule, its one key."""
        ((name,), *_) = self.ef.write
        return name


def file_of(place: str) -> tuple[Df, Ef]:
    """Of "DF02EF06" or "DF02EF06|60".  Raises KeyError."""
    name, sfi = place[:4], int(place[6:8], 16)
    for df in APPLICATIONS:
        if df.name == name:
            return df, df.file(sfi)
    raise KeyError(place)


def changes(act: ServiceAct, given: Mapping[str, Any], version: str) -> list[Change]:
    """What those values make of a card of that version, in the table's order.

    given: place -> value as card/values.py takes it.  Raises ValueError naming the place.
    """
    for place in given:
        if place not in act.writes:
            raise ValueError(f"{act.code} does not write {place!r:.40}")
    return [_change(place, given[place], version) for place in act.writes if place in given]


def _change(place: str, value: Any, version: str) -> Change:
    df, ef = file_of(place)
    try:
        if ef.structure == CYCLIC:
            if not isinstance(value, dict):
                raise values.FormError("a record is an object of its fields by name")
            return Change(place, df, ef, None, values.encode_record(ef, value))
        item = df.item(ef.sfi, int(place.partition("|")[2], 16), version)
        return Change(place, df, ef, item, values.encode(item, value))
    except values.FormError as error:
        raise ValueError(f"{place}: {error}") from None
    except KeyError:
        raise ValueError(f"a card of version {version} has no {place}") from None


def check_act(params: Mapping[str, Any]) -> None:
    """Can any card take them?  Raises ValueError."""
    act = ACTS.get(params["code"])
    if act is None:
        raise ValueError(f"code is one of {', '.join(ACTS)}")
    if len(params.get("values", {})) > MAX_CHANGES:
        raise ValueError(f"values has at most {MAX_CHANGES} members")
    refusals = []
    for version in reversed(VERSIONS):
        try:
            changes(act, params.get("values", {}), version)
        except ValueError as error:
            refusals.append(error)
    if len(refusals) == len(VERSIONS):
        raise refusals[0]
