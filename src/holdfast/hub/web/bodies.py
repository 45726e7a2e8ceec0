"""Read the body of a request, and never more of it than is wanted."""

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

LARGEST_BODY = 1_000_000
"""Bytes of the largest body that is read at all."""


async def read_body(scope: Scope, receive: Receive, keep: int = LARGEST_BODY) -> bytes | None:
    """Return the first `keep` bytes of a body, read to its end; None when it is larger than any may be.

    The rest is read as well, because a client that is still sending would not see an answer.

    Raises:
        ClientDisconnect: its sender went away in the middle; what it began to say it has not said.
    """
    if _announced(scope) > LARGEST_BODY:
        return None
    kept = b""
    seen = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part: bytes = message.get("body", b"")
        seen += len(part)
        if seen > LARGEST_BODY:
            return None
        if len(kept) < keep:
            kept += part[: keep - len(kept)]
        if not message.get("more_body", False):
            return kept


def header(scope: Scope, name: bytes) -> bytes:
    """Return a header of a request, empty where it is missing; `name` in lower case."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    return next((value for key, value in headers if key == name), b"")


def _announced(scope: Scope) -> int:
    text = header(scope, b"content-length")
    return int(text) if text.isdigit() else 0
