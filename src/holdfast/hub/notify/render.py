"""A message as bytes, and text without secrets."""

import re
from urllib.parse import unquote, urlsplit

import msgspec

from holdfast.clock import utc_text
from holdfast.model.message import Message

HIDDEN = "***"
SHORTEST_SECRET = 4
"""Characters below which a part of an address is not hidden: it would hide half of every sentence."""

LONGEST_REASON = 500


def payload(message: Message) -> bytes:
    """Return a message as one JSON object, the same bytes each time: what `notifications --json` shows."""
    return msgspec.json.encode({**msgspec.to_builtins(message), "at": utc_text(message.at)})


def reason(text: str, *secrets: str) -> str:
    """Return one line that names no part of a secret address."""
    line = " ".join(text.split())
    for part in sorted(_parts(secrets), key=len, reverse=True):
        line = line.replace(part, HIDDEN)
    return line[:LONGEST_REASON]


def host_of(url: str) -> str:
    """Return the host and port of an address, which may be told."""
    try:
        split = urlsplit(url)
        host, port = split.hostname or HIDDEN, split.port
    except ValueError:
        return HIDDEN
    return f"{host}:{port}" if port else host


def _parts(secrets: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    for secret in secrets:
        rest = secret.partition("://")[2] or secret
        found |= {secret, rest, *re.split(r"[/:@?&=#;,\s]+", rest)}
    found |= {unquote(part) for part in found}
    return {part for part in found if len(part) >= SHORTEST_SECRET}
