"""Simulated terminals of the storm: real TLS under their own certificates, the unit's own back-off.

`python -m tests.bench.storm_terminals WORLD FIRST STEP PORT` plays every STEP-th terminal from
FIRST on.  It prints "ready", waits for a line on standard input, and then prints one JSON object:
seconds of each terminal from the start to its last receipt, and what it met; the receipts go to
WORLD/receipts-FIRST.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import ssl
import sys
import time
from collections import Counter
from pathlib import Path

from firmware.uplink import backoff
from firmware.uplink.https import TIMEOUT_S
from tests.bench import storm_world
from tests.bench.storm_world import Simulated

GIVE_UP_S = 600.0


class Storm:
    def __init__(self, world: Path, port: int):
        self._world = world
        self._port = port
        self.met: Counter[str] = Counter()
        self.seconds: list[float] = []
        self.receipts: list[bytes] = []

    def context(self, terminal: Simulated) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.minimum_version = ssl.TLSVersion.TLSv1_3
        made.load_cert_chain(terminal.pem)
        made.load_verify_locations(self._world / "authority" / "ca.crt")
        return made

    async def play(self, terminal: Simulated, context: ssl.SSLContext, began_s: float) -> None:
        """As firmware/uplink/push.py does it: a draw at the start, then back-off after failures."""
        held: list[bytes] = []
        failures = 0
        wait_s = backoff.delay_s(0)
        while len(held) < len(terminal.batches) and time.monotonic() - began_s < GIVE_UP_S:
            await asyncio.sleep(wait_s)
            before = len(held)
            least_s = 0.0
            try:
                least_s = await self._connection(terminal, context, held)
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                self.met[type(error).__name__] += 1
            failures = 0 if len(held) > before else failures
            wait_s = least_s + backoff.delay_s(failures)
            failures += 1
        self.receipts += held
        if len(held) == len(terminal.batches):
            self.seconds.append(time.monotonic() - began_s)

    async def _connection(
        self, terminal: Simulated, context: ssl.SSLContext, held: list[bytes]
    ) -> float:
        """Send what has no receipt; the seconds that a 503 asks for."""
        async with asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self._port, ssl=context, ssl_handshake_timeout=TIMEOUT_S
            )
        try:
            for content in terminal.batches[len(held) :]:
                head = (
                    "POST /v1/batches HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                    f"Content-Type: application/cbor\r\nContent-Length: {len(content)}\r\n\r\n"
                )
                writer.write(head.encode() + content)
                async with asyncio.timeout(TIMEOUT_S):
                    status, headers, body = await _answer(reader)
                self.met[str(status)] += 1
                if status != 200:
                    return float(headers.get("retry-after", 0))
                held.append(body)
        finally:
            writer.transport.abort()
        return 0.0


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (h.partition(":") for h in head)}
    body = await reader.readexactly(int(headers["content-length"]))
    return int(head[0].split()[1]), headers, body


async def _play(world: Path, first: int, step: int, port: int) -> None:
    storm = Storm(world, port)
    terminals = list(storm_world.load(world))[first::step]
    contexts = [storm.context(each) for each in terminals]
    gc.collect()
    gc.freeze()
    print("ready", flush=True)
    sys.stdin.readline()
    began_s = time.monotonic()
    played = [
        storm.play(each, context, began_s)
        for each, context in zip(terminals, contexts, strict=True)
    ]
    await asyncio.gather(*played)
    kept = world / f"receipts-{first}"
    kept.write_bytes(b"".join(len(r).to_bytes(4, "big") + r for r in storm.receipts))
    print(json.dumps({"seconds": storm.seconds, "met": dict(storm.met)}), flush=True)


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    world, *numbers = sys.argv[1:]
    asyncio.run(_play(Path(world), *map(int, numbers)))
