"""Captured output: the pipes of all services, kept flowing into their logs by one loop without threads."""

import asyncio
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from holdfast.clock import Clock
from holdfast.errors import UnknownName
from holdfast.machine.keeping import Keeping
from holdfast.machine.output.fifo import Fifo, discard_unheld, open_fifo
from holdfast.machine.output.logfile import LogFile, OpenLogs
from holdfast.machine.output.pace import Pace
from holdfast.machine.output.sink import OnLoss, Sink
from holdfast.machine.output.streams import JsonStream, Stream, TextStream
from holdfast.machine.output.tap import Scratch, tap_for
from holdfast.model.spec import LogFormat, LogPolicy

MEND_EVERY_S = 1.0
"""How often a log that could not be written is tried again."""


@dataclass(frozen=True, slots=True)
class Outlets:
    """What a program gets as its stdout and stderr; for text both are the same pipe, so that the order holds."""

    stdout_fd: int
    stderr_fd: int

    def close(self) -> None:
        """Close our copies, once the program has its own."""
        for fd in {self.stdout_fd, self.stderr_fd}:
            os.close(fd)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    log_path: Path
    folder: Path
    uid: int | None
    format: LogFormat


@dataclass(slots=True, kw_only=True)
class _Capture:
    """The output of one service: its pipes by label, in the order of `_LABELS`."""

    place: _Place
    sink: Sink
    fifos: dict[str, Fifo]
    streams: list[Stream]
    lost: list[str] = field(default_factory=list)


_LABELS = {"stdout": "out", "stderr": "err"}


