"""A unit that runs, asked over ssh: by the network or through a serial line, the same way.

ssh checks who the unit is (the first time its key is remembered, from then on it must be that one)
and who we are (a key that the unit was provisioned with).
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.door.talk import STALL_S, Talk, TalkError
from tools.technician import programs
from tools.technician.errors import ROWS, FlashError
from tools.technician.place import Place

ROOT = Path(__file__).resolve().parents[2]
CONNECT_S = 120  # a serial line may take that long (line.py)
END_S, CAUSE_S = 30.0, 5.0  # for ssh to end; to say why the line is gone
KNOWN = "known_units"
OPTIONS = (
    "BatchMode=yes",
    "CheckHostIP=no",
    "ClearAllForwardings=yes",
    "ControlMaster=no",
    "ControlPath=none",
    "ForwardAgent=no",
    "GlobalKnownHostsFile=none",
    "HashKnownHosts=no",
    "LogLevel=ERROR",
    "PreferredAuthentications=publickey",
    "ServerAliveCountMax=3",
    "ServerAliveInterval=10",
    "StrictHostKeyChecking=accept-new",
    "UpdateHostKeys=no",
)
SAID = (
    (1403, ("Host key verification failed", "IDENTIFICATION HAS CHANGED")),
    (1402, ("Permission denied", "Too many authentication failures", "no identities")),
    (1401, ("Could not resolve", "Connection refused", "timed out", "No route", "unreachable",
            "no unit answers", "during banner exchange", "Connection closed by UNKNOWN",
            "kex_exchange_identification")),
)  # fmt: skip
"""Number of an error -> what ssh says then."""


class Remote:
    """key: a technician's private one, None for ssh's own choice.  state: this computer's notes."""

    def __init__(self, place: Place, key: Path | None, state: Path):
        self.place, self._key, self._state = place, key, state

    @contextlib.contextmanager
    def act(self, name: str, request: dict[str, Any]) -> Iterator[Conversation]:
        """The request is sent; the answers are the caller's to read.  Raises FlashError."""
        self._state.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "LC_ALL": "C", "PYTHONPATH": _python_path()}
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                [*self._command(), name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                env=environment,
            )
            assert process.stdin is not None
            assert process.stdout is not None
            talk = Talk(process.stdout.fileno(), process.stdin.fileno())
            wait_s = 0.0
            try:
                with process.stdin, process.stdout:
                    talk.tell(request)
                    yield Conversation(talk)
                wait_s = END_S
            except TalkError as error:
                _end(process, CAUSE_S)
                raise self._meaning(said, error) from None
            finally:
                _end(process, wait_s)

    def ask(self, name: str, request: dict[str, Any], stall_s: float = STALL_S) -> dict[str, Any]:
        """The result.  stall_s: until the first answer.  Raises FlashError."""
        with self.act(name, request) as conversation:
            return conversation.result(stall_s + CONNECT_S)

    def _command(self) -> list[str]:
        place, known = self.place, self._state / KNOWN
        words = [programs.path_of("ssh"), "-F", "none", "-T", "-x"]
        for each in (*OPTIONS, f"ConnectTimeout={CONNECT_S}", f"HostKeyAlias={place.name}"):
            words += ["-o", each]
        words += ["-o", f'UserKnownHostsFile="{known}"']
        if self._key is not None:
            words += ["-o", "IdentitiesOnly=yes", "-i", str(self._key)]
        if place.kind == "serial":
            carried = [sys.executable, "-m", "tools.technician.line", place.address]
            proxy = shlex.join([*carried, str(place.port)]).replace("%", "%%")
            return [*words, "-o", f"ProxyCommand={proxy}", "root@unit"]
        return [*words, "-p", str(place.port), f"root@{place.address.strip('[]')}"]

    def _meaning(self, said: Any, error: TalkError) -> FlashError:
        """What ssh said, as a row of the table."""
        said.seek(0)
        words = said.read(20_000).decode(errors="replace")
        for number, texts in SAID:
            if any(text in words for text in texts):
                return FlashError(number, f"{self.place}: {' '.join(words.split())[-200:]}")
        return FlashError(1414, f"{self.place}: {error} {' '.join(words.split())[-150:]}".strip())


class Conversation:
    """What the unit answers to one request."""

    def __init__(self, talk: Talk):
        self.talk = talk

    def next(self, stall_s: float = STALL_S) -> tuple[str, Any]:
        """("say" | "bytes" | "result", what).  Raises FlashError for "error", TalkError."""
        told = self.talk.line(stall_s)
        if len(told) != 1:
            raise TalkError("an answer of another form")
        ((kind, what),) = told.items()
        if kind == "error" and isinstance(what, dict):
            number, detail = what.get("number"), str(what.get("detail"))[:300]
            raise FlashError(number if number in ROWS else 1405, detail)  # type: ignore[arg-type]
        if kind not in ("say", "bytes", "result"):
            raise TalkError("an answer of another form")
        return kind, what

    def result(self, stall_s: float = STALL_S) -> dict[str, Any]:
        """The result, whatever is said before.  Raises FlashError, TalkError."""
        while True:
            kind, what = self.next(stall_s)
            if kind == "result" and isinstance(what, dict):
                return what
            if kind != "say":
                raise TalkError("an answer of another form")


def _python_path() -> str:
    before = os.environ.get("PYTHONPATH")
    return f"{ROOT}{os.pathsep}{before}" if before else str(ROOT)


def _end(process: subprocess.Popen[bytes], wait_s: float) -> None:
    try:
        process.wait(wait_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(END_S)
