"""What survives power-off, as JSON: bytes become "hex:..." strings, the rest stays as it is."""

from __future__ import annotations

import dataclasses
from typing import Any

from simulator.local import Local
from simulator.switches import Switches

_MARK = "hex:"


def to_json(value: Any) -> Any:
    """A dataclass, Switches, Local, bytes, or a list or dict of them -> plain JSON values."""
    if isinstance(value, bytes):
        return _MARK + value.hex()
    if isinstance(value, dict):
        return {key: to_json(each) for key, each in value.items()}
    if isinstance(value, list):
        return [to_json(each) for each in value]
    if isinstance(value, Switches):
        return value.changed()
    if isinstance(value, Local):
        return value.to_json()
    if dataclasses.is_dataclass(value):
        return {
            field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    return value


def from_json(value: Any) -> Any:
    """The inverse, but for dataclasses, Switches and Local: those come back as dicts."""
    if isinstance(value, str) and value.startswith(_MARK):
        return bytes.fromhex(value[len(_MARK) :])
    if isinstance(value, dict):
        return {key: from_json(each) for key, each in value.items()}
    if isinstance(value, list):
        return [from_json(each) for each in value]
    return value