class Pipes:
    """The captured output of every service of a supervisor.

    `on_loss` is called with name, bytes and reason: with 0 bytes when a log cannot be written any more, and with the
    number of bytes that were thrown away when it can again. What stands in a pipe outlives this process with whoever
    is `keeping` a copy of its descriptor, even when the service is gone by then.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, clock: Clock, on_loss: OnLoss, keeping: Keeping
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._on_loss = on_loss
        self._keeping = keeping
        self._scratch = Scratch()
        self._open_logs = OpenLogs()
        self._pace = Pace(loop, clock, self._open_logs.release)
        self._captures: dict[str, _Capture] = {}
        self._mender: asyncio.TimerHandle | None = None

    def open(
        self, name: str, policy: LogPolicy, log_path: Path, folder: Path, uid: int | None
    ) -> Outlets:
        """Capture the output of a service, or go on doing so; return what to start its program with.

        The pipes stand in `folder` as `NAME.out` and, for JSON, `NAME.err`. What is still in them, and what a program
        of before writes into them, arrives. The caller closes the outlets.

        Raises:
            Refused: something else stands where a pipe should be.
            OSError: a pipe cannot be made or opened now.
            HoldfastError: on Windows.
        """
        place = _Place(log_path=log_path, folder=folder, uid=uid, format=policy.format)
        capture = self._captures.get(name)
        if capture is not None and (capture.place != place or not _is_in_place(capture)):
            self.close(name)
            capture = None
        if capture is None:
            capture = self._begin(name, policy, place)
        capture.sink.log.change(policy)
        return _outlets(capture)

    def drain(self, name: str) -> None:
        """Move everything now, the beginning of a line too: at the end of a program. Unknown names have nothing."""
        capture = self._captures.get(name)
        if capture is None:
            return
        capture.sink.mend()
        for stream in capture.streams:
            stream.finish()
        capture.sink.log.release()

    def close(self, name: str) -> None:
        """Move everything now and let go of it; the pipes stay where they are. May be called again."""
        self.drain(name)
        capture = self._captures.pop(name, None)
        if capture is None:
            return
        for stream in capture.streams:
            self._pace.remove(stream)
            stream.tap.fifo.close()
        for path in (fifo.path for fifo in capture.fifos.values()):
            self._keeping.drop(os.path.basename(path))
        for kept_as in capture.lost:
            self._keeping.drop(kept_as)
        capture.sink.give_up()

    def close_all(self) -> None:
        """Close every service's output and what they share; services go on writing into their pipes."""
        for name in tuple(self._captures):
            self.close(name)
        self._pace.close()
        self._scratch.close()
        if self._mender is not None:
            self._mender.cancel()

    def change(self, name: str, policy: LogPolicy) -> None:
        """Obey another size and number of old files at once, another format from the next `open` on.

        Raises:
            UnknownName: the output of no such service is captured.
        """
        log = self._capture(name).sink.log
        log.change(replace(policy, format=log.policy.format))

    def rotate(self, name: str) -> None:
        """Start a new log file, at the end of the line that is being written.

        Raises:
            UnknownName: the output of no such service is captured.
            OSError: the file cannot be renamed.
        """
        log = self._capture(name).sink.log
        log.rotate()
        log.release()

    def _begin(self, name: str, policy: LogPolicy, place: _Place) -> _Capture:
        log = LogFile(str(place.log_path), policy, self._open_logs)
        sink = Sink(name, log, self._clock, self._note_loss)
        fifos = _open_fifos(name, place)
        capture = _Capture(
            place=place,
            sink=sink,
            fifos=fifos,
            streams=[self._stream(fifo, label, sink) for label, fifo in fifos.items()],
        )
        self._captures[name] = capture
        for stream in capture.streams:
            self._pace.add(stream)
        for fifo in fifos.values():
            self._keep_reading(capture, fifo)
            self._keeping.hold(os.path.basename(fifo.path), fifo.fd)
        return capture

    def _keep_reading(self, capture: _Capture, fifo: Fifo) -> None:
        """Go on emptying a pipe to which no path leads any more: a program that lives on still writes into it."""
        name = os.path.basename(fifo.path)
        held = self._keeping.held
        for number, kept_as in enumerate(
            [one for one in held if one == name or one.startswith(f"{name}.")]
        ):
            if os.path.sameopenfile(held[kept_as], fifo.fd):
                continue
            lost = Fifo(fifo.path, held.pop(kept_as))
            label = next(label for label, one in capture.fifos.items() if one is fifo)
            capture.streams.append(self._stream(lost, label, capture.sink))
            self._pace.add(capture.streams[-1])
            capture.lost.append(f"{name}.{number}")
            self._keeping.hold(f"{name}.{number}", lost.fd)

    def _stream(self, fifo: Fifo, label: str, sink: Sink) -> Stream:
        tap = tap_for(fifo, self._scratch)
        if sink.log.policy.format is LogFormat.JSON:
            return JsonStream(tap, sink, label)
        return TextStream(tap, sink)

    def _capture(self, name: str) -> _Capture:
        try:
            return self._captures[name]
        except KeyError:
            raise UnknownName(
                f"the output of {name!r} is not captured; a service that was started or adopted was expected"
            ) from None

    def _note_loss(self, name: str, lost: int, reason: str) -> None:
        if self._mender is None:
            self._mender = self._loop.call_later(MEND_EVERY_S, self._mend)
        self._on_loss(name, lost, reason)

    def _mend(self) -> None:
        self._mender = None
        sinks = [capture.sink for capture in self._captures.values()]
        still_blocked = [sink for sink in sinks if sink.is_blocked and not sink.mend()]
        self._open_logs.release()
        if still_blocked and self._mender is None:
            self._mender = self._loop.call_later(MEND_EVERY_S, self._mend)


def _open_fifos(name: str, place: _Place) -> dict[str, Fifo]:
    fifos: dict[str, Fifo] = {}
    try:
        for label, end in _LABELS.items():
            path = str(place.folder / f"{name}.{end}")
            is_wanted = label == "stdout" or place.format is LogFormat.JSON
            # A program started under another format may still hold a pipe that is not used any more.
            if is_wanted or not discard_unheld(path):
                fifos[label] = open_fifo(path, place.uid)
    except BaseException:
        for fifo in fifos.values():
            fifo.close()
        raise
    return fifos


def _is_in_place(capture: _Capture) -> bool:
    """Tell whether the pipes still stand where a program would open them: the folder of a session goes with the session."""
    return all(os.path.lexists(fifo.path) for fifo in capture.fifos.values())


def _outlets(capture: _Capture) -> Outlets:
    out = capture.fifos["stdout"].outlet()
    if capture.place.format is LogFormat.TEXT:
        return Outlets(out, out)
    try:
        return Outlets(out, capture.fifos["stderr"].outlet())
    except BaseException:
        os.close(out)
        raise
