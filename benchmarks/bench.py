"""What one run of the benchmark has at hand: tools, folders, programs, and a line that tells how far it is."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.command import Progress
from benchmarks.peers.peer import Launch, Peer, Program
from benchmarks.reports import Report, Reports
from benchmarks.toolbox import NotInstalledError, Toolbox


class UpFailedError(Exception):
    """A peer did not get its children up in time; the message holds its last words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Another program for the children than the one that only reports."""

    program: Path
    words: Callable[[Path], tuple[str, ...]]
    """From the folder of the launch to what follows the FIFO and the name."""
    log_bytes: int


class Launched:
    """A peer that has been launched, with the FIFO its children report to."""

    def __init__(self, peer: Peer, *, launch: Launch, reports: Reports, count: int) -> None:
        self.peer = peer
        self.launch = launch
        self.reports = reports
        self.count = count
        self.first: dict[str, Report] = {}
        self.seconds_until_up = 0.0

    def up(self, within: float) -> None:
        """Launch, and wait until every child has reported; raise UpFailedError."""
        began_ns = time.monotonic_ns()
        try:
            self.launch.up()
        except OSError as error:
            raise UpFailedError(f"the launching command cannot be run: {error}") from error
        self.first = self.reports.wait_for(self.count, within)
        if len(self.first) < self.count:
            said = self.launch.last_words()
            raise UpFailedError(
                f"{len(self.first)} of {self.count} children up after {within:.0f} s. {said}"
            )
        self.seconds_until_up = (max(each.at_ns for each in self.first.values()) - began_ns) / 1e9


class Bench:
    """Launches peers under one temporary folder; nothing of it is left at the end."""

    def __init__(self, *, folder: Path, cache: Path) -> None:
        self._folder = folder
        self.tell = Progress().tell
        built = folder / "bin"
        built.mkdir()
        self.tools = Toolbox(cache=cache, built=built)
        self.child = self._compile_child()

    def _compile_child(self) -> Path:
        try:
            return self.tools.compiled("child", "-static")
        except NotInstalledError:
            return Toolbox(cache=self._folder, built=self._folder / "bin").compiled("child")

    def why_missing(self, peer: Peer) -> str | None:
        """Return why a peer cannot run here, after trying to install it."""
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            try:
                peer.prepare(self.tools, Path(folder), ())
            except NotInstalledError as missing:
                return str(missing)
        return None

    @contextlib.contextmanager
    def launched(
        self, peer: Peer, count: int, *, within: float = 60.0, script: Script | None = None
    ) -> Iterator[Launched]:
        """Launch a peer with so many children, all up; end everything of it afterwards."""
        # Short, because the addresses of Unix sockets below it end at 107 bytes.
        folder = Path(tempfile.mkdtemp(prefix="p", dir=self._folder))
        child = script.program if script else self.child
        launch = Launch(peer, folder=folder, tools=self.tools, child=child)
        reports = Reports(folder / "reports")
        try:
            launch.prepare(self._programs(peer, folder, count, script))
            launched = Launched(peer, launch=launch, reports=reports, count=count)
            launched.up(within)
            launch.settle(within)
            yield launched
        finally:
            launch.down()
            reports.close()
            shutil.rmtree(folder, ignore_errors=True)

    def _programs(
        self, peer: Peer, folder: Path, count: int, script: Script | None
    ) -> Sequence[Program]:
        def command(name: str) -> tuple[str, ...]:
            if script is not None:
                words = (str(script.program), str(folder / "reports"), name)
                return (*words, *script.words(folder))
            words = (str(self.child), str(folder / "reports"), name)
            if peer.readiness:
                return (*words, "-n", "3")
            return (*words, "-p", str(folder / f"{name}.pid")) if peer.detaches else words

        log_bytes = script.log_bytes if script else None
        names = [f"s{n}" for n in range(count)]
        return [Program(name=name, command=command(name), log_bytes=log_bytes) for name in names]
