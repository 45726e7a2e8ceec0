"""Ask the hub of this home over HTTP."""

import http.client
import json
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from holdfast import statefile
from holdfast.cli import reach
from holdfast.errors import (
    HoldfastError,
    LockHeld,
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
        NotRunning: no hub has said so, or the one that did is gone.
    """
    try:
        found = statefile.read_json(home.hub_address)
    except (StateError, FileNotFoundError):
        found = None
    said = found if isinstance(found, dict) else {}
    url = said.get("url")
    if not isinstance(url, str) or not _is_there(home, said):
        raise NotRunning("no hub is running; start it with: holdfast up")
    return url


def _is_there(home: Home, said: Mapping[str, object]) -> bool:
    """Tell whether the hub that wrote its address down lives: the token is sent to nobody who took its port since."""
    try:
        holder = statefile.holder(home.hub_lock)
    except LockHeld:
        return True  # it has just begun and not written its number yet
    except StateError:
        holder = None
    return holder is not None and holder == said.get("pid")


def get(path: str, **query: object) -> Any:
    """Return the JSON that stands at a path of the API.

    Raises:
        NotRunning: no hub answers.
        HoldfastError: what the hub says is wrong with the request.
    """
    asked = {key: value for key, value in query.items() if value is not None}
    return call("GET", f"{path}?{urlencode(asked)}" if asked else path)


def post(
    path: str, body: Mapping[str, object] | None = None, *, within: float = ANSWER_WITHIN
) -> Any:
    """Send JSON to a path of the API and return the answer; raises as `get`."""
    return call("POST", path, body or {}, within)


def part(name: str) -> str:
    """Return a name as one part of a path, whatever characters it has."""
    return quote(name, safe="", errors="surrogateescape")


def call(
    method: str,
    path: str,
    body: Mapping[str, object] | None = None,
    within: float = ANSWER_WITHIN,
) -> Any:
    """Make one request with the token of this machine's user; raises as `get`."""
    home = reach.home()
    url = address(home)
    headers = {"Authorization": f"Bearer {_token(home)}", "Accept": "application/json"}
    content = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        # What a terminal gave that is no text becomes a question mark: the rest is still worth saying.
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    connection = _connection(url, within)
    try:
        connection.request(method, f"/api/v1{path}", body=content, headers=headers)
        answer = connection.getresponse()
        return _read(answer.status, answer.read())
    except TimeoutError as error:
        raise NotRunning(
            f"the hub did not answer on {url} within {within:g} s; see: holdfast status, and {home.log('hub')}"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise NotRunning(
            f"the hub does not answer on {url} ({error}); see: holdfast status, and {home.log('hub')}"
        ) from error
    finally:
        connection.close()


def _connection(url: str, within: float) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    if parts.scheme == "https":
        # It is this machine's own hub, whose address it wrote down itself: its certificate names another host.
        context = ssl._create_unverified_context()  # noqa: S323
        return http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=within, context=context
        )
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=within)


def _token(home: Home) -> str:
    try:
        token = home.token.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(
            f"the token of this machine's user cannot be read from {home.token}: {error}"
        ) from error
    if not token.isprintable() or not token:
        raise Refused(f"{home.token} holds no token; a hub that is started anew writes one")
    return token


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
