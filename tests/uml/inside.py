"""Runs the checks of one module inside User Mode Linux; a line of JSON on the console for each.

    python -m tests.uml.inside MODULE

A check is a function whose name begins with `check_`; it takes no arguments and raises when the
pins do not do what it says.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import struct
import sys
import threading
import time
import traceback

MARK = "uml: "
CHECK_S = 120.0
RNDADDENTROPY = 0x40085203  # linux/random.h


def main() -> None:
    seed_random(bytes.fromhex(os.environ["SEED"]))
    module = importlib.import_module(sys.argv[1])
    for name in [name for name in vars(module) if name.startswith("check_")]:
        told: dict[str, object] = {"name": name, "trouble": "it did not end"}
        thread = threading.Thread(target=run, args=(getattr(module, name), told), daemon=True)
        thread.start()
        thread.join(CHECK_S)
        print("\n" + MARK + json.dumps(told), flush=True)


def seed_random(seed: bytes) -> None:
    """A kernel without hardware gathers too little for os.urandom, which would wait for minutes."""
    with open("/dev/random", "wb") as device:
        fcntl.ioctl(device, RNDADDENTROPY, struct.pack("ii", 8 * len(seed), len(seed)) + seed)


def run(check, told: dict[str, object]) -> None:
    began = time.monotonic()
    try:
        told["said"] = check()
    except BaseException:
        told["trouble"] = traceback.format_exc()
    else:
        told["trouble"] = None
    told["s"] = round(time.monotonic() - began, 3)


if __name__ == "__main__":
    main()
