"""The collector's resources: units POST batches and GET signed files (docs/collector-openapi.json).

Who asks is told by the client certificate alone, which the connection was opened with: its common
name is the unit.  Whether that unit is served is asked of the store at every request.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from office import openapi
from office.errors import ROWS, OfficeError, Refused
from office.metrics import Metrics
from office.offered import Offered
from office.writer import Busy, Writer

MAX_FILE = (4 << 20) + (64 << 10)  # of a batch (docs/records.md)
BODY_S = 120.0  # for a whole body to come
BODIES_BYTES = 256 << 20  # of all bodies that are on their way
NOT_SERVED = (801, 806, 807, 808)
"""Refusals that concern the unit and not the batch."""
RECEIPT_TYPE = 'application/cose; cose-type="cose-sign1"'

_RANGE = re.compile(r"bytes=(\d{1,18})-", re.ASCII)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Collector:
    """offers: called in the writer's thread with the intake and a unit's name."""

    def __init__(
        self,
        writer: Writer,
        metrics: Metrics,
        offers: Callable[[Any, str], list[Offered]],
    ):
        self._writer = writer
        self._metrics = metrics
        self._offers = offers
        self._bodies_bytes = 0

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._measured], client_max_size=MAX_FILE + 1)
        app.router.add_post("/v1/batches", self._post_batch)
        app.router.add_get("/v1/down", self._get_offered, allow_head=False)
        app.router.add_get("/v1/down/{what}/{sha256}", self._get_file, allow_head=False)
        app.router.add_get("/openapi.json", self._get_openapi, allow_head=False)
        return app

    @web.middleware
    async def _measured(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Time, and an answer in this interface's form for everything that fails."""
        began = time.monotonic()
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "none"
        try:
            return await handler(request)
        except Busy as error:
            self._metrics.busy.inc()
            return _later(503, str(error), error.retry_after_s)
        except Refused as error:
            return _refusal(403 if error.number in NOT_SERVED else 422, error)
        except OfficeError as error:
            return _later(503, str(error.number), 5.0)
        except TimeoutError:
            return _error(408, "the body did not come in time")
        except web.HTTPException as error:
            return _error(error.status, error.reason)
        finally:
            self._metrics.requests.labels(route).observe(time.monotonic() - began)

    async def _post_batch(self, request: web.Request) -> web.Response:
        unit = unit_of(request)
        length = request.content_length
        if length is None:
            raise web.HTTPLengthRequired()
        if not 0 < length <= MAX_FILE:
            return _error(413, f"a batch has 1 to {MAX_FILE} bytes")
        self._writer.check_room(length)
        if self._bodies_bytes + length > BODIES_BYTES:
            raise Busy(2.0)
        self._bodies_bytes += length
        try:
            async with asyncio.timeout(BODY_S):
                content = await request.read()
        finally:
            self._bodies_bytes -= length
        taken = await self._writer.take(unit, content)
        if isinstance(taken, Refused):
            raise taken
        return web.Response(body=taken.receipt, headers={"Content-Type": RECEIPT_TYPE})

    async def _get_offered(self, request: web.Request) -> web.Response:
        offered = await self._offered(unit_of(request))
        files = [
            {"what": o.what, "number": o.number, "size": o.size, "sha256": o.digest.hex()}
            for o in offered
        ]
        return _tagged(request, json.dumps({"files": files}).encode())

    async def _get_file(self, request: web.Request) -> web.Response:
        """The ETag is the digest in the path: a file never changes under its name."""
        what, digest_hex = request.match_info["what"], request.match_info["sha256"]
        for each in await self._offered(unit_of(request)):
            if (each.what, each.digest.hex()) == (what, digest_hex):
                return _part(request, each)
        raise web.HTTPNotFound()

    async def _offered(self, unit: str) -> list[Offered]:
        return await self._writer.ask(lambda intake: self._offers(intake, unit))

    async def _get_openapi(self, request: web.Request) -> web.Response:
        return web.json_response(openapi.document())


def unit_of(request: web.Request) -> str:
    """The common name of the client's certificate.  Raises Refused 807 for the office's own."""
    certificate = request.get_extra_info("peercert") or {}
    if ("URI", openapi.OFFICE_URI) in certificate.get("subjectAltName", ()):
        raise Refused(807, "the office's own certificate")
    names = [v for rdn in certificate.get("subject", ()) for k, v in rdn if k == "commonName"]
    if len(names) != 1:
        raise Refused(807, "a certificate without a name")
    return str(names[0])


def _part(request: web.Request, file: Offered) -> web.Response:
    """The whole file, or from the byte that a Range names (RFC 9110 14.2)."""
    headers = {"ETag": f'"{file.digest.hex()}"', "Content-Type": "application/octet-stream"}
    wanted = request.headers.get("Range")
    if wanted is None:
        return web.Response(body=file.content, headers=headers)
    match = _RANGE.fullmatch(wanted)
    if match is None or int(match[1]) >= file.size:
        raise web.HTTPRequestRangeNotSatisfiable()
    first = int(match[1])
    headers["Content-Range"] = f"bytes {first}-{file.size - 1}/{file.size}"
    return web.Response(status=206, body=memoryview(file.content)[first:], headers=headers)


def _tagged(request: web.Request, body: bytes) -> web.Response:
    """304 when the client holds these bytes already (RFC 9110 13.1.2)."""
    tag = openapi.etag(body)
    headers = {"ETag": tag, "Content-Type": "application/json"}
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers={"ETag": tag})
    return web.Response(body=body, headers=headers)


def _refusal(status: int, error: Refused) -> web.Response:
    row = ROWS[error.number]
    told = {"error": error.number, "cause": row.cause_en, "detail": error.detail}
    return web.json_response(told, status=status)


def _error(status: int, detail: str) -> web.Response:
    return web.json_response({"error": status, "cause": "HTTP", "detail": detail}, status=status)


def _later(status: int, detail: str, retry_after_s: float) -> web.Response:
    """Spread over twice the time, so that those sent away do not come back together."""
    wait_s = max(1, round(retry_after_s * (1 + random.random())))
    answer = _error(status, detail)
    answer.headers["Retry-After"] = str(wait_s)
    return answer
