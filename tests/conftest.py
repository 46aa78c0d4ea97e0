"""What holds for every test: nothing is skipped in silence, and under CI=true nothing at all."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from tests import pcscd_rig, slow_first
from tests.uml import kernel

SKIPPED = pytest.StashKey[list[tuple[str, str]]]()
# What hypothesis finds is for it to say; how fast this machine is at the moment is not.
settings.register_profile(
    "steady", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")
COUNTED = "counted"  # record_property(COUNTED, text): what a test did often is shown at the end


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SKIPPED] = []
    config.pluginmanager.register(SkipLedger(config.stash[SKIPPED]), "skip-ledger")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked `pcscd` or `uml` are skipped where that cannot be had, with the reason."""
    slow_first.sort(items)
    for mark, missing in (("pcscd", pcscd_rig.missing), ("uml", kernel.missing)):
        marked = [item for item in items if item.get_closest_marker(mark)]
        if marked and (reason := missing()):
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=reason))


class SkipLedger:
    """Keeps (name, reason) of every skip; a whole module that skipped itself counts as one."""

    def __init__(self, skipped: list[tuple[str, str]]) -> None:
        self._skipped = skipped

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        entry = (report.nodeid, str(reason).removeprefix("Skipped: "))
        if entry not in self._skipped:  # every xdist worker collects every module
            self._skipped.append(entry)


def is_ci() -> bool:
    return os.environ.get("CI") == "true"


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.stash[SKIPPED] and is_ci() and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    show_counts(terminalreporter)
    skipped = config.stash[SKIPPED]
    if not skipped:
        return
    verdict = ", which fails the run under CI=true" if is_ci() else ""
    terminalreporter.section(f"{len(skipped)} skipped{verdict}")
    for name, reason in skipped:
        terminalreporter.line(f"{name}: {reason}")


def show_counts(reporter: pytest.TerminalReporter) -> None:
    ended = [each for how in ("passed", "failed") for each in reporter.stats.get(how, ())]
    said = [
        f"{each.nodeid}: {text}"
        for each in ended
        for name, text in getattr(each, "user_properties", ())
        if name == COUNTED
    ]
    if said:
        reporter.section("counted")
        for line in sorted(said):
            reporter.line(line)
