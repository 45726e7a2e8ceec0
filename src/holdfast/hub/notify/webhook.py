"""A message as a POST of JSON to an address, signed where a key is configured."""

import hashlib
import hmac
import os
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import unquote

import urllib3

from holdfast.clock import Clock
from holdfast.hub.notify.render import host_of, payload, reason
from holdfast.model.message import Channel, Delivered, Message, Outcome, Refused, TryLater

SIGNATURE = "X-Holdfast-Signature"
"""The HMAC-SHA256 of the body in hex, after `sha256=`."""

_PASSING = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
"""Statuses below 500 after which the same request may be taken later."""


def send(channel: Channel, url: str, message: Message, clock: Clock) -> Outcome:
    """POST a message; `url` begins with `webhook+http`. A redirect is not followed: the key would go with it."""
    address, body = url.removeprefix("webhook+"), payload(message)
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": message.key,
        "User-Agent": "holdfast",
    }
    try:
        key = _key(channel)
    except OSError as error:
        return Refused(why=f"{channel.secret_file} cannot be read: {error.strerror}")
    if key:
        headers[SIGNATURE] = f"sha256={hmac.new(key, body, hashlib.sha256).hexdigest()}"
    try:
        answer = _post(address, body, headers, channel.timeout)
    except urllib3.exceptions.LocationParseError:
        return Refused(why="its address is not a URL")
    except urllib3.exceptions.HTTPError as error:
        why = f"{host_of(address)} cannot be reached: {type(error).__name__}: {error}"
        return TryLater(why=_without(address, why), may_have_arrived=not _never_sent(error))
    return _outcome(answer, host_of(address), clock.wall())


def _key(channel: Channel) -> bytes:
    if channel.secret_file is None:
        return b""
    with open(os.path.expanduser(channel.secret_file), "rb") as source:
        return source.read().strip()


def _post(
    address: str, body: bytes, headers: dict[str, str], timeout: float
) -> urllib3.BaseHTTPResponse:
    """POST once; what the other side answers is dropped unread, so that a long answer costs nothing."""
    limits = urllib3.Timeout(total=timeout)
    login = urllib3.util.parse_url(address).auth
    if login:  # urllib3 leaves it out of what it sends
        headers = {**headers, **urllib3.make_headers(basic_auth=unquote(login))}
    with urllib3.PoolManager(timeout=limits, retries=False) as pool:
        answer = pool.request(
            "POST", address, body=body, headers=headers, redirect=False, preload_content=False
        )
        answer.close()
        return answer


def _never_sent(error: urllib3.exceptions.HTTPError) -> bool:
    """Tell whether nobody was reached at all; a broken or late answer leaves open whether it was taken."""
    return isinstance(error, urllib3.exceptions.ConnectTimeoutError | urllib3.exceptions.SSLError)


def _outcome(answer: urllib3.BaseHTTPResponse, host: str, now: float) -> Outcome:
    status = answer.status
    if 200 <= status < 300:
        return Delivered()
    why = f"{host} answered {status} {_phrase(status)}".strip()
    if status in _PASSING or status >= 500:
        return TryLater(why=why, after=_asked_wait(answer.headers.get("Retry-After", ""), now))
    return Refused(why=f"{why}; redirects are not followed" if 300 <= status < 400 else why)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _asked_wait(text: str, now: float) -> float | None:
    """Return the seconds of a Retry-After header, which holds seconds or a date (RFC 9110, 10.2.3)."""
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (TypeError, ValueError, OverflowError):
        return None


def _without(address: str, text: str) -> str:
    """Hide all of an address but where it leads to."""
    host = host_of(address)
    path = address.partition("://")[2].partition("/")[2]
    userinfo = address.partition("://")[2].rpartition("@")[0]
    return reason(text, *(part for part in (path, userinfo) if part and part != host))
