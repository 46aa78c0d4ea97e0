"""Runs the checks of one module inside User Mode Linux; a line of JSON on the console for each.

    python -m tests.uml.inside MODULE

A check is a function whose name begins with `check_`; it takes no arguments and raises when the
pins do not do what it says.
"""

from __future__ import annotations

import importlib
import json
import sys
import threading
import time
import traceback

MARK = "uml: "
CHECK_S = 20.0


def main() -> None:
    module = importlib.import_module(sys.argv[1])
    for name in [name for name in vars(module) if name.startswith("check_")]:
        told: dict[str, object] = {"name": name, "trouble": "it did not end"}
        thread = threading.Thread(target=run, args=(getattr(module, name), told), daemon=True)
        thread.start()
        thread.join(CHECK_S)
        print("\n" + MARK + json.dumps(told), flush=True)


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
