"""Issue 5.2: only root's processes may hold the payments back for an update."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.host.rpc import NOT_ALLOWED, RpcServer

NOBODY = 65_534
ASK = """
import json, os, socket, sys
os.setuid(int(sys.argv[2]))
link = socket.socket(socket.AF_UNIX)
link.connect(sys.argv[1])
lines = link.makefile("r")
for method in ("status", "update.lease"):
    asks = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {}}
    link.sendall(json.dumps(asks).encode() + b"\\n")
    print(lines.readline(), end="")
"""
METHODS = {name: lambda: {"done": True} for name in ("status", "update.lease")}


@pytest.fixture
def socket_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        server = RpcServer(Path(folder, "unit.sock"), 0o666, METHODS)
        server.start()
        yield Path(folder, "unit.sock")
        server.close()


def asked_by(uid: int, path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answers to `status` and `update.lease`."""
    command = [sys.executable, "-c", ASK, str(path), str(uid)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    status, lease = (json.loads(line) for line in ended.stdout.splitlines())
    return status, lease


def test_a_program_of_a_host_does_not_get_a_lease(socket_path: Path) -> None:
    status, lease = asked_by(os.getuid() or NOBODY, socket_path)
    assert status["result"] == {"done": True}
    assert lease["error"]["code"] == NOT_ALLOWED


@pytest.mark.skipif(os.getuid() != 0, reason="asks as root: needs root")
def test_root_does(socket_path: Path) -> None:
    assert asked_by(0, socket_path)[1]["result"] == {"done": True}
