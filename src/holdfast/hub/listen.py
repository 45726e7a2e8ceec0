"""Where the hub listens: the address it was given, checked for safety, or a free port where nobody chose one."""

import errno
import ipaddress
import os
import socket
import sys
from typing import NamedTuple
from urllib.parse import urlsplit

from holdfast import statefile
from holdfast.errors import HoldfastError, Refused, StateError
from holdfast.home import Home
from holdfast.model.hub import HubSettings

BACKLOG = 1024


class Address(NamedTuple):
    """A host, which may be an IP address, and a port; 0 for any that is free."""

    host: str
    port: int


def address_of(listen: str) -> Address:
    """Return the address in a text such as `127.0.0.1:8484` or `[::1]:8484`.

    Raises:
        Refused: it is none.
    """
    parts = urlsplit(f"//{listen}")
    try:
        port = parts.port
    except ValueError:
        port = None
    if port is None:
        raise Refused(f"{listen!r} is no address to listen on; write it like 127.0.0.1:8484")
    return Address(parts.hostname or "0.0.0.0", port)  # noqa: S104 - what an empty host means


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches a host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_safe(settings: HubSettings) -> None:
    """See that secrets do not travel in the clear.

    Raises:
        Refused: others could reach the address, and nobody ends TLS.
    """
    host = address_of(settings.listen).host
    if is_loopback(host) or settings.behind_proxy or settings.tls_cert_file:
        return
    raise Refused(
        f"{settings.listen} can be reached from other machines and has no TLS; give tls_cert_file and tls_key_file in [hub], "
        "or set behind_proxy = true when a proxy in front of it ends TLS"
    )


def open_listeners(settings: HubSettings, home: Home) -> list[socket.socket]:
    """Return sockets that listen where the settings say.

    While the default address is taken and nobody chose it, the port of the last time is tried, then any free one.

    Raises:
        Refused: the address is unsafe, or none.
        HoldfastError: it cannot be listened on.
    """
    check_safe(settings)
    address = address_of(settings.listen)
    tried = [address]
    if not settings.listen_chosen:
        tried += [Address(address.host, _last_port(home)), Address(address.host, 0)]
    return _bind_first(tried, settings.listen)


def url_of(listeners: list[socket.socket], *, is_tls: bool) -> str:
    """Return the address at which this machine reaches the hub."""
    host, port = listeners[0].getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if is_tls else 'http'}://{shown}:{port}"


def _bind_first(tried: list[Address], listen: str) -> list[socket.socket]:
    """Listen on the first address that is not taken."""
    *before, last = tried
    for address in before:
        try:
            return _bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise _cannot(listen, error) from error
    try:
        return _bind(last)
    except OSError as error:
        raise _cannot(listen, error) from error


def _bind(address: Address) -> list[socket.socket]:
    found = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    family, kind, protocol, _name, where = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":
            # A hub that was killed comes back at once, whatever the connections of the old one wait for.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return [listener]


def _last_port(home: Home) -> int:
    try:
        found = statefile.read_json(home.hub_address)
    except (StateError, FileNotFoundError):
        return 0
    url = found.get("url") if isinstance(found, dict) else None
    try:
        return (urlsplit(url).port or 0) if isinstance(url, str) else 0
    except ValueError:
        return 0


def _cannot(listen: str, error: OSError) -> HoldfastError:
    why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
    return HoldfastError(
        f"the hub cannot listen on {listen}: {why}; free that address, or choose another one as listen in [hub]"
    )
