"""`holdfast logs`: what services printed, straight from the files; works without a supervisor."""

import argparse
import heapq
import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, islice

from holdfast.cli import follow, known, lines, reach, render, tail
from holdfast.cli.lines import Line
from holdfast.cli.when import moment
from holdfast.clock import SystemClock
from holdfast.errors import NotRunning, UsageError
from holdfast.home import Home

LINES = 20
"""How many lines of each log are shown when nothing else was asked for."""

PREFIX_COLOURS = ("36", "33", "35", "32", "34")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which lines of a log are shown: the newest `count` of those since a moment and of one stream; None means all."""

    count: int | None
    since: float | None
    stream: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The end of one log as it was seen: the wanted lines, oldest first, and what reads on from there."""

    name: str
    lines: list[Line]
    tail: tail.Tail


def run(options: argparse.Namespace) -> int:
    """Show the end of logs, and with --follow what comes after it."""
    home = reach.home()
    names = _chosen(home, options.names)
    screen = Screen(names, is_json=options.json)
    wanted = _wanted(options)
    with ExitStack() as opened:
        if not options.follow:
            _show(screen, [_look(home, name, wanted, opened, ends=True) for name in names])
            return 0
        # The wait begins before the first look, so that nothing that comes in between is missed.
        changes = opened.enter_context(follow.changes(str(home.logs), _is_of(names)))
        looks = [_look(home, name, wanted, opened, ends=False) for name in names]
        _show(screen, looks)
        while True:
            for look in looks:
                _show_more(screen, look, wanted)
            changes.wait()


def _chosen(home: Home, asked: Sequence[str]) -> list[str]:
    """Return the logs to show: those named, else those of all services.

    Raises:
        UnknownName: no service or log bears the name.
        NotRunning: none was named, and there is no service.
    """
    if asked:
        known.require(asked, known.services(home) | known.logs(home), "service or log")
        return list(dict.fromkeys(asked))
    names = sorted(known.services(home))
    if not names:
        raise NotRunning(f"no service is known in {home.root}; start some with: holdfast up")
    return names


def _wanted(options: argparse.Namespace) -> Wanted:
    if options.lines is not None and options.lines < 0:
        raise UsageError(f"-n {options.lines} was given; expected how many lines, 0 or more")
    since = None if options.since is None else moment(options.since, SystemClock().wall())
    count = LINES if options.lines is None and since is None else options.lines
    return Wanted(count=count, since=since, stream=options.stream)


def _is_of(names: Sequence[str]) -> follow.Wanted:
    # A rotation touches NAME.log and NAME.log.1; every write after it touches NAME.log.
    files = {f"{name}.log" for name in names}
    return lambda file: file in files


def _look(home: Home, name: str, wanted: Wanted, opened: ExitStack, *, ends: bool) -> Look:
    """Look at the end of a log; a line without its end is shown only where the look `ends` there."""
    path = str(home.log(name))
    files = tail.open_log(path)
    pieces = tail.backwards(_recent(files, wanted.since))
    unfinished = next(pieces)
    reader = tail.Tail(tail.next_rotated(path), files[0] if files else None, unfinished)
    opened.callback(reader.close)
    if unfinished and ends:
        pieces = chain((unfinished,), pieces)
    found = _newest(name, pieces, wanted)
    for file in files[1:]:
        file.close()
    return Look(name=name, lines=found, tail=reader)


def _recent(files: list[io.FileIO], since: float | None) -> list[io.FileIO]:
    """Leave out rotated files that were last written before the moment, but never the newest: it is read on."""
    if since is None:
        return files
    return [
        file
        for at, file in enumerate(files)
        if at == 0 or os.fstat(file.fileno()).st_mtime >= since
    ]


def _newest(name: str, pieces: Iterator[bytes], wanted: Wanted) -> list[Line]:
    """Return the wanted lines, oldest first, reading no further back than it takes."""
    found: Iterator[Line] = (lines.parse(piece) for piece in pieces)
    if wanted.since is not None:
        found = _since(name, found, wanted.since)
    if wanted.stream is not None:
        found = _of_stream(name, found, wanted.stream)
    return list(islice(found, wanted.count))[::-1]


def _since(name: str, found: Iterator[Line], since: float) -> Iterator[Line]:
    """Yield lines, newest first, down to the moment; a line without a time belongs to the one before it."""
    untimed: list[Line] = []
    is_any_timed = False
    for line in found:
        at = line.at
        if at is None:
            untimed.append(line)
            continue
        is_any_timed = True
        if at < since:
            return
        yield from untimed
        yield line
        untimed.clear()
    if untimed and not is_any_timed:
        render.complain(
            f'the lines of {name} bear no time, so --since finds none; set format = "json" in [service.{name}.log]'
        )


def _of_stream(name: str, found: Iterator[Line], stream: str) -> Iterator[Line]:
    is_told = is_any = False
    for line in found:
        is_any = True
        is_told = is_told or line.stream is not None
        if line.stream == stream:
            yield line
    if is_any and not is_told:
        render.complain(
            f'the log of {name} does not tell stdout from stderr; set format = "json" in [service.{name}.log]'
        )


def _show(screen: "Screen", looks: Sequence[Look]) -> None:
    if len(looks) == 1:
        screen.show((looks[0].name, line) for line in looks[0].lines)
        return
    merged = heapq.merge(*(_dated(look) for look in looks), key=lambda dated: dated[0])
    screen.show((name, line) for _, name, line in merged)


def _dated(look: Look) -> Iterator[tuple[float, str, Line]]:
    """Give each line the time of the line before it where it has none, and let no time run back within a log."""
    known_at = (at for line in look.lines if (at := line.at) is not None)
    latest = next(known_at, float("-inf"))
    for line in look.lines:
        at = line.at
        latest = latest if at is None else max(latest, at)
        yield latest, look.name, line


def _show_more(screen: "Screen", look: Look, wanted: Wanted) -> None:
    found = (lines.parse(piece) for piece in look.tail.lines())
    screen.show(
        (look.name, line)
        for line in found
        if wanted.stream is None or line.stream == wanted.stream
    )


class Screen:
    """Prints lines of one log as they are, of several behind the name of their log."""

    def __init__(self, names: Sequence[str], *, is_json: bool) -> None:
        self._is_json = is_json
        self._is_several = len(names) > 1
        self._is_terminal = sys.stdout.isatty()
        self._is_coloured = render.is_coloured(sys.stdout)
        width = max(map(len, names))
        self._prefixes = {
            name: self._prefix(name.ljust(width), at) if self._is_several else ""
            for at, name in enumerate(names)
        }

    def show(self, found: Iterator[tuple[str, Line]]) -> None:
        """Print lines, each under the name of its log."""
        for name, line in found:
            sys.stdout.write(self._text(name, line))
        sys.stdout.flush()

    def _text(self, name: str, line: Line) -> str:
        if self._is_json:
            return f"{lines.as_json(line, name if self._is_several else None)}\n"
        told = lines.readable(line, name)
        return "".join(
            f"{self._prefixes[name]}{self._shown(row, told.colour)}\n" for row in told.rows
        )

    def _shown(self, row: str, colour: str | None) -> str:
        safe = lines.harmless(row) if self._is_terminal else row
        return safe if colour is None else render.paint(safe, colour)

    def _prefix(self, padded: str, at: int) -> str:
        if not self._is_coloured:
            return f"{padded} | "
        return f"\x1b[{PREFIX_COLOURS[at % len(PREFIX_COLOURS)]}m{padded} |\x1b[0m "
