"""An outcome with its texts, as every answer to a host carries it: what is, and what to do next."""

from __future__ import annotations

from typing import Any

from firmware.display.messages import message
from firmware.outcome import Outcome


def with_texts(result: Outcome, fields: dict[str, str] | None = None) -> dict[str, Any]:
    """{"outcome": {...}}.  fields: fill the texts, amounts in yuan."""
    text = message(result.name).filled(fields or {})
    return {
        "outcome": {
            "number": result.number,
            "name": result.name,
            "actor": result.actor,
            "zh": text.zh,
            "en": text.en,
            "zh_next": text.zh_next,
            "en_next": text.en_next,
        }
    }
