"""A key-value server: one command a line over TCP; a change is on disk before it is answered.

    PING          -> ok "pong"
    GET key       -> ok and the value, or null
    SET key JSON  -> ok and the value
    INCR key      -> ok and the number after adding one
    KEYS          -> ok and all keys, in order

Every answer is one line: `ok JSON`, or `error` and why.
"""

import json
import os
import signal
import socketserver
import sys
import threading
from io import FileIO
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
PORT = int(os.environ.get("DB_PORT") or 7401)
FOLDER = Path(os.environ.get("HOLDFAST_HOME") or ".") / "data"
FILE = Path(os.environ.get("DB_FILE") or FOLDER / "web-stack.jsonl")


class Store:
    """The values in memory, and the file of changes that brings them back."""

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self._values: dict[str, Any] = {}
        self._lock = threading.Lock()

    def replay(self) -> int:
        """Read the file and return how many changes it holds; half a line at its end, left by a kill, is cut off."""
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        self._cut(whole)
        changes = content[:whole].splitlines()
        self._values = dict(json.loads(change) for change in changes)
        return len(changes)

    def answer(self, line: str) -> object:
        """Carry out one command and return its answer; ValueError or TypeError says what is wrong with it."""
        verb, key, text = (*line.split(maxsplit=2), "", "", "")[:3]
        with self._lock:
            match verb:
                case "PING":
                    return "pong"
                case "KEYS":
                    return sorted(self._values)
                case "GET" if key:
                    return self._values.get(key)
                case "SET" if key and text:
                    return self._set(key, json.loads(text))
                case "INCR" if key:
                    return self._set(key, int(self._values.get(key) or 0) + 1)
        raise ValueError("expected PING, KEYS, GET key, SET key JSON or INCR key")

    def _set(self, key: str, value: object) -> object:
        change = json.dumps([key, value]).encode() + b"\n"
        before = self._file.tell()
        if self._file.write(change) != len(change):
            self._cut(before)
            raise OSError("the disk is full")
        os.fsync(self._file.fileno())
        self._values[key] = value
        return value

    def _cut(self, size: int) -> None:
        self._file.seek(size)
        self._file.truncate()


class Connection(socketserver.StreamRequestHandler):
    """Answers the commands of one client, one by one."""

    def handle(self) -> None:
        assert isinstance(self.server, Server)
        for line in self.rfile:
            try:
                answer = f"ok {json.dumps(self.server.store.answer(line.decode()))}"
            except (ValueError, TypeError, OSError) as error:
                answer = f"error {error}"
            self.wfile.write(answer.encode() + b"\n")


class Server(socketserver.ThreadingTCPServer):
    """Listens; a client that stays connected does not keep it from ending."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, store: Store) -> None:
        self.store = store
        super().__init__((HOST, PORT), Connection)


def main() -> None:
    """Serve until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    FILE.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    FILE.touch(mode=0o600)
    with FileIO(FILE, "r+") as file:
        store = Store(file)
        changes = store.replay()
        with Server(store) as server:
            print(
                f"listening on {HOST}:{server.server_address[1]}, read {changes} changes",
                flush=True,
            )
            server.serve_forever()


if __name__ == "__main__":
    main()
