"""`python -m tests.powercut`: records sequences, cuts the power of each, prints one line of JSON.

    --build NAME         builds.py; as-it-is
    --seeds FIRST END    the sequences, END not among them; 0 1
    --cuts N             of each sequence; 40
    --again N            one of them is started again and recorded, and cut so often; 8
    --drops              only cuts behind the first record noted, with at least one write dropped

{"build", "sequences", "recordings", "replayed_whole": recordings whose log gives the recorded disk,
"pruned": records that were let go, "cuts", "pairs": different (recording, write, dropped writes),
"torn": cuts with a torn write, "mounts_failed", "verified": records the verifier found right,
"seconds", "failed": [{"recording", "at", "dropped", "why"}, ...]}
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
from pathlib import Path

from tests.powercut import system
from tests.powercut.run import Run

TMPFS = "size=512m"


def main() -> None:
    wanted = _arguments()
    logging.disable()  # what a spoilt build makes the firmware say is no news
    system.end_with_parent()
    system.leave_mounts()
    place = Path(tempfile.mkdtemp(prefix="ssc-powercut-"))
    try:
        system.mount("powercut", place, "tmpfs", TMPFS)
        try:
            run = Run(place, wanted.build, wanted.cuts, wanted.again, drops=wanted.drops)
            print(json.dumps(run.result(range(*wanted.seeds))), flush=True)
        finally:
            system.unmount(place)
    finally:
        place.rmdir()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.powercut")
    parser.add_argument("--build", default="as-it-is")
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 1))
    parser.add_argument("--cuts", type=int, default=40)
    parser.add_argument("--again", type=int, default=8)
    parser.add_argument("--drops", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
