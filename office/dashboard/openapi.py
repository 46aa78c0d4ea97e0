"""What the page asks, for the OpenAPI document of the collector (office/openapi.py)."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

WHY = {
    "400": "A day or a number that is none",
    "401": "The listener for others wants the password",
}
FAILURES = ("400", "401", "403", "404", "503")
SCHEME = {
    "type": "http",
    "scheme": "basic",
    "description": "dashboard.password of the office's folder, any user; none on loopback",
}

_INT: Json = {"type": "integer"}
_TEXT: Json = {"type": "string"}
_HEX: Json = {"type": "string", "pattern": "^([0-9a-f]{2})*$"}


def paths() -> Json:
    """On the listener of --metrics, and that of --dashboard-listen; read only."""
    return {
        "/api/words": _get(
            "getWords", "Names of the numbers in records, and of this office", (), _words()
        ),
        "/api/units": _get(
            "getUnits",
            "So many units by name, and what is known of each",
            (_query("after", _TEXT, "The last name of the page before"),),
            _object(count=_INT, units=_array(_unit()), is_more=_bool(), now_ms=_INT),
        ),
        "/api/units/{unit}": _get(
            "getUnit",
            "One unit, its keys and gaps, its batches from the newest down",
            (_place("unit"), _query("before", _INT, "The lowest batch of the page before")),
            {"allOf": [_unit(), _object(
                keys=_array(_object(key_id=_HEX, algorithm=_INT, first=_INT, last=_or_null(_INT))),
                gaps=_array(_array(_INT)), batches=_array(_batch()), is_more=_bool(),
            )]},
        ),
        "/api/units/{unit}/batches/{batch}": _get(
            "getBatch",
            "One batch and the rows of its records",
            (_place("unit"), _place("batch", _INT)),
            _object(
                unit=_TEXT, batch=_INT, first=_INT, last=_INT, sealed_ms=_INT, received_ms=_INT,
                digest=_HEX, previous=_HEX, tree=_or_null(_TEXT), leaf=_or_null(_INT),
                quarantined=_or_null(_TEXT), records=_array({"type": "object"}),
            ),
        ),
        "/api/units/{unit}/records/{number}": _get(
            "getRecord",
            "One record's bytes, with card id and card number, and all that proves them",
            (_place("unit"), _place("number", _INT)),
            _record(),
        ),
        "/api/sites": _get(
            "getSites",
            "Payments of a day by unit, and their sums in fen",
            (_query("date", {"type": "string", "format": "date"},
                    "In China; that of the newest record if it is left out"),),
            _object(date=_or_null(_TEXT), count=_INT, sites=_array(_site()), total=_site()),
        ),
        "/api/findings": _get(
            "getFindings",
            "What does not fit, the first hundred of each kind",
            (),
            _object(**dict.fromkeys(
                ("gaps", "duplicates", "forks", "quarantined", "late", "uncertain"),
                _object(count=_INT, is_more=_bool(), rows=_array({"type": "object"})),
            )),
        ),
    }  # fmt: skip


def _get(name: str, summary: str, parameters: tuple[Json, ...], schema: Json) -> Json:
    content = {"application/json": {"schema": schema}}
    made: Json = {
        "operationId": name,
        "summary": summary,
        "security": [{}, {"page": []}],
        "responses": {
            "200": {"description": "Found", "content": content},
            **{
                each: {"$ref": f"#/components/responses/{each}"}
                for each in (*WHY, "403", "404", "503")
            },
        },
    }
    return {"get": made | ({"parameters": list(parameters)} if parameters else {})}


def _unit() -> Json:
    return _object(
        unit=_TEXT, batch=_INT, last=_INT, seen_ms=_or_null(_INT), missing=_INT,
        firmware=_or_null(_TEXT), psam=_or_null(_TEXT), revoked_ms=_or_null(_INT), findings=_INT,
    )  # fmt: skip


def _batch() -> Json:
    return _object(
        batch=_INT, first=_INT, last=_INT, records=_INT, sealed_ms=_INT, received_ms=_INT,
        quarantined=_or_null(_TEXT),
    )  # fmt: skip


def _record() -> Json:
    key = _object(algorithm=_INT, public_key=_HEX)
    ranged = _object(algorithm=_INT, public_key=_HEX, first=_INT, last=_or_null(_INT))
    return _object(
        unit=_TEXT, number=_INT, batch=_INT, quarantined=_or_null(_TEXT), raw=_HEX,
        before=_or_null(_HEX), statement=_HEX, place=_INT, path=_array(_HEX),
        receipt=_or_null(_HEX), keys=_array(ranged), office=_array(key),
        neighbours=_array(_or_null(_INT)),
    )  # fmt: skip


def _site() -> Json:
    names = ("done", "void", "suspect", "uncertain", "declined", "loads")
    return _object(**dict.fromkeys((*names, "account_fen", "self_fen", "pooled_fen"), _INT))


def _words() -> Json:
    table = {"type": "object", "additionalProperties": _TEXT}
    return _object(
        office=_TEXT, key_id=_HEX, envelope=table, body=table, kinds=table, outcomes=table
    )


def _object(**properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _array(items: Json) -> Json:
    return {"type": "array", "items": items}


def _or_null(schema: Json) -> Json:
    return schema | {"type": [schema["type"], "null"]}


def _bool() -> Json:
    return {"type": "boolean"}


def _place(name: str, schema: Json = _TEXT) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query(name: str, schema: Json, text: str) -> Json:
    return {"name": name, "in": "query", "description": text, "schema": schema}
