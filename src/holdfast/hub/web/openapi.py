"""Describe the API by its own table, as OpenAPI 3.1."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from holdfast import __version__
from holdfast.hub.web.asked import Call

_PARAMETER = re.compile(r"{(\w+)}")

PROBLEM = {"$ref": "#/components/responses/Problem"}


def document(calls: Iterable[Call]) -> dict[str, Any]:
    """Return the description of these calls."""
    listed = tuple(calls)
    bodies = [call.body for call in listed if call.body is not None]
    _, schemas = msgspec.json.schema_components(bodies, ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {}
    for call in listed:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Holdfast hub", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {"Problem": _problem()},
        },
    }


def _operation(call: Call) -> dict[str, Any]:
    said: dict[str, Any] = {
        "summary": call.summary,
        "parameters": [*_in_path(call), *_in_query(call)],
        "responses": {str(call.status): {"description": call.answers}, "default": PROBLEM},
        "security": [] if call.scope is None else [{"token": [call.scope.value]}],
    }
    if call.body is not None:
        schema = {"$ref": f"#/components/schemas/{call.body.__name__}"}
        said["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return said


def _in_path(call: Call) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(call.path)
    ]


def _in_query(call: Call) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "description": told, "schema": {"type": "string"}}
        for name, told in call.query.items()
    ]


def _problem() -> dict[str, Any]:
    words = {"type": "string"}
    fields = {"type": words, "title": words, "detail": words, "status": {"type": "integer"}}
    schema = {"type": "object", "properties": fields}
    return {
        "description": "Why it was not done (RFC 9457).",
        "content": {"application/problem+json": {"schema": schema}},
    }
