"""tools/cached.sh: what the tests build once is whole or absent, and built anew when it changed."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.waiting import SOON_S

ROOT = Path(__file__).parent.parent
BUILDER = """#!/bin/sh
set -eu
. {cached}
place=$(cached_place thing 1 "$0")
case ${{1:-}} in
--where) echo "$place" ;;
--into) echo started >>{log}; sleep 0.2; echo whole >"$2/thing"; {ending} ;;
*) cached_build "$place" "$0" --into ;;
esac
"""


@pytest.fixture
def builder(tmp_path):
    """(make a builder that ends so, run it with arguments, its log)."""
    script, log = tmp_path / "build_thing.sh", tmp_path / "log"
    env = {**os.environ, "SSC_CACHE": str(tmp_path / "cache")}

    def write(ending):
        text = BUILDER.format(cached=ROOT / "tools" / "cached.sh", log=log, ending=ending)
        script.write_text(text)
        script.chmod(0o755)

    def start(*arguments):
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [script, *arguments], stdout=pipe, stderr=pipe, text=True, env=env, cwd=tmp_path
        )

    return write, start, log


def ended(process):
    out, err = process.communicate(timeout=SOON_S)
    return process.returncode, out, err


def test_two_at_once_build_one_thing_once(builder):
    write, start, log = builder
    write("true")
    assert [ended(each)[0] for each in [start(), start()]] == [0, 0]
    assert ended(start())[0] == 0
    assert log.read_text() == "started\n"
    place = Path(ended(start("--where"))[1].strip())
    assert (place / "thing").read_text() == "whole\n"


def test_a_failed_build_leaves_nothing_and_is_tried_again(builder):
    write, start, log = builder
    write("exit 3")
    place = Path(ended(start("--where"))[1].strip())
    code, _, said = ended(start())
    assert code == 1
    assert "tools/install_test_packages.sh tries again" in said
    assert not place.exists()
    assert not any(each.is_dir() for each in place.parent.iterdir())
    assert ended(start())[0] == 1
    assert log.read_text() == "started\n" * 2


def test_a_changed_builder_builds_in_a_place_of_its_own(builder):
    write, start, _ = builder
    write("true")
    first = ended(start("--where"))[1]
    write("true # better")
    assert ended(start("--where"))[1] != first


def test_a_builder_says_which_package_it_lacks(tmp_path):
    script = f". {ROOT}/tools/cached.sh; cached_needs sh dash no-such-program some-package"
    code, _, said = ended(
        subprocess.Popen(
            ["sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    )
    assert code == 1
    assert "some-package" in said
    assert "dash" not in said


def test_every_builder_answers_where_without_building(tmp_path):
    builders = sorted((ROOT / "tools").glob("build_*.sh"))
    assert builders
    env = {**os.environ, "SSC_CACHE": str(tmp_path)}
    for each in builders:
        done = subprocess.run(
            [each, "--where"], capture_output=True, text=True, timeout=SOON_S, env=env, check=True
        )
        assert done.stdout.startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
