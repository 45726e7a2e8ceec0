"""The HTTP server of the hub: uvicorn, told when to end by the hub instead of by signals."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from holdfast.model.hub import HubSettings

ENDS_WITHIN = 3
"""Seconds that requests under way have to end."""


class Server(uvicorn.Server):
    """Serves until `leave` is called."""

    def __init__(self, app: ASGIApp, settings: HubSettings) -> None:
        super().__init__(
            uvicorn.Config(
                app,
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
