"""The HTTP server of the hub: uvicorn, told when to end by the hub instead of by signals."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Iterator
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

from holdfast.errors import Refused
from holdfast.model.hub import HubSettings

ENDS_WITHIN = 3
"""Seconds that requests under way have to end."""


class Server(uvicorn.Server):
    """Serves until `leave` is called."""

    def __init__(self, app: ASGIApp, settings: HubSettings) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_speaker(),
                lifespan="off",
                ws="none",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                date_header=False,
                proxy_headers=settings.behind_proxy,
                timeout_graceful_shutdown=ENDS_WITHIN,
                ssl_certfile=settings.tls_cert_file,
                ssl_keyfile=settings.tls_key_file,
            )
        )
        self.opened = asyncio.Event()
        self._left = asyncio.Event()

    def prepare(self) -> None:
        """Read what serving takes; a server that was not prepared could only fail.

        Raises:
            Refused: the certificate or its key cannot be used.
        """
        try:
            self.config.load()
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            raise self._unusable(error) from error

    def renew(self) -> None:
        """Read the certificate again: it is renewed under the same name. Connections that are open keep the old one.

        Raises:
            Refused: it cannot be used; the old one stays.
        """
        context, certificate = self.config.ssl, self.config.ssl_certfile
        if context is None or certificate is None:
            return
        try:
            context.load_cert_chain(certificate, self.config.ssl_keyfile)
        except (OSError, ValueError) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> Refused:
        return Refused(
            f"TLS cannot be served with {self.config.ssl_certfile}: {error}; look at tls_cert_file and tls_key_file in [hub]"
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the hub."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections."""
        await super().startup(sockets)
        self.opened.set()

    async def main_loop(self) -> None:
        """Wait for the end; uvicorn itself would wake ten times a second to look."""
        await self._left.wait()

    def leave(self) -> None:
        """Take no new requests, finish those under way, and end."""
        self.should_exit = True
        self._left.set()


def _speaker() -> "type[asyncio.Protocol] | Literal['h11']":
    if sys.platform == "win32":  # where httptools is not to be had
        return "h11"
    from holdfast.hub.web.connection import Connection

    return Connection
