"""What the hub answers when it does not do what was asked: problem details (RFC 9457), and the one table of statuses."""

import http
import json
from collections.abc import Mapping

from starlette.responses import Response

from holdfast.errors import (
    HoldfastError,
    NotRunning,
    Refused,
    StoreError,
    UnknownName,
    UsageError,
)

STATUSES: Mapping[type[HoldfastError], int] = {
    UnknownName: 404,
    UsageError: 400,
    Refused: 409,
    NotRunning: 503,
    StoreError: 503,
}
"""The status of each error; every other one is a fault of the hub and 500."""

CONTENT_TYPE = "application/problem+json"

RETRY_AFTER_S = 5
"""Seconds after which what is away now is worth another try."""


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer that says what is wrong, in words for people."""
    said = {
        "type": "about:blank",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return Response(
        json.dumps(said).encode(), status_code=status, headers=headers, media_type=CONTENT_TYPE
    )


def problem_of(error: HoldfastError) -> Response:
    """Return the answer that an error becomes."""
    status = status_of(error)
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else None
    return problem(status, str(error), headers)


def status_of(error: HoldfastError) -> int:
    """Return the status of an error: that of its nearest class in the table."""
    return next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), 500)
