"""The processes in which everything is measured: installed, started, given orders, ended."""

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import assert_never

from benchmarks.statefile_peers import Host, Peer
from benchmarks.toolbox import HERE, ROOT, NotInstalledError, Toolbox


class OrderFailedError(Exception):
    """A process could not do what it was told; the message says why."""


class Installed:
    """The peers that are there, what runs them, and why others are missing."""

    def __init__(self, tools: Toolbox) -> None:
        self.peers: list[Peer] = []
        self.commands: dict[Host, list[str]] = {}  # each takes a folder as its last word
        self.libraries = [str(ROOT), str(ROOT / "src")]
        self.missing: dict[str, str] = {}
        self._tools = tools

    def add(self, peer: Peer) -> None:
        """Install what a peer needs."""
        try:
            self._prepare(peer)
        except NotInstalledError as missing:
            self.missing[peer.label] = str(missing)
        else:
            self.peers.append(peer)

    def _prepare(self, peer: Peer) -> None:
        match peer.host:
            case Host.C:
                command = [str(self._tools.compiled("statefile_floor"))]
            case Host.NODE:
                (package,) = peer.packages
                module = str(self._tools.npm_script(package, ""))
                command = [
                    str(self._tools.on_path("node")),
                    str(HERE / "statefile_node.js"),
                    module,
                ]
            case Host.PYTHON:
                self.libraries += [str(self._tools.python_library(one)) for one in peer.packages]
                command = [sys.executable, "-m", "benchmarks.statefile_worker"]
            case _:
                assert_never(peer.host)
        self.commands[peer.host] = command


class Hosts:
    """The running processes; leave it as a context manager and they are ended."""

    def __init__(self, installed: Installed, folder: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(installed.libraries)}
        # A Python that may not keep what it compiled would compile in the midst of what is timed.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self._running = {
            host: subprocess.Popen(
                [*command, str(folder)],
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for host, command in installed.commands.items()
        }

    def __enter__(self) -> "Hosts":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._running.values():
            process.kill()
        for process in self._running.values():
            process.communicate()

    def order(self, peer: Peer, amount: int, turns: int) -> list[int]:
        """Have a peer take some turns; return how long each took, in ns.

        Raises:
            OrderFailedError: it could not.
        """
        process = self._running[peer.host]
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(f"{peer.task} {amount} {turns}\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise OrderFailedError(f"its process ended with {process.wait()}")
        if answer.startswith("!"):
            raise OrderFailedError(answer[1:].strip())
        return [int(each) for each in answer.split()]
