"""One figure of the bench: what was measured, against what, and how."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """value: None where this machine cannot measure it, `note` says why.

    reference: a figure of the same unit to compare with, None where there is none.
    """

    value: float | None
    unit: str
    reference: float | None
    note: str

    @property
    def ratio(self) -> float | None:
        """value / reference."""
        if self.value is None or not self.reference:
            return None
        return self.value / self.reference

    def row(self) -> dict[str, object]:
        """value, unit, reference, ratio, note, rounded to what the measurement is worth."""
        fields = asdict(self) | {"ratio": self.ratio}
        order = ("value", "unit", "reference", "ratio", "note")
        return {name: _rounded(fields[name]) for name in order}


Figures = Mapping[str, Figure]


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many per cent of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]


def milliseconds(values_ns: Sequence[int], percent: float = 50) -> float:
    return percentile(values_ns, percent) / 1e6


def spread(values_ms: Sequence[float]) -> str:
    """For a note: fastest, median and slowest, and of how many."""
    lowest, middle, highest = min(values_ms), statistics.median(values_ms), max(values_ms)
    return f"{lowest:.0f} / {middle:.0f} / {highest:.0f} ms in {len(values_ms)}"


def write(path: Path, figures: Figures) -> None:
    """One flat JSON object, row name -> row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = {name: figure.row() for name, figure in figures.items()}
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def table(figures: Figures) -> str:
    """Names to the left, numbers to the right; the notes stand in the file."""
    lines = [("", "value", "", "reference", "ratio")]
    for name, figure in figures.items():
        row = figure.row()
        cells = [_cell(row[key]) for key in ("value", "reference", "ratio")]
        lines.append((name, cells[0], figure.unit, cells[1], cells[2]))
    widths = [max(len(line[at]) for line in lines) for at in range(5)]
    return "\n".join(
        f"{name:{widths[0]}}  {value:>{widths[1]}} {unit:{widths[2]}}"
        f"  {reference:>{widths[3]}}  {ratio:>{widths[4]}}".rstrip()
        for name, value, unit, reference, ratio in lines
    )


def _rounded(value: object) -> object:
    """Three figures behind the first; whole numbers stay whole."""
    if not isinstance(value, float):
        return value
    if value == int(value):
        return int(value)
    return float(f"{value:.4g}")


def _cell(value: object) -> str:
    return "-" if value is None else str(value)
