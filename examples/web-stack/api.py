"""An HTTP server in front of the database: GET and PUT /items/KEY, POST /visits, GET /healthz."""

import json
import os
import re
import signal
import socket
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

HOST = "127.0.0.1"
PORT = int(os.environ.get("API_PORT") or 7402)
DB_PORT = int(os.environ.get("DB_PORT") or 7401)
DB_TIMEOUT = 2.0
LONGEST_BODY = 65_536

_ITEM = re.compile(r"/items/([A-Za-z0-9_-]{1,64})")


class Rejected(Exception):
    """The database answered, but did not do it."""


def ask(command: str) -> object:
    """Return the database's answer to one command.

    Raises:
        OSError: it is away.
        Rejected: it says that the command makes no sense.
    """
    with socket.create_connection((HOST, DB_PORT), timeout=DB_TIMEOUT) as connection:
        connection.sendall(command.encode() + b"\n")
        with connection.makefile("rb") as answers:
            line = answers.readline()
    verdict, _, answer = line.decode().strip().partition(" ")
    if not verdict:
        raise ConnectionError("the database hung up")
    if verdict != "ok":
        raise Rejected(answer)
    return json.loads(answer)


class Api(BaseHTTPRequestHandler):
    """Answers in JSON; while the database is away every path answers 503."""

    server_version = "web-stack"
    timeout: ClassVar[float | None] = 10.0

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self._answer("PING")
        elif self.path == "/items":
            self._answer("KEYS")
        elif item := _ITEM.fullmatch(self.path):
            self._answer(f"GET {item[1]}")
        else:
            self._send(HTTPStatus.NOT_FOUND, {"error": "no such path"})

    def do_PUT(self) -> None:
        item = _ITEM.fullmatch(self.path)
        if item is None:
            self._send(HTTPStatus.NOT_FOUND, {"error": "no such path"})
            return
        try:
            value = json.loads(self._body())
        except ValueError as error:
            self._send(HTTPStatus.BAD_REQUEST, {"error": str(error)})
            return
        self._answer(f"SET {item[1]} {json.dumps(value)}")

    def do_POST(self) -> None:
        if self.path == "/visits":
            self._answer("INCR visits")
        else:
            self._send(HTTPStatus.NOT_FOUND, {"error": "no such path"})

    def _body(self) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 <= length <= LONGEST_BODY:
            raise ValueError(f"a body has at most {LONGEST_BODY} bytes")
        return self.rfile.read(length)

    def _answer(self, command: str) -> None:
        try:
            self._send(HTTPStatus.OK, ask(command))
        except Rejected as error:
            self._send(HTTPStatus.CONFLICT, {"error": str(error)})
        except OSError as error:
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, {"error": f"the database is away: {error}"})

    def _send(self, status: HTTPStatus, answer: object) -> None:
        body = json.dumps(answer).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        print(format % args, flush=True)


def main() -> None:
    """Serve until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with ThreadingHTTPServer((HOST, PORT), Api) as server:
        print(f"listening on http://{HOST}:{server.server_address[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
