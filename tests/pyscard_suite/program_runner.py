"""Runs programs one by one, each in a forked child: python program_runner.py ours|theirs

One line on standard input names a program; what it prints follows on standard output, then a line
beginning with MARK: JSON of how it ended.
"""

import json
import os
import runpy
import sys
import threading
import time

MARK = "\x01"
SECONDS = 60
KILLED = 99
NAME = "firmware.drivers.smartcard"


def name_of(kind):
    """The class's full name, of either package."""
    return f"{kind.__module__}.{kind.__qualname__}".replace(NAME, "smartcard")


def described(error):
    if error is None:
        return None
    return {
        "class": [name_of(each) for each in type(error).__mro__],
        "str": str(error).replace(NAME, "smartcard"),
        "hresult": getattr(error, "hresult", None),
    }


def run(path):
    """In the child: how it ended, written when its own code is over."""
    error = None
    threading.Thread(target=end_late, daemon=True).start()
    try:
        runpy.run_path(path, run_name="__main__")
    except BaseException as caught:
        error = caught
    sys.stdout.flush()
    print(MARK + json.dumps({"error": described(error)}), flush=True)
    if error is not None:
        error.__traceback__ = None


def end_late():
    time.sleep(SECONDS)
    print("SO FAR", flush=True)
    os._exit(KILLED)


def main():
    if sys.argv[1] == "ours":
        from firmware.drivers.smartcard import install

        install()
    for line in sys.stdin:
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            os.close(0)
            os.open(os.devnull, os.O_RDONLY)
            sys.argv = [line.strip()]
            run(line.strip())
            return
        _, status = os.waitpid(pid, 0)
        ended = {"status": os.waitstatus_to_exitcode(status), "took": time.monotonic() - began}
        print(MARK + json.dumps(ended), flush=True)


if __name__ == "__main__":
    main()
