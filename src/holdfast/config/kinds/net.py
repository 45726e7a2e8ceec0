"""Kinds that name places on a network: addresses and URLs."""

import ipaddress
import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from holdfast.config.kinds.base import Kind, parsed
from holdfast.config.unfit import Unfit

_ADDRESS = re.compile(r"(\[[^\]]*\]|[^:\[\]/\s]*):([0-9]{1,5})")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")


def split_address(text: str) -> tuple[str, int]:
    """Return host and port of "host:port" or "[ipv6]:port"; an empty host means every interface.

    Raises:
        Unfit: no such address.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise Unfit
    host, port = found[1].strip("[]"), int(found[2])
    if found[1].startswith("["):
        _require_ipv6(host)
    if port > 65_535:
        raise Unfit(f"there is no port {port}", hint="ports go from 1 to 65535")
    return host, port


def is_loopback(host: str) -> bool:
    """Tell whether only programs of this machine reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _require_ipv6(host: str) -> None:
    try:
        ipaddress.IPv6Address(host)
    except ValueError as error:
        raise Unfit(f"{host} is no IPv6 address") from error


def _listen(text: str) -> str:
    split_address(text)
    return text


def _target(text: str) -> str:
    host, port = split_address(text)
    if not host:
        raise Unfit("names no host", hint=f'write "127.0.0.1:{port}"')
    if port == 0:
        raise Unfit("there is no port 0", hint="ports go from 1 to 65535")
    return text


def _http_url(text: str) -> str:
    parts = _split_url(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Unfit
    return text


def _database(text: str) -> str:
    if text == "sqlite":
        return text
    if _split_url(text).scheme not in {"postgresql", "postgres"}:
        raise Unfit
    return text


def _channel_url(text: str) -> str:
    found = _SCHEME.match(text)
    if found is None:
        raise Unfit
    if not text[found.end() :] and found[0].lower() != "desktop://":
        raise Unfit(f"nothing stands behind {found[0]}")
    return text


def _split_url(text: str) -> SplitResult:
    if any(char.isspace() for char in text):
        raise Unfit("a URL holds no space")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise Unfit(str(error)) from error
    if port == 0:
        raise Unfit("there is no port 0", hint="ports go from 1 to 65535")
    return parts


LISTEN = Kind(
    expected='an address such as "127.0.0.1:8484"',
    schema={"type": "string", "pattern": r"^(\[[^\]]*\]|[^:\[\]/ ]*):[0-9]{1,5}$"},
    read=parsed(_listen),
)
TARGET = Kind(
    expected='an address such as "127.0.0.1:8000"',
    schema={"type": "string", "pattern": r"^(\[[^\]]*\]|[^:\[\]/ ]+):[0-9]{1,5}$"},
    read=parsed(_target),
)
HTTP_URL = Kind(
    expected='a URL such as "http://127.0.0.1:8000/healthz"',
    schema={"type": "string", "pattern": "^https?://"},
    read=parsed(_http_url),
)
DATABASE = Kind(
    expected='"sqlite" or "postgresql://user@host/database"',
    schema={"type": "string", "pattern": "^(sqlite|postgres(ql)?://.*)$"},
    read=parsed(_database),
    secret=True,
)
CHANNEL_URL = Kind(
    expected='a URL such as "ntfys://ntfy.example/topic", "desktop://" or "file:///path"',
    schema={"type": "string", "pattern": "^[a-zA-Z][a-zA-Z0-9+.-]+://"},
    read=parsed(_channel_url),
    secret=True,
)

Listen = Annotated[str, LISTEN]
Target = Annotated[str, TARGET]
HttpUrl = Annotated[str, HTTP_URL]
Database = Annotated[str, DATABASE]
ChannelUrl = Annotated[str, CHANNEL_URL]
