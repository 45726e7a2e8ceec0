"""Ask the hub of this home over HTTP."""

import http.client
import json
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from holdfast import statefile
from holdfast.cli import reach
from holdfast.errors import (
    HoldfastError,
    NotRunning,
    Refused,
    StateError,
    StoreError,
    UnknownName,
    UsageError,
)
from holdfast.home import Home

ANSWER_WITHIN = 10.0
"""Seconds an answer may take."""

_ERRORS: Mapping[int, type[HoldfastError]] = {
    400: UsageError,
    401: Refused,
    403: Refused,
    404: UnknownName,
    409: Refused,
    413: UsageError,
    422: UsageError,
    503: StoreError,
}


def address(home: Home) -> str:
    """Return where the hub of a home listens.

    Raises:
        NotRunning: no hub has said so.
    """
    try:
        found = statefile.read_json(home.hub_address)
    except (StateError, FileNotFoundError):
        found = None
    url = found.get("url") if isinstance(found, dict) else None
    if not isinstance(url, str):
        raise NotRunning("no hub is running; start it with: holdfast up")
    return url


def get(path: str, **query: object) -> Any:
    """Return the JSON that stands at a path of the API.

    Raises:
        NotRunning: no hub answers.
        HoldfastError: what the hub says is wrong with the request.
    """
    asked = {key: value for key, value in query.items() if value is not None}
    return call("GET", f"{path}?{urlencode(asked)}" if asked else path)


def post(path: str, body: Mapping[str, object] | None = None) -> Any:
    """Send JSON to a path of the API and return the answer; raises as `get`."""
    return call("POST", path, body or {})


def call(method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
    """Make one request with the token of this machine's user; raises as `get`."""
    home = reach.home()
    url = address(home)
    headers = {"Authorization": f"Bearer {_token(home)}", "Accept": "application/json"}
    content = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        content = json.dumps(body).encode()
    connection = _connection(url)
    try:
        connection.request(method, f"/api/v1{path}", body=content, headers=headers)
        answer = connection.getresponse()
        return _read(answer.status, answer.read())
    except (OSError, http.client.HTTPException) as error:
        raise NotRunning(
            f"the hub does not answer on {url} ({error}); see: holdfast status, and {home.log('hub')}"
        ) from error
    finally:
        connection.close()


def _connection(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    if parts.scheme == "https":
        # It is this machine's own hub, whose address it wrote down itself: its certificate names another host.
        context = ssl._create_unverified_context()  # noqa: S323
        return http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=ANSWER_WITHIN, context=context
        )
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_WITHIN)


def _token(home: Home) -> str:
    try:
        return home.token.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(
            f"the token of this machine's user cannot be read from {home.token}: {error}"
        ) from error


def _read(status: int, content: bytes) -> Any:
    try:
        found = json.loads(content) if content else None
    except ValueError:
        found = None
    if status < 400:
        return found
    problem = found if isinstance(found, dict) else {}
    told = problem.get("detail") or problem.get("title") or f"the hub answered with {status}"
    raise _ERRORS.get(status, HoldfastError)(str(told))
