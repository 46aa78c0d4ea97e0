"""A real nats-server on loopback: started, killed, started again; units and offices at it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from nats.aio.client import Client

from firmware.uplink import subjects
from firmware.uplink.nats import NatsLink
from firmware.uplink.spool import Spool
from office.__main__ import main
from office.nats import NatsOffice, Server
from tests.office_rig import Terminal
from tests.ports import free_port
from tests.waiting import SOON_S

SERVER = Path(sys.executable).parent / "nats-server"
START_S = SOON_S


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
            self._process.wait(SOON_S)


def link_of(unit, url, **options):
    settings = {"ca": None, "credentials": None, "poll_s": 300, "draw": lambda: 0.05} | options
    return NatsLink("unit-1" if unit is None else unit.terminal.unit, unit.spool, unit.data_dir,
                    url, **settings)  # fmt: skip


@contextlib.contextmanager
def running(*links):
    """Each in a thread of its own, until the end of the `with`."""
    stop = threading.Event()
    threads = [threading.Thread(target=each.run, args=(stop,)) for each in links]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(SOON_S)
        assert not any(thread.is_alive() for thread in threads)


def pull(office, server, capsys, *options):
    """`sscoffice pull --nats`: (exit status, what it says)."""
    capsys.readouterr()
    command = ["pull", "--dir", str(office.path), "--nats", server.url, "--json", *options]
    status = main(command)
    return status, json.loads(capsys.readouterr().out)


def on_server(server, act):
    """act(JetStream context) of a client of the test's."""

    async def run():
        client = Client()
        await client.connect(server.url)
        try:
            return await act(client.jetstream(timeout=SOON_S))
        finally:
            await client.close()

    return asyncio.run(run())


def messages(server, stream=subjects.BATCHES):
    async def act(js):
        return (await js.stream_info(stream)).state.messages

    return on_server(server, act)


def publish(server, unit, content, **headers):
    async def act(js):
        return await js.publish(subjects.batch(unit), content, headers=headers or None)

    return on_server(server, act)


class Bare:
    """unit-1 without an office."""

    def __init__(self, folder):
        self.data_dir, self.terminal = folder / "unit-1", Terminal()
        self.spool = Spool(self.data_dir)


def provide(server, offers, leaves=(), hub=None):
    async def take(batches):
        return []

    async def offered():
        return offers

    at = Server(server.url, leaves=leaves, hub=hub)
    asyncio.run(NatsOffice(at, take, offered).run(lambda: False, idle_s=0.1))
