"""The page's server: its files, /api/, and nothing that changes anything.

On loopback whoever may log on to this machine may look.  Beyond it TLS and a password are needed,
because records name cards.  The store is read in one thread of its own, never in the writer's.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import hmac
import ipaddress
import json
import secrets
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from office import secretfile
from office.dashboard.evidence import Evidence
from office.dashboard.views import Absent, Json, Views
from office.database import StoreLost
from office.errors import ROWS, OfficeError
from office.folder import Folder

PASSWORD = "dashboard.password"
WAITING = 64  # questions that may wait for the store
ANSWER_S = 60.0

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_MOST = (1 << 63) - 1

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Question = Callable[["Books"], Json]


class Books:
    """What questions are put to; made and used in one thread."""

    def __init__(self, path: Path):
        self._folder = Folder(path)
        self.views = Views(self._folder)
        self.evidence = Evidence(self._folder)

    def reconnect(self) -> None:
        self._folder.store.database.reconnect()

    def close(self) -> None:
        self._folder.close()


class Dashboard:
    """path: the office's folder.  `add_to` an application, `close` at the end."""

    def __init__(self, path: Path):
        self._path = path
        self._thread = ThreadPoolExecutor(1, "dashboard")
        self._books: Books | None = None
        self._waiting = 0

    @cached_property
    def files(self) -> dict[str, tuple[bytes, str]]:
        """Path of the request -> (content, type)."""
        found = {}
        for each in resources.files("office.dashboard").iterdir():
            kind = _TYPES.get(Path(each.name).suffix)
            if kind is not None:
                name = "/" if each.name == "index.html" else f"/{each.name}"
                found[name] = each.read_bytes(), kind
        return found

    def add_to(self, app: web.Application, guard: Callable[[web.Request], None]) -> None:
        """guard: raises web.HTTPException for whoever may not look."""

        def add(path: str, answer: Handler) -> None:
            async def guarded(request: web.Request) -> web.StreamResponse:
                try:
                    guard(request)
                    response = await answer(request)
                except web.HTTPException as error:
                    response = _error(error.status, error.reason)
                    if error.status == 401:
                        response.headers["WWW-Authenticate"] = 'Basic realm="sscoffice"'
                response.headers.update(_HEADERS)
                return response

            app.router.add_get(path, guarded)

        for name in self.files:
            add(name, self._file)
        for path, question in QUESTIONS.items():
            add(path, self._answering(question))

    async def close(self) -> None:
        if self._books is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._books.close)
        self._thread.shutdown(wait=False)

    async def _file(self, request: web.Request) -> web.Response:
        content, kind = self.files[request.path]
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = {"Content-Type": kind, "ETag": tag, "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=content, headers=headers)

    def _answering(self, question: Callable[[web.Request], Question]) -> Handler:
        async def answer(request: web.Request) -> web.Response:
            try:
                found = await self._ask(question(request))
            except Absent as error:
                return _error(404, str(error))
            except OfficeError as error:
                status = 400 if error.number == 906 else 503
                return _error(status, error.detail, error.number)
            body = json.dumps(found, ensure_ascii=False).encode()
            headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
            return web.Response(body=body, headers=headers)

        return answer

    async def _ask(self, question: Question) -> Json:
        if self._waiting >= WAITING:
            raise web.HTTPServiceUnavailable
        self._waiting += 1
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._thread, self._put, question)
        asked.add_done_callback(self._answered)
        try:
            return await asyncio.wait_for(asyncio.shield(asked), ANSWER_S)
        except TimeoutError:
            raise web.HTTPServiceUnavailable from None

    def _answered(self, asked: asyncio.Future[Json]) -> None:
        self._waiting -= 1
        if not asked.cancelled():
            asked.exception()  # seen, also where nobody waits any more

    def _put(self, question: Question) -> Json:
        """In the thread; a database that went away is asked once more."""
        if self._books is None:
            self._books = Books(self._path)
        try:
            return question(self._books)
        except StoreLost:
            self._books.reconnect()
            return question(self._books)


# --- what may be asked ---


def _words(request: web.Request) -> Question:
    return lambda books: books.views.words()


def _units(request: web.Request) -> Question:
    after = request.query.get("after", "")
    return lambda books: books.views.units(after)


def _unit(request: web.Request) -> Question:
    unit, before = request.match_info["unit"], _number(request.query.get("before", str(_MOST)))
    return lambda books: books.views.unit(unit, before)


def _batch(request: web.Request) -> Question:
    unit, batch = request.match_info["unit"], _number(request.match_info["batch"])
    return lambda books: books.evidence.batch(unit, batch)


def _record(request: web.Request) -> Question:
    unit, number = request.match_info["unit"], _number(request.match_info["number"])
    return lambda books: books.evidence.record(unit, number)


def _sites(request: web.Request) -> Question:
    date = request.query.get("date")
    return lambda books: books.views.sites(date)


def _findings(request: web.Request) -> Question:
    return lambda books: books.views.findings()


QUESTIONS: dict[str, Callable[[web.Request], Question]] = {
    "/api/words": _words,
    "/api/units": _units,
    "/api/units/{unit}": _unit,
    "/api/units/{unit}/batches/{batch}": _batch,
    "/api/units/{unit}/records/{number}": _record,
    "/api/sites": _sites,
    "/api/findings": _findings,
}


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= _MOST):
        raise web.HTTPBadRequest
    return int(text)


def _error(status: int, detail: str, number: int | None = None) -> web.Response:
    cause = ROWS[number].cause_en if number in ROWS else "HTTP"
    told: dict[str, Any] = {"error": number or status, "cause": cause, "detail": detail}
    return web.json_response(told, status=status)


# --- who may ask ---


def local(request: web.Request) -> None:
    """Asked under a name of this machine: no page of others leads here by a name of its own."""
    with contextlib.suppress(ValueError):
        host = urlsplit(f"//{request.host}").hostname or ""
        if host == "localhost" or ipaddress.ip_address(host).is_loopback:
            return
    raise web.HTTPForbidden


def with_password(password: str) -> Callable[[web.Request], None]:
    """HTTP Basic (RFC 7617), any user; only ever under TLS."""

    def guard(request: web.Request) -> None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        with contextlib.suppress(binascii.Error, ValueError):
            _, _, said = base64.b64decode(given, validate=True).partition(b":")
            if scheme.lower() == "basic" and hmac.compare_digest(said, password.encode()):
                return
        raise web.HTTPUnauthorized

    return guard


def password_of(path: Path) -> str:
    """Of the folder's page, made where there is none.  Raises OfficeError 906, 910."""
    kept = path / PASSWORD
    try:
        if not kept.exists():
            secretfile.create(kept, f"{secrets.token_urlsafe(18)}\n".encode())
    except OSError as error:
        raise OfficeError(906, f"{kept}: {error.strerror}") from None
    text = secretfile.read(kept, 256).decode(errors="replace").strip()
    if len(text) < 12:
        raise OfficeError(910, f"{kept}: a password has at least 12 characters")
    return text
