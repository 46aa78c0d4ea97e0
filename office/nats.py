"""The office's end of NATS JetStream: one durable consumer of batches, a subject for each receipt.

A message is acknowledged after its batch is on the disk and its receipt in the stream: whoever is
killed in between, it comes again, and gets the same receipt.  A batch that is refused is ended
(TERM), kept aside, and its unit told why.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from firmware.uplink import backoff, nkey, subjects
from office import streams
from office.errors import ROWS, OfficeError, Refused
from office.intake import Taken
from office.offered import Offered

_log = logging.getLogger(__name__)

FETCH = 128
FETCH_S = 1.0
TIMEOUT_S = 10.0
OFFER_EVERY_S = 30.0
_REDELIVER_S = 5.0

Answer = Taken | Refused
Take = Callable[[Sequence[tuple[str, bytes]]], Awaitable[list[Answer]]]


class Server(NamedTuple):
    """url: tls://HOST:PORT or nats://HOST:PORT.  context: for tls.  leaves: JetStream domains of
    leaf nodes, hub: our own domain, where there are any."""

    url: str
    context: ssl.SSLContext | None = None
    credentials: Path | None = None
    leaves: tuple[str, ...] = ()
    hub: str | None = None


class NatsOffice:
    """take: stores batches durably, together; offers: what every unit, or one, may fetch."""

    def __init__(
        self,
        server: Server,
        take: Take,
        offers: Callable[[], Awaitable[dict[str, list[Offered]]]],
    ):
        self._server = server
        self._take = take
        self._offers = offers
        self._offered: dict[str, bytes] = {}

    async def serve(self, stop: asyncio.Event) -> None:
        """Until `stop`; a server that is away is tried again with back-off."""
        failures = 0
        while not stop.is_set():
            try:
                await self.run(stop.is_set)
                failures = 0
            except OfficeError as error:
                _log.warning("%s", error)
                wait_s = 1 + backoff.delay_s(failures, cap_s=60)
                failures += 1
                try:
                    await asyncio.wait_for(stop.wait(), wait_s)
                except TimeoutError:
                    continue

    async def run(self, is_over: Callable[[], bool], idle_s: float | None = None) -> None:
        """One connection, until is_over(), or nothing came for idle_s.  Raises OfficeError 931."""
        try:
            client = await self._connected()
        except (NatsError, OSError, TimeoutError) as error:
            raise OfficeError(931, _cause(self._server.url, error)) from None
        try:
            await self._run(client, is_over, idle_s)
        except (NatsError, OSError, TimeoutError) as error:
            raise OfficeError(931, _cause(self._server.url, error)) from None
        finally:
            await client.close()

    async def _run(self, client: Client, is_over: Callable[[], bool], idle_s: float | None) -> None:
        stream = client.jetstream(timeout=TIMEOUT_S)
        await self._provide(client, stream)
        await self._offer(stream)
        waiting = await stream.pull_subscribe_bind(streams.CONSUMER, subjects.BATCHES)
        last_s = offered_s = time.monotonic()
        while not is_over():
            try:
                messages = await waiting.fetch(FETCH, timeout=min(FETCH_S, idle_s or FETCH_S))
            except TimeoutError:
                messages = []
            now_s = time.monotonic()
            if messages:
                await self._take_in(stream, messages)
                last_s = now_s
            elif not client.is_connected:
                raise OfficeError(931, f"{self._server.url}: the connection was lost")
            elif idle_s is not None and now_s - last_s >= idle_s:
                return
            if now_s - offered_s >= OFFER_EVERY_S:
                await self._offer(stream)
                offered_s = now_s

    async def _connected(self) -> Client:
        try:
            path = self._server.credentials
            key = None if path is None else nkey.read(path)
        except nkey.CredentialsError as error:
            raise OfficeError(931, str(error)) from None
        client = Client()
        options: dict[str, Any] = {}
        if self._server.context is not None:
            options["tls"] = self._server.context
        if key is not None:
            options["signature_cb"] = key.sign
            if key.jwt is not None:
                options["user_jwt_cb"] = key.jwt.encode
            client._public_nkey = key.public  # its own way there needs one more package
        await client.connect(
            self._server.url,
            name="sscoffice",
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=int(TIMEOUT_S),
            error_cb=_failed,
            **options,
        )
        return client

    async def _provide(self, client: Client, stream: JetStreamContext) -> None:
        for leaf in self._server.leaves:
            there = client.jetstream(domain=leaf, timeout=TIMEOUT_S)
            await streams.provide_leaf(there, self._server.hub or "")
        await streams.provide(stream, self._server.leaves)

    # -- up --------------------------------------------------------------------------------------

    async def _take_in(self, stream: JetStreamContext, messages: list[Msg]) -> None:
        """Commit, then receipts, then acknowledgements.  Raises OfficeError: they come again."""
        batches = [(subjects.unit_of_batch(each.subject), each.data) for each in messages]
        try:
            answers = await self._take(batches)
        except OfficeError:
            await asyncio.gather(*(each.nak(delay=_REDELIVER_S) for each in messages))
            raise
        told = zip(messages, batches, answers, strict=True)
        await asyncio.gather(*(self._answer(stream, m, unit, a) for m, (unit, _), a in told))

    async def _answer(
        self, stream: JetStreamContext, message: Msg, unit: str, answer: Answer
    ) -> None:
        if isinstance(answer, Refused):
            row = ROWS[answer.number]
            text = {"error": answer.number, "cause": row.cause_en, "detail": answer.detail}
            subject = subjects.refusal(unit, _claimed(message))
            await stream.publish(subject, json.dumps(text).encode(), stream=subjects.RECEIPTS)
            await message.term()
            return
        subject = subjects.receipt(unit, answer.batch)
        await stream.publish(subject, answer.receipt, stream=subjects.RECEIPTS)
        await message.ack()

    # -- down ------------------------------------------------------------------------------------

    async def _offer(self, stream: JetStreamContext) -> None:
        """The pieces of a file go first, then the list that names it; old pieces go last."""
        offers = await self._offers()
        lists = {owner: _list(files) for owner, files in offers.items()}
        if lists == self._offered:
            return
        files = {each.digest: each for of_one in offers.values() for each in of_one}
        for file in files.values():
            await self._put_pieces(stream, file)
        for owner, text in lists.items():
            await stream.publish(subjects.down(owner), text, stream=subjects.DOWN)
        await self._sweep(stream, set(files))
        self._offered = lists

    async def _put_pieces(self, stream: JetStreamContext, file: Offered) -> None:
        wanted = subjects.piece(file.digest, "*")
        there = await stream.stream_info(subjects.DOWN, subjects_filter=wanted)
        held = set(there.state.subjects or ())
        for at, start in enumerate(range(0, file.size, subjects.PIECE)):
            subject = subjects.piece(file.digest, at)
            if subject not in held:
                content = file.content[start : start + subjects.PIECE]
                await stream.publish(subject, content, stream=subjects.DOWN)

    async def _sweep(self, stream: JetStreamContext, offered: set[bytes]) -> None:
        there = await stream.stream_info(subjects.DOWN, subjects_filter="ssc.file.*.*")
        digests = {subject.split(".")[2] for subject in there.state.subjects or ()}
        for old in digests - {each.hex() for each in offered}:
            await stream.purge_stream(subjects.DOWN, subject=f"ssc.file.{old}.*")


def _claimed(message: Msg) -> int:
    """The number its unit gave the batch; only the unit itself is told of it."""
    text = (message.headers or {}).get(subjects.BATCH_NUMBER, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def _list(files: list[Offered]) -> bytes:
    told = [
        {"what": f.what, "number": f.number, "size": f.size, "sha256": f.digest.hex()}
        for f in files
    ]
    return json.dumps({"files": told}).encode()


def _cause(url: str, error: Exception) -> str:
    return f"{url}: {str(error) or type(error).__name__:.200}"


async def _failed(error: Exception) -> None:
    _log.warning("nats: %s", error)
