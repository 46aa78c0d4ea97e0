"""`python -m tools.door`: what sshd starts for a technician, whatever he asked for.

ssh's command is the name of one act of the table and nothing else: no shell sees it.  Exit status:
0 a result was told, 1 an error was told, 2 not an act.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from tools.door import looking, moving, updating
from tools.door.errors import DoorError
from tools.door.incoming import receive
from tools.door.talk import Talk, TalkError

Act = Callable[[Talk, dict[str, Any]], dict[str, Any]]
ACTS: dict[str, tuple[Act, int]] = {
    "info": (looking.info, 60),
    "selftest": (looking.selftest, 180),
    "logs": (looking.logs, 120),
    "receive": (receive, 12 * 3600),
    "install": (updating.install, 3900),
    "backup": (moving.backup, 600),
    "try": (updating.begin, 1200),
}
"""Name -> what does it, and the seconds it may take at most."""


def main() -> int:
    name = os.environ.get("SSH_ORIGINAL_COMMAND", "")
    talk = Talk(sys.stdin.fileno(), sys.stdout.fileno())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what was begun is ended, whoever listens
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        if name not in ACTS:
            talk.tell({"error": {"number": 1404, "detail": name[:40]}})
            return 2
        run, most_s = ACTS[name]
        signal.signal(signal.SIGALRM, _too_long)
        signal.alarm(most_s)
        return _told(talk, run)
    except TalkError as error:
        print(f"door: {name[:40]}: {error}", file=sys.stderr)
        return 1


def _told(talk: Talk, run: Act) -> int:
    """Raises TalkError."""
    try:
        result = run(talk, talk.line())
    except DoorError as error:
        talk.tell({"error": {"number": error.number, "detail": error.detail}})
        return 1
    except (OSError, ValueError) as error:
        talk.tell({"error": {"number": 1405, "detail": f"{error}"[:200]}})
        return 1
    talk.tell({"result": result})
    return 0


def _too_long(*_: object) -> None:
    raise DoorError(1405, "it took too long")


if __name__ == "__main__":
    sys.exit(main())
