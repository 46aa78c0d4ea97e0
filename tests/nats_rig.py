"""A real nats-server on loopback, its files in a folder: started, killed, started again there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

SERVER = Path(sys.executable).parent / "nats-server"
START_S = 10.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class NatsServer:
    """Use in a `with`.  domain, leaf_port, more: of its configuration."""

    def __init__(self, folder: Path, *, domain: str = "", leaf_port: int = 0, more: str = ""):
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.log = folder / "nats.log"
        leaf = f'leafnodes {{ listen: "127.0.0.1:{leaf_port}" }}\n' if leaf_port else ""
        named = f"domain: {domain}, " if domain else ""
        self._config = folder / "nats.conf"
        self._config.write_text(
            f'listen: "127.0.0.1:{self.port}"\nserver_name: "{folder.name}"\n'
            f'jetstream {{ {named}store_dir: "{folder}/store", sync_interval: always }}\n'
            f"max_payload: 8MB\n{leaf}{more}"
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def __enter__(self) -> NatsServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGKILL)

    def start(self) -> None:
        """When this returns, it listens."""
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                [str(SERVER), "-c", str(self._config)], stdout=out, stderr=out
            )
        ends = time.monotonic() + START_S
        while time.monotonic() < ends:
            if self._process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise AssertionError(f"nats-server does not listen:\n{self.log.read_text()}")

    def end(self, number: int = signal.SIGTERM) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, number)
            self._process.wait(10)
