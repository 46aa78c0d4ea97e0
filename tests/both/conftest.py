"""Each test function of this folder runs twice: here, and in a real MicroPython.

What holds for a file here: docs/architecture.md's MicroPython-clean dialect; functions `test_*`
without arguments, plain asserts, tables walked in loops, no pytest.  Those of one file run in one
MicroPython.  NEEDS_PCSCD = True: with a real pcscd, whose cards tests/both/cards.py plugs in.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import card_server, micropython

RESULTS = pytest.StashKey[dict[Path, dict[str, micropython.Result]]]()


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> BothModule:
    return BothModule.from_parent(parent, path=module_path)  # type: ignore[no-any-return]


class BothModule(pytest.Module):
    def collect(self) -> Iterator[Any]:
        marks = [pytest.mark.pcscd] if getattr(self.obj, "NEEDS_PCSCD", False) else []
        for mark in marks:
            self.add_marker(mark)
        functions = [each for each in super().collect() if isinstance(each, pytest.Function)]
        yield from functions
        for each in functions:
            item = MicropythonItem.from_parent(self, name=f"{each.name}[micropython]")
            item.add_marker(pytest.mark.timeout(3 * micropython.DEADLINE_S))  # the first runs all
            yield item


class MicropythonItem(pytest.Item):
    """One test function, called in MicroPython."""

    @property
    def function_name(self) -> str:
        return self.name.removesuffix("[micropython]")

    def setup(self) -> None:
        if reason := micropython.missing():
            pytest.skip(reason)

    def runtest(self) -> None:
        done = self.session.stash.setdefault(RESULTS, {})
        if self.path not in done:
            done[self.path] = micropython.run_functions(self.path, self._chosen())
        result = done[self.path].get(self.function_name) or done[self.path][""]
        self.add_report_section("call", "stdout", result.printed)
        if result.error is not None:
            pytest.fail("in MicroPython:\n" + result.error, pytrace=False)

    def _chosen(self) -> list[str]:
        """The functions of this file that this session is to run."""
        items = (each for each in self.session.items if isinstance(each, MicropythonItem))
        return [each.function_name for each in items if each.path == self.path]

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, self.name


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("pcscd") and not item.get_closest_marker("skip"):
        card_server.shared()


def pytest_runtest_teardown(item: pytest.Item) -> None:
    if item.get_closest_marker("pcscd") and not item.get_closest_marker("skip"):
        card_server.shared().pull_all()
