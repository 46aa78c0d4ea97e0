"""tools/bootstrap/environment.py decides rightly what is missing (issue, sections 9 and 10).

That it makes a working environment is shown by every run: this one runs in it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import SOON_S
from tools.bootstrap import environment

PYPROJECT = """
[build-system]
requires = []
[project]
name = "x"
dependencies = []
[tool.setuptools]
[tool.ruff]
line-length = 1
"""


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project of its own in `tmp_path`, whose environment holds nothing yet."""
    sets = ("", "-hardware", "-office", "-technician", "-dev")
    for name in ("pip.whl", *(f"requirements{each}.txt" for each in sets)):
        (tmp_path / name).write_text(name)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "build").mkdir()
    venv = tmp_path / ".venv"
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "VENV", venv)
    monkeypatch.setattr(environment, "PYTHON", venv / "bin" / "python")
    monkeypatch.setattr(environment, "STAMP", venv / "stamp.json")
    monkeypatch.setattr(environment, "PIP", tmp_path / "pip.whl")
    monkeypatch.setattr(environment, "LOCK", tmp_path / "build" / "lock")
    monkeypatch.setattr(environment, "LOG", tmp_path / "build" / "log")
    requirements = {
        "runtime": "requirements.txt",
        "hardware": "requirements-hardware.txt",
        "office": "requirements-office.txt",
        "technician": "requirements-technician.txt",
        "dev": "requirements-dev.txt",
    }
    for step, name in requirements.items():
        monkeypatch.setitem(environment.REQUIREMENTS, step, tmp_path / name)
    return tmp_path


@pytest.fixture
def installed(project, monkeypatch) -> list[str]:
    """The last argument of each call of pip, which does nothing here."""
    calls: list[str] = []
    monkeypatch.setattr(
        environment, "pip_install", lambda *given: calls.append(Path(given[-1]).name)
    )
    return calls


def missing(*wanted: str) -> list[str]:
    return environment.missing_steps(environment.read_stamp(), list(wanted))


def test_a_second_run_has_nothing_to_do(project, installed):
    environment.make_environment(["runtime"])
    assert installed == ["requirements.txt", project.name]
    environment.make_environment(["runtime"])
    assert len(installed) == 2
    assert missing("runtime", "dev") == ["dev"]


def test_the_demo_needs_no_more_than_the_runtime_and_the_tests_contain_it(project, installed):
    environment.make_environment(["runtime", "dev"])
    assert missing("runtime") == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "pip.whl"])
def test_changed_requirements_make_it_anew(project, installed, name):
    environment.make_environment(["runtime", "dev"])
    (project / name).write_text("changed")
    assert missing("runtime") == ["venv", "runtime", "project"]


def test_changed_metadata_installs_the_project_again_but_tool_settings_do_not(project, installed):
    environment.make_environment(["runtime"])
    pyproject = project / "pyproject.toml"
    pyproject.write_text(PYPROJECT.replace("line-length = 1", "line-length = 2"))
    assert missing("runtime") == []
    pyproject.write_text(PYPROJECT.replace('"x"', '"y"'))
    assert missing("runtime") == ["project"]


def test_an_interrupted_environment_is_made_anew(project, monkeypatch):
    def killed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(environment, "pip_install", killed)
    with pytest.raises(KeyboardInterrupt):
        environment.make_environment(["runtime"])
    assert missing("runtime") == ["venv", "runtime", "project"]


def test_an_environment_whose_python_went_away_is_made_anew(project, installed):
    environment.make_environment(["runtime"])
    environment.PYTHON.unlink()
    assert missing("runtime") == ["venv", "runtime", "project"]


def test_a_pip_wheel_with_another_hash_never_runs(project, monkeypatch):
    def run(*arguments, **options):
        raise AssertionError("pip was run")

    monkeypatch.setattr(environment.subprocess, "run", run)
    with pytest.raises(environment.BootstrapError, match=r"pip\.whl is not the file it should be"):
        environment.pip_install("x")


def test_a_failing_pip_is_told_with_its_own_words(project, monkeypatch):
    """Here the wheel is right by hash and empty: the interpreter itself says what it cannot run."""
    monkeypatch.setattr(
        environment, "PIP_SHA256", environment.hashlib.sha256(b"pip.whl").hexdigest()
    )
    monkeypatch.setattr(environment, "PYTHON", Path(sys.executable))
    with pytest.raises(environment.BootstrapError, match="can't open file") as caught:
        environment.pip_install("x")
    assert "run this again" in str(caught.value)


def test_two_runs_at_once_do_not_meet(project, installed, monkeypatch):
    """While another process holds the lock the second run waits, and says when it gives up."""
    hold = (
        "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX);"
        "print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, environment.LOCK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout.readline() == b"held\n"
        monkeypatch.setattr(environment, "DEADLINE_S", 0.1)
        with pytest.raises(environment.BootstrapError, match="another set-up holds"):
            environment.make_environment(["runtime"])
        assert installed == []
    finally:
        holder.communicate(timeout=SOON_S)
    environment.make_environment(["runtime"])
    assert installed == ["requirements.txt", project.name]
