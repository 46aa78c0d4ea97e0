"""The collector's interface as an OpenAPI 3.1 document; docs/collector-openapi.json is its copy.

python -m office.openapi > docs/collector-openapi.json
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from office.ca import OFFICE_URI
from office.dashboard import openapi as dashboard

__all__ = ["OFFICE_URI", "document", "etag"]

Json = dict[str, Any]


def etag(body: bytes) -> str:
    """A strong one (RFC 9110 8.8.3)."""
    return f'"{hashlib.sha256(body).hexdigest()}"'


def document() -> Json:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "sscoffice collector",
            "version": "1",
            "description": (
                "Mutual TLS 1.3. The common name of the client certificate is the unit. "
                "Every request may be repeated: a batch that is stored gets its receipt again. "
                "/api/ is asked by the office's own page, on a listener of its own."
            ),
        },
        "paths": {
            "/v1/batches": {"post": _post_batch()},
            "/v1/down": {"get": _get_offered()},
            "/v1/down/{what}/{sha256}": {"get": _get_file()},
            "/openapi.json": {"get": _get_openapi()},
            **dashboard.paths(),
        },
        "components": {
            "schemas": {"Offered": _offered_schema(), "Error": _error_schema()},
            "responses": _error_responses(),
            "securitySchemes": {
                "unit": {
                    "type": "mutualTLS",
                    "description": "A certificate issued by the office at enrolment.",
                },
                "page": dashboard.SCHEME,
            },
        },
        "security": [{"unit": []}],
    }


def _post_batch() -> Json:
    return {
        "operationId": "postBatch",
        "summary": "Hand in a sealed batch; the answer is its receipt",
        "requestBody": {
            "required": True,
            "description": "The batch file as it is (docs/records.md), at most 4 MiB + 64 KiB",
            "content": {"application/cbor": {}},
        },
        "responses": {
            "200": {
                "description": "Stored and on the disk, now or before: the receipt",
                "content": {'application/cose; cose-type="cose-sign1"': {}},
            },
            **_errors("403", "408", "411", "413", "422", "503"),
        },
    }


def _get_offered() -> Json:
    return {
        "operationId": "getOffered",
        "summary": "The signed files there are for this unit",
        "parameters": [_header("If-None-Match", "The ETag of the list the unit knows")],
        "responses": {
            "200": {
                "description": "The newest file of each name",
                "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/Offered"}}
                },
            },
            "304": {"description": "The list is the one the unit knows"},
            **_errors("403", "503"),
        },
    }


def _get_file() -> Json:
    return {
        "operationId": "getFile",
        "summary": "One signed file; a Range goes on where an earlier answer stopped",
        "parameters": [
            _path("what", "^[a-z][a-z0-9]{0,31}$"),
            _path("sha256", "^[0-9a-f]{64}$"),
            _header("Range", "bytes=N-"),
        ],
        "responses": {
            "200": {"description": "All of it", "content": {"application/octet-stream": {}}},
            "206": {
                "description": "From byte N on",
                "content": {"application/octet-stream": {}},
            },
            **_errors("403", "404", "416", "503"),
        },
    }


def _get_openapi() -> Json:
    return {
        "operationId": "getOpenapi",
        "summary": "This document",
        "responses": {"200": {"description": "OpenAPI 3.1", "content": {"application/json": {}}}},
    }


def _offered_schema() -> Json:
    file = {
        "what": {"type": "string"},
        "number": {"type": "integer", "minimum": 1},
        "size": {"type": "integer", "minimum": 1},
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    }
    one = {"type": "object", "properties": file, "required": list(file)}
    return {
        "type": "object",
        "properties": {"files": {"type": "array", "items": one}},
        "required": ["files"],
    }


def _error_schema() -> Json:
    fields = {
        "error": {"type": "integer", "description": "of docs/backoffice.md, or the HTTP status"},
        "cause": {"type": "string"},
        "detail": {"type": "string"},
    }
    return {"type": "object", "properties": fields, "required": list(fields)}


_WHY = {
    "403": "The unit is unknown or revoked, or the batch is another unit's; try again in hours. "
    "Of the page: asked under a name that is not this machine's",
    "404": "No such file is offered now: ask for the list again; or nothing of that name here",
    "408": "The body did not come in time",
    "411": "A Content-Length is needed",
    "413": "The batch is too large",
    "416": "The range begins behind the file",
    "422": "The batch is refused: kept aside, not stored, no receipt",
    "503": "Busy, or the store is away: come again after Retry-After seconds",
}


def _errors(*statuses: str) -> Json:
    return {each: {"$ref": f"#/components/responses/{each}"} for each in statuses}


def _error_responses() -> Json:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    reasons = (dashboard.WHY | _WHY).items()
    made: Json = {each: {"description": why, "content": content} for each, why in reasons}
    made["503"]["headers"] = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}
    return made


def _path(name: str, pattern: str) -> Json:
    schema = {"type": "string", "pattern": pattern}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _header(name: str, text: str) -> Json:
    return {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}


if __name__ == "__main__":
    print(json.dumps(document(), indent=1))
