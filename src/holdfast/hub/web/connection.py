"""One connection of a client: ended when its requests do not come in time, or are too large to be meant well."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_WITHIN = 20.0
"""Seconds the first line and the headers of a request may take."""

SILENT_FOR = 60.0
"""Seconds between two parts of a body."""

LARGEST_HEAD = 64 * 1024
"""Bytes of the first line and the headers, not counting the piece in which they begin."""

MOST_CONNECTIONS = 500
"""Connections at a time: who opens more than that leaves no descriptor for the database."""


class Connection(HttpToolsProtocol):
    """Speaks HTTP as uvicorn does, with an end to its patience: uvicorn waits for a slow or endless client for ever."""

    _patience: asyncio.TimerHandle | None = None
    _is_head = True
    _head_size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for a request."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self._wait_for(HEAD_WITHIN)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, and see how much and how long it is."""
        if self._is_head:
            self._head_size += len(data)
        elif self._patience is not None:
            self._wait_for(SILENT_FOR)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._is_head and self._head_size > LARGEST_HEAD:
            self.send_400_response("The request line and headers are larger than 64 kB.")
        elif self._patience is None and not self._is_answering():
            self._wait_for(HEAD_WITHIN)

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._is_head, self._head_size = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Have the request answered; its body may still be on its way."""
        self._is_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Wait no longer: the request is whole."""
        self._stop_waiting()
        self._is_head, self._head_size = True, 0
        super().on_message_complete()

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        return cycle is not None and not cycle.response_complete

    def _wait_for(self, seconds: float) -> None:
        self._stop_waiting()
        self._patience = self.loop.call_later(seconds, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
