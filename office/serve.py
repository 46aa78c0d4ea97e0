"""`sscoffice serve`: the collector, from its start to a clean stop.

Two listeners: units over mutual TLS 1.3, and on loopback, in the clear, /metrics and the page.
A third, if it is wanted, has the page for others: over TLS, with a password.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import resource
import signal
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from aiohttp import web

from office.collector import Collector
from office.dashboard.pages import Dashboard, local, with_password
from office.errors import OfficeError
from office.gate import Gate
from office.metrics import CONTENT_TYPE, Metrics
from office.offered import Offered
from office.writer import Intake, Writer

_log = logging.getLogger(__name__)

KEEPALIVE_S = 15.0
STOP_S = 30.0  # for requests that were begun
CONNECTIONS = 4000  # some 350 kB each
PAGE_CONNECTIONS = 64  # of people who look from elsewhere, together
_OTHER_FILES = 200  # descriptors that are no connection


class Listener(NamedTuple):
    """Where to listen; port 0 takes a free one."""

    host: str
    port: int


def address(text: str) -> Listener:
    """HOST:PORT, HOST an IP address; raises OfficeError 930."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(host)
        number = int(port)
    except ValueError:
        raise OfficeError(930, f"{text!r:.80} is not ADDRESS:PORT") from None
    if not colon or not 0 <= number <= 0xFFFF:
        raise OfficeError(930, f"{text!r:.80} is not ADDRESS:PORT")
    return Listener(host, number)


def loopback(text: str) -> Listener:
    """The same, of this machine alone; raises OfficeError 930."""
    found = address(text)
    if not ipaddress.ip_address(found.host).is_loopback:
        raise OfficeError(930, f"{text!r:.80} is in the clear: only a loopback address")
    return found


class ForOthers(NamedTuple):
    """The page beyond this machine."""

    listen: Listener
    context: ssl.SSLContext
    password: str


class Settings(NamedTuple):
    """open_intake and offers run in the writer's thread; told: of the addresses listened on;
    beside: another link that uses the same writer until `stop`.  dashboard: of the page, on the
    listener of the metrics and, where that is wanted, for_others."""

    listen: Listener
    metrics: Listener | None
    context: ssl.SSLContext
    open_intake: Callable[[], contextlib.AbstractContextManager[Intake]]
    offers: Callable[[Any, str], list[Offered]]
    told: Callable[[str, Listener], object]
    connections: int = CONNECTIONS
    beside: Callable[[Writer, asyncio.Event], Coroutine[Any, Any, None]] | None = None
    dashboard: Dashboard | None = None
    for_others: ForOthers | None = None


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Until `stop`; what was accepted is answered before this returns.  Raises OfficeError."""
    places = _places(settings.connections)
    metrics = Metrics()
    writer = Writer(settings.open_intake, metrics.group_taken)
    await writer.start()
    collector = Collector(writer, metrics, settings.offers)
    runner = web.AppRunner(
        collector.application(),
        keepalive_timeout=KEEPALIVE_S,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=STOP_S,
    )
    await runner.setup()
    server = runner.server
    assert server is not None
    gate = Gate(server, settings.context, places, metrics.connections.set)
    second, page, beside = None, None, None
    try:
        if settings.beside is not None:
            beside = asyncio.create_task(settings.beside(writer, stop))
        settings.told("https", _listening(gate, settings.listen))
        if settings.metrics is not None:
            app = _of_metrics(metrics, writer)
            if settings.dashboard is not None:
                settings.dashboard.add_to(app, local)
            second = await _serve_here(app, settings.metrics, settings.told)
        if settings.dashboard is not None and settings.for_others is not None:
            page = await _open_page(settings.dashboard, settings.for_others, settings.told)
        await stop.wait()
    finally:
        await gate.close()
        await runner.cleanup()  # waits for the requests that were begun
        gate.abort()
        if second is not None:
            await second.cleanup()
        if page is not None:
            await _close_page(*page)
        if settings.dashboard is not None:
            await settings.dashboard.close()
        if beside is not None:
            stop.set()
            await beside
        await writer.close()


def _listening(gate: Gate, listener: Listener) -> Listener:
    try:
        return Listener(*gate.listen(*listener))
    except OSError as error:
        raise OfficeError(930, f"{listener.host}:{listener.port}: {error.strerror}") from None


def _of_metrics(metrics: Metrics, writer: Writer) -> web.Application:
    async def answer(request: web.Request) -> web.Response:
        metrics.waiting.set(writer.waiting)
        return web.Response(body=metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.router.add_get("/metrics", answer)
    return app


async def _serve_here(
    app: web.Application, listener: Listener, told: Callable[[str, Listener], object]
) -> web.AppRunner:
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, *listener).start()
    except OSError as error:
        await runner.cleanup()
        raise OfficeError(930, f"{listener.host}:{listener.port}: {error.strerror}") from None
    told("metrics", Listener(*runner.addresses[0][:2]))
    return runner


async def _open_page(
    dashboard: Dashboard, others: ForOthers, told: Callable[[str, Listener], object]
) -> tuple[Gate, web.AppRunner]:
    """Behind a gate: who holds connections open takes none from the units."""
    app = web.Application()
    dashboard.add_to(app, with_password(others.password))
    runner = web.AppRunner(
        app, keepalive_timeout=KEEPALIVE_S, access_log=None, handle_signals=False
    )
    await runner.setup()
    assert runner.server is not None
    gate = Gate(runner.server, others.context, PAGE_CONNECTIONS, of_one=PAGE_CONNECTIONS)
    try:
        told("dashboard", _listening(gate, others.listen))
    except OfficeError:
        await runner.cleanup()
        raise
    return gate, runner


async def _close_page(gate: Gate, runner: web.AppRunner) -> None:
    await gate.close()
    await runner.cleanup()
    gate.abort()


def _places(wanted: int) -> int:
    """How many connections the system lets us have, one descriptor each; at most `wanted`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(1, min(wanted, hard - _OTHER_FILES))


def run(make_settings: Callable[[], Settings]) -> None:
    """In a process of its own: SIGTERM and SIGINT end it cleanly."""

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await serve(make_settings(), stop)

    asyncio.run(main())
