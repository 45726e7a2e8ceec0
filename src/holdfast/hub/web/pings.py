"""The ping addresses, compatible with those of Healthchecks; answered only once the ping is on disk.

See https://healthchecks.io/docs/http_api/ for what its clients send and expect.
"""

import hmac
import re
import uuid
from typing import NamedTuple
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from holdfast.errors import HoldfastError
from holdfast.hub import pings
from holdfast.hub.parts import Parts
from holdfast.hub.pings import BODY_KEPT, Answer, Outcome, Ping
from holdfast.hub.store.interface import Tx
from holdfast.hub.web.bodies import header, read_body
from holdfast.hub.web.problem import RETRY_AFTER_S, status_of
from holdfast.model.check import Signal

PREFIX = "/ping/"

METHODS = frozenset({"GET", "POST", "HEAD"})

LARGEST_EXIT = 255

LONGEST_AGENT = 200
"""Characters of a User-Agent that are kept."""

_PATH = re.compile(
    r"/ping/(?:(?P<uuid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})|(?P<key>[^/]{1,64})/(?P<slug>[^/]{1,200}))"
    r"(?:/(?P<action>start|fail|log|[0-9]{1,9}))?/?"
)
_RUN = re.compile(r"(?:[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12})", re.IGNORECASE)

_SIGNALS = {
    None: Signal.SUCCESS,
    "start": Signal.START,
    "fail": Signal.FAIL,
    "log": Signal.LOG,
}

_ANSWERS = {
    Outcome.FOUND: (200, "OK"),
    Outcome.PAUSED: (200, "OK"),
    Outcome.CREATED: (201, "Created"),
    Outcome.MISSING: (404, "not found"),
    Outcome.INVALID: (400, "invalid slug"),
    Outcome.CONFLICT: (
        409,
        "this check goes by what Holdfast finds itself and takes no pings",
    ),
}

_HEADERS = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"access-control-allow-origin", b"*"),
    (b"cache-control", b"no-store"),
    (b"ping-body-limit", str(BODY_KEPT).encode()),
    (b"x-content-type-options", b"nosniff"),
]


class Reply(NamedTuple):
    """A status and a word, which is all that a client of Healthchecks reads."""

    status: int
    text: str


class Pings:
    """The ASGI application of everything below `/ping/`."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one ping."""
        reply = await self._reply(scope, receive)
        headers = [*_HEADERS, (b"content-length", str(len(reply.text)).encode())]
        if reply.status == 503:
            headers.append((b"retry-after", str(RETRY_AFTER_S).encode()))
        if reply.status == 405:
            headers.append((b"allow", ", ".join(sorted(METHODS)).encode()))
        body = b"" if scope["method"] == "HEAD" else reply.text.encode()
        start = {"type": "http.response.start", "status": reply.status, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": body})

    async def _reply(self, scope: Scope, receive: Receive) -> Reply:
        body = b""
        if scope["method"] == "POST":
            try:
                read = await read_body(scope, receive, BODY_KEPT)
            except ClientDisconnect:
                return Reply(400, "the body did not arrive whole")
            if read is None:
                return Reply(413, "the body is larger than 1 MB")
            body = read
        said = _read(scope, self.parts, body)
        if isinstance(said, Reply):
            return said
        return await self._take(said)

    async def _take(self, said: Ping) -> Reply:
        parts, now = self.parts, self.parts.now()

        def act(tx: Tx) -> Answer:
            return pings.ping(tx, said, parts.settings.policy, now)

        try:
            answer = await parts.store.write(act)
        except HoldfastError as error:
            return Reply(status_of(error), "the ping could not be written down; send it again")
        if answer.is_taken:
            parts.condition.pings += 1
            parts.bells.summary.set()
        if answer.wake:
            parts.bells.sweep.set()
        return Reply(*_ANSWERS[answer.outcome])


def _read(scope: Scope, parts: Parts, body: bytes) -> Ping | Reply:
    """Return the ping that a request is, or why it is none."""
    if scope["method"] not in METHODS:
        return Reply(405, "a ping is a GET, POST or HEAD")
    found = _PATH.fullmatch(scope["path"])
    if found is None or not _is_known(found["key"], parts.ping_key):
        return Reply(404, "not found")
    action = found["action"]
    code = None if action in _SIGNALS else int(action)
    if code is not None and code > LARGEST_EXIT:
        return Reply(400, "invalid url format")
    query = parse_qs(scope["query_string"].decode("latin-1"))
    run = query.get("rid", [""])[0]
    if run and _RUN.fullmatch(run) is None:
        return Reply(400, "invalid uuid format")
    return Ping(
        signal=_SIGNALS[action] if code is None else (Signal.FAIL if code else Signal.SUCCESS),
        at=parts.clock.wall(),
        uuid=found["uuid"],
        slug=found["slug"],
        run=str(uuid.UUID(run)) if run else "",
        exit_code=code,
        body=body,
        method=scope["method"],
        agent=header(scope, b"user-agent").decode("latin-1")[:LONGEST_AGENT],
        create=query.get("create") == ["1"],
    )


def _is_known(key: str | None, ping_key: str) -> bool:
    return key is None or hmac.compare_digest(key.encode(), ping_key.encode())
