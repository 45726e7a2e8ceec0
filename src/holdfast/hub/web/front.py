"""The front door: which requests are let in, and what every answer carries."""

import email.utils
import ipaddress
import socket
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast.hub.listen import address_of
from holdfast.hub.parts import Parts
from holdfast.hub.web import pings
from holdfast.hub.web.bodies import header
from holdfast.hub.web.pings import Pings
from holdfast.hub.web.problem import problem

SECURE = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


class Front:
    """The outermost ASGI application: pings go straight through, everything else by the Host check to the API."""

    def __init__(self, parts: Parts, api: ASGIApp) -> None:
        self.parts = parts
        self.api = api
        self.pings = Pings(parts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request in."""
        if scope["type"] != "http":
            return
        dated = _with_headers(send, ((b"date", self._date()),))
        # A ping carries its own secret and is sent by clients that call the hub by any name, so the Host says nothing.
        if scope["path"].startswith(pings.PREFIX):
            await self.pings(scope, receive, dated)
            return
        secured = _with_headers(dated, SECURE)
        host = header(scope, b"host").decode("latin-1")
        if not is_own_host(host, self.parts):
            told = f"this hub does not answer to the host {host!r}; call it by its address, or name the host as hosts in [hub]"
            await problem(421, told)(scope, receive, secured)
            return
        await self.api(scope, receive, secured)

    def _date(self) -> bytes:
        return email.utils.formatdate(self.parts.clock.wall(), usegmt=True).encode()


def is_own_host(host: str, parts: Parts) -> bool:
    """Tell whether a Host header names this hub: against pages that make the browser call a name of theirs (DNS rebinding).

    An IP address is no name, so nobody can rebind it. A proxy in front sees to the Host itself.
    """
    settings = parts.settings
    if settings.behind_proxy:
        return True
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        own = {
            "localhost",
            socket.gethostname(),
            settings.machine,
            address_of(settings.listen).host,
            *settings.hosts,
        }
        return name in {each.lower().rstrip(".") for each in own if each}
    return True


def _with_headers(send: Send, headers: tuple[tuple[bytes, bytes], ...]) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = message.get("headers", [])
            names = {name.lower() for name, _ in given}
            added = [(name, value) for name, value in headers if name not in names]
            message = {**message, "headers": [*given, *added]}
        await send(message)

    return sent
