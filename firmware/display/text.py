"""The text of one message, in both languages and two lengths."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from string import Formatter

ABSENT = "--"
"""Stands where a field was not given: a message is shown in any case."""


@dataclass(frozen=True)
class Text:
    """zh, en: what is.  *_next: what to do now.  *_panel: both in short, on one line each."""

    zh: str
    en: str
    zh_next: str
    en_next: str
    zh_panel: str
    en_panel: str

    def filled(self, values: dict[str, str]) -> Text:
        """With its fields filled in; a field without a value becomes ABSENT."""
        given = {name: values.get(name, ABSENT) for name in self.field_names()}
        texts = {each.name: getattr(self, each.name).format_map(given) for each in fields(self)}
        return replace(self, **texts)

    def field_names(self) -> set[str]:
        """The fields that any of the texts names."""
        parsed = (
            part for each in fields(self) for part in Formatter().parse(getattr(self, each.name))
        )
        return {name for _, name, _, _ in parsed if name is not None}
