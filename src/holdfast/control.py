"""JSON-RPC 2.0 over the control socket, one object a line: the codec, and the client that gives orders."""

import json
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from holdfast.errors import (
    HoldfastError,
    LockHeld,
    NotRunning,
    Refused,
    UnknownName,
    UsageError,
)

MAX_LINE = 16_000_000
"""Longest message either side reads, in bytes."""

PARSE_ERROR = -32700
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
REFUSED = -32000

_KINDS: dict[str, type[HoldfastError]] = {
    kind.__name__: kind
    for kind in (HoldfastError, LockHeld, NotRunning, Refused, UnknownName, UsageError)
}


def encode(message: dict[str, Any]) -> bytes:
    """Return one line on the wire."""
    return json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """Return the message of one line.

    Raises:
        UsageError: the line is not a JSON-RPC 2.0 object.
    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"expected one JSON object a line: {error}") from error
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise UsageError('expected a JSON-RPC 2.0 object with "jsonrpc": "2.0"')
    return message


def error_object(error: HoldfastError) -> dict[str, Any]:
    """Return the `error` member that carries this error, and its class, to the caller."""
    kind = next(
        (kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _KINDS), "HoldfastError"
    )
    code = INVALID_PARAMS if isinstance(error, UsageError) else REFUSED
    return {"code": code, "message": str(error), "data": {"kind": kind}}


def error_from(found: dict[str, Any]) -> HoldfastError:
    """Return the error an `error` member carries, in its own class."""
    kind = _KINDS.get((found.get("data") or {}).get("kind", ""), HoldfastError)
    return kind(str(found.get("message", "the supervisor refused without saying why")))


class ControlClient:
    """A connection to one supervisor; use it as a context."""

    def __init__(self, path: Path, *, timeout: float | None = 10.0) -> None:
        self.path = path
        self.timeout = timeout
        self._socket: socket.socket | None = None
        self._lines: Iterator[bytes] = iter(())
        self._last_id = 0

    def __enter__(self) -> "ControlClient":
        """Connect.

        Raises:
            NotRunning: nobody listens on the socket.
            Refused: it belongs to another user.
        """
        connection = _unix_socket()
        try:
            connection.connect(
                str(self.path)
            )  # blocks while too many others call, instead of failing
        except PermissionError as error:
            connection.close()
            raise Refused(
                f"the supervisor on {self.path} takes orders from its own user only"
            ) from error
        except OSError as error:
            connection.close()
            raise NotRunning(
                f"no supervisor answers on {self.path} ({error.strerror or error}); start one with: holdfast up"
            ) from error
        connection.settimeout(self.timeout)
        self._socket = connection
        self._lines = _lines(connection)
        return self

    def __exit__(self, *exception: object) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def call(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        progress: Callable[[dict[str, Any]], None] | None = None,
    ) -> Any:
        """Give one order and return its result; `progress` sees what is reported until then.

        Raises:
            HoldfastError: what the supervisor answered, in its own class.
            NotRunning: the supervisor went away or did not answer in time.
        """
        if self._socket is None:
            raise NotRunning(
                "the control client is not connected; use it as a context: with ControlClient(path) as control"
            )
        self._last_id += 1
        try:
            self._socket.sendall(
                encode({"id": self._last_id, "method": method, "params": params or {}})
            )
            return self._answer(progress)
        except TimeoutError as error:
            raise NotRunning(
                f"the supervisor on {self.path} did not answer {method} within {self.timeout} s"
            ) from error
        except OSError as error:
            raise NotRunning(f"the supervisor on {self.path} went away: {error}") from error

    def _answer(self, progress: Callable[[dict[str, Any]], None] | None) -> Any:
        for line in self._lines:
            message = decode(line)
            if message.get("id") == self._last_id:
                if "error" in message:
                    raise error_from(message["error"])
                return message.get("result")
            if progress is not None and "method" in message:
                progress(message.get("params", {}))
        raise NotRunning(f"the supervisor on {self.path} went away before it answered")


def _unix_socket() -> socket.socket:
    if sys.platform == "win32":
        raise NotRunning(
            "the control socket needs AF_UNIX, which Python does not offer on Windows"
        )
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)


def _lines(connection: socket.socket) -> Iterator[bytes]:
    held = b""
    while chunk := connection.recv(262_144):
        held += chunk
        *whole, held = held.split(b"\n")
        yield from whole
        if len(held) > MAX_LINE:
            raise OSError(f"a message of more than {MAX_LINE} bytes")
