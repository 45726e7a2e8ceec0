"""The control socket: JSON-RPC 2.0, one object a line, for the user of this home alone."""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from holdfast.control import MAX_LINE, METHOD_NOT_FOUND, PARSE_ERROR, decode, encode, error_object
from holdfast.errors import HoldfastError, UsageError
from holdfast.machine.handover import leads_somewhere
from holdfast.machine.keeping import Keeping

Report: TypeAlias = Callable[[dict[str, Any]], None]
Method: TypeAlias = Callable[[dict[str, Any], Report], Awaitable[Any]]

BACKLOG = 128

KEPT_AS = "control"
"""The name under which the listener is kept while no supervisor lives."""


class ControlServer:
    """Listens on the control socket, and holds one conversation per caller."""

    def __init__(self, path: Path, methods: Mapping[str, Method], keeping: Keeping) -> None:
        self.path = path
        self.methods = methods
        self.keeping = keeping
        self._server: asyncio.Server | None = None
        self._conversations: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to listen, or go on with the listener of the supervisor before: its callers are waiting in it.

        A stale socket is replaced. The caller holds the supervisor's lock, so whatever stands at the path belongs to
        nobody alive.
        """
        listener = self._kept_listener() or _private_listener(self.path)
        self.keeping.hold(KEPT_AS, listener.fileno())
        if sys.platform != "win32":
            self._server = await asyncio.start_unix_server(
                self._converse, sock=listener, limit=MAX_LINE
            )

    async def close(self) -> None:
        """Stop listening and hang up on everybody; answers that are complete have been sent."""
        self.keeping.drop(KEPT_AS)
        if self._server is not None:
            self._server.close()
        talking = list(self._conversations)
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)

    def _kept_listener(self) -> socket.socket | None:
        kept = self.keeping.held.pop(KEPT_AS, None)
        if kept is None:
            return None
        listener = socket.socket(fileno=kept)
        if listener.getsockname() == str(self.path) and leads_somewhere(listener):
            return listener
        listener.close()
        return None

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        try:
            await _converse(self.methods, reader, writer)
        finally:
            self._conversations.discard(task)


def _private_listener(path: Path) -> socket.socket:
    if sys.platform == "win32":
        raise HoldfastError(
            "the control socket needs AF_UNIX, which Python does not offer on Windows"
        )
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(BACKLOG)
    return listener


async def _converse(
    methods: Mapping[str, Method], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    with contextlib.suppress(ConnectionError, asyncio.CancelledError):
        try:
            while line := await reader.readline():
                writer.write(encode(await _answer(methods, line, writer)))
                await writer.drain()
        except ValueError:
            too_long = {"code": PARSE_ERROR, "message": f"a line of over {MAX_LINE} bytes"}
            writer.write(encode({"id": None, "error": too_long}))
        finally:
            writer.close()


async def _answer(
    methods: Mapping[str, Method], line: bytes, writer: asyncio.StreamWriter
) -> dict[str, Any]:
    request_id: object = None
    try:
        request = decode(line)
        request_id = request.get("id")
        name, params = request.get("method"), request.get("params", {})
        method = methods.get(name) if isinstance(name, str) else None
        if method is None:
            what = {
                "code": METHOD_NOT_FOUND,
                "message": f"there is no method {name!r}",
            }
            return {"id": request_id, "error": what}
        if not isinstance(params, dict):
            raise UsageError(f"params of {name} were expected to be an object")  # noqa: TRY301 - one way out
        return {"id": request_id, "result": await method(params, _reporter(writer))}
    except HoldfastError as error:
        return {"id": request_id, "error": error_object(error)}
    except Exception as error:  # noqa: BLE001 - the top of a conversation
        # One wrong order must not cost the supervisor, and must not pass unseen.
        asyncio.get_running_loop().call_exception_handler(
            {"message": "an order failed", "exception": error}
        )
        why = f"the supervisor failed at this order ({type(error).__name__}: {error}); see logs/supervisor.log"
        return {"id": request_id, "error": error_object(HoldfastError(why))}


def _reporter(writer: asyncio.StreamWriter) -> Report:
    def report(params: dict[str, Any]) -> None:
        if not writer.is_closing():
            writer.write(encode({"method": "progress", "params": params}))

    return report
