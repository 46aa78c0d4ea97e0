"""The unit's end of NATS JetStream: batches published, receipts heard or looked up (subjects.py).

PubAck means that the server has the batch on its disk, not that the office took it: only the
receipt ends it.  A batch is published again under the same message id, which the server drops while
it remembers it; the office gives a batch that comes twice the same receipt.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from firmware.uplink import backoff, nkey, subjects, tls
from firmware.uplink.push import LOOK_S, DownFile, Outgoing, Unreachable, parse_offered
from firmware.uplink.spool import NoSuchBatch, OutOfBounds, Spool

_log = logging.getLogger(__name__)

TIMEOUT_S = 10.0
PING_S = 20
LOOK_UP_S = 2.0  # a receipt that was not heard, the first time; then later and later
PUBLISH_AGAIN_S = 660.0  # by then the server has forgotten the message id (office/streams.py)
_MAX_TEXT = 300


class NatsLink:
    """run() until it is stopped.  url: tls://HOST:PORT or nats://HOST:PORT, checked by board.py."""

    def __init__(
        self,
        unit: str,
        spool: Spool,
        data_dir: Path,
        url: str,
        ca: Path | None,
        credentials: Path | None,
        poll_s: float,
        monotonic: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ):
        self._unit = unit
        self._spool = spool
        self._data_dir = data_dir
        self._url = url
        self._ca = ca
        self._credentials = credentials
        self._poll_s = poll_s
        self._monotonic = monotonic
        self._draw = draw
        self._outgoing = Outgoing(spool, draw, LOOK_UP_S)
        self._published: dict[int, float] = {}
        self._next_poll_s = monotonic()
        self._complaint = ""

    def run(self, stop: threading.Event) -> None:
        asyncio.run(self._run(stop))

    async def _run(self, stop: threading.Event) -> None:
        failures = 0
        await self._pause(stop, backoff.delay_s(0, draw=self._draw))
        while not stop.is_set():
            began = self._monotonic()
            try:
                await self._serve(stop)
            except (Unreachable, NatsError, OSError, TimeoutError) as error:
                self._complain(f"{self._url}: {error!s:.200}" if str(error) else self._url)
            if self._monotonic() - began > backoff.CAP_S:
                failures = 0
            await self._pause(stop, backoff.delay_s(failures, draw=self._draw))
            failures += 1

    async def _serve(self, stop: threading.Event) -> None:
        """One connection, until it is lost.  What was not heard meanwhile is looked up at once."""
        client = await self._connected()
        self._outgoing = Outgoing(self._spool, self._draw, LOOK_UP_S)
        try:
            stream = client.jetstream(timeout=TIMEOUT_S)
            for subject in (subjects.receipt(self._unit, "*"), subjects.refusal(self._unit, "*")):
                await client.subscribe(subject, cb=self._heard)
            while not stop.is_set():
                if not client.is_connected:
                    raise Unreachable("the connection was lost")
                await self._send_due(client, stream)
                await self._fetch_offered(stream)
                await self._pause(stop, LOOK_S)
        finally:
            await client.close()

    async def _connected(self) -> Client:
        try:
            key = None if self._credentials is None else nkey.read(self._credentials)
        except nkey.CredentialsError as error:
            raise Unreachable(str(error)) from None
        client = Client()
        options: dict[str, Any] = {}
        if self._url.startswith("tls:"):
            options["tls"] = self._context()
        if key is not None:
            options["signature_cb"] = key.sign
            if key.jwt is not None:
                options["user_jwt_cb"] = key.jwt.encode
            client._public_nkey = key.public  # its own way there needs one more package
        await client.connect(
            self._url,
            name=self._unit,
            allow_reconnect=False,  # our own back-off has jitter
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=int(TIMEOUT_S),
            ping_interval=PING_S,
            error_cb=self._failed,
            **options,
        )
        return client

    def _context(self) -> ssl.SSLContext:
        """The unit's own certificate goes along, if it has one: a server may map it to a user."""
        trusted = self._ca or self._data_dir / tls.AUTHORITY
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        try:
            context.load_verify_locations(trusted)
            if (self._data_dir / tls.CERTIFICATE).exists():
                context.load_cert_chain(self._data_dir / tls.CERTIFICATE, self._data_dir / tls.KEY)
        except OSError as error:
            raise Unreachable(f"{trusted.name}, tls.crt, tls.key: {error!s:.200}") from None
        return context

    async def _failed(self, error: Exception) -> None:
        self._complain(f"{self._url}: {error!s:.200}")

    # -- up --------------------------------------------------------------------------------------

    async def _send_due(self, client: Client, stream: JetStreamContext) -> None:
        """Look for the receipt of each batch that is due; publish those that have none."""
        waiting = set(self._spool.pending())
        self._published = {n: at for n, at in self._published.items() if n in waiting}
        for number in self._outgoing.due(self._monotonic()):
            try:
                if not await self._look_up(stream, number) and self._must_publish(number):
                    await self._publish(client, stream, number)
            except NoSuchBatch:
                continue
            self._outgoing.sent(number, self._monotonic())

    def _must_publish(self, number: int) -> bool:
        last_s = self._published.get(number)
        return last_s is None or self._monotonic() - last_s >= PUBLISH_AGAIN_S

    async def _publish(self, client: Client, stream: JetStreamContext, number: int) -> None:
        """Raises NoSuchBatch."""
        batch, content = self._spool.whole(number)
        if len(content) > client.max_payload:
            self._complain(f"batch {number}: the server takes {client.max_payload} bytes")
            return
        headers = {subjects.MESSAGE_ID: batch.digest.hex(), subjects.BATCH_NUMBER: str(number)}
        subject = subjects.batch(self._unit)
        await stream.publish(subject, content, stream=subjects.BATCHES, headers=headers)
        self._published[number] = self._monotonic()
        self._recovered()

    async def _look_up(self, stream: JetStreamContext, number: int) -> bool:
        """A receipt that came while this unit was away."""
        try:
            subject = subjects.receipt(self._unit, number)
            kept = await stream.get_last_msg(subjects.RECEIPTS, subject, direct=True)
        except NotFoundError:
            return False
        self._put_receipt(number, kept.data or b"")
        return True

    async def _heard(self, message: Any) -> None:
        kind, _, rest = message.subject.removeprefix("ssc.").partition(".")
        text = subjects.last_token(rest)
        if not text.isascii() or not text.isdecimal() or len(text) > 18:
            return
        if kind == "receipt":
            self._put_receipt(int(text), message.data)
        else:
            self._complain(f"batch {int(text)} is refused: {_said(message.data)}")

    def _put_receipt(self, number: int, receipt: bytes) -> None:
        try:
            self._spool.put_receipt(number, receipt)
        except NoSuchBatch:
            return  # its receipt came another way
        except (OutOfBounds, OSError) as error:
            self._complain(f"the receipt of batch {number}: {error}")

    # -- down ------------------------------------------------------------------------------------

    async def _fetch_offered(self, stream: JetStreamContext) -> None:
        if self._monotonic() < self._next_poll_s:
            return
        self._next_poll_s = self._monotonic() + self._poll_s * (1 + self._draw()) / 2
        for owner in (subjects.ALL, self._unit):
            try:
                kept = await stream.get_last_msg(subjects.DOWN, subjects.down(owner), direct=True)
                offered = parse_offered(kept.data or b"")
            except NotFoundError:
                continue
            except ValueError:
                self._complain("the list of files is not in its form")
                continue
            for file in offered:
                await self._fetch(stream, file)

    async def _fetch(self, stream: JetStreamContext, file: DownFile) -> None:
        """In pieces of PIECE bytes, going on with the first that is not whole here."""
        spool = self._spool
        try:
            if spool.holds_down(file.what, file.digest):
                return
            held = spool.arrived(file.what, file.digest)
            while held < file.size:
                at, skip = divmod(held, subjects.PIECE)
                subject = subjects.piece(file.digest, at)
                kept = await stream.get_last_msg(subjects.DOWN, subject, direct=True)
                piece = (kept.data or b"")[skip:]
                if not piece or held + len(piece) > file.size:
                    raise OutOfBounds(f"piece {at} has another size")
                held = spool.append_down(file.what, file.digest, piece)
            spool.finish_down(file.what, file.digest)
        except NotFoundError:
            self._complain(f"{file.what} is offered, but a piece of it is not there")
        except OutOfBounds as error:
            self._complain(f"{file.what!r:.40} is not taken: {error}")

    # -- between ---------------------------------------------------------------------------------

    async def _pause(self, stop: threading.Event, seconds: float) -> None:
        """In short naps: a stop is noticed within half a second."""
        ends = self._monotonic() + seconds
        while not stop.is_set() and (left := ends - self._monotonic()) > 0:
            await asyncio.sleep(min(left, 0.5))

    def _complain(self, text: str) -> None:
        if text != self._complaint:
            self._complaint = text
            _log.warning("nats: %s", text)

    def _recovered(self) -> None:
        if self._complaint:
            self._complaint = ""
            _log.info("nats: the server answers again")


def _said(data: bytes) -> str:
    try:
        told = json.loads(data)
        return f"{told['error']} {told['cause']}: {told['detail']}"[:_MAX_TEXT]
    except (ValueError, RecursionError, KeyError, TypeError):
        return repr(data[:40])
