"""Issue D2: the emulated CCID reader is one for libccid too, which drives real ones (M14)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.libccid_rig import KINDS


@pytest.mark.pcscd
@pytest.mark.parametrize("kind", KINDS)
def test_m14_a_purchase_through_libccid_before_the_emulated_reader(
    tmp_path: Path, kind: str
) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.libccid_rig", kind, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert (run.stdout, run.returncode) == ("APPROVED\n", 0), run.stderr
