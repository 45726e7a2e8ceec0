"""The file that keeps a service's output, and its older files: `NAME.log`, `NAME.log.1` ... `NAME.log.KEEP`."""

import contextlib
import os
from collections.abc import Sequence

from holdfast.machine.output.jsonlog import OPENING
from holdfast.machine.output.tap import Tap
from holdfast.model.spec import LogFormat, LogPolicy

PEEK_BYTES = 1 << 16
"""How far ahead a line end is looked for at a time."""

MOST_OPEN_LOGS = 256
"""Log files open at once, so that a service costs one descriptor for each pipe at rest and little more at work."""


class OpenLogs:
    """The logs that have their file open."""

    def __init__(self) -> None:
        self._logs: set[LogFile] = set()

    def add(self, log: "LogFile") -> None:
        """Count one in; past the limit all others close."""
        if len(self._logs) >= MOST_OPEN_LOGS:
            self.release()
        self._logs.add(log)

    def release(self) -> None:
        """Close them all; each opens again when it has something to write."""
        for log in self._logs:
            log.release()
        self._logs.clear()


class LogFile:
    """A log that starts a new file at the first line end past `max_size`.

    How far it has come is read from the file each time and kept nowhere else: so a supervisor that is killed and one that
    follows it never disagree, and an administrator may truncate the file. It is not opened with O_APPEND, which splice
    refuses. Every method that writes raises OSError when the disk does not take it.
    """

    def __init__(self, path: str, policy: LogPolicy, open_logs: OpenLogs) -> None:
        self.path = path
        self.policy = policy
        self._open_logs = open_logs
        self._fd: int | None = None
        self._rotation_asked = False

    def take(self, tap: Tap, most: int) -> int:
        """Move up to `most` bytes from the tap into the log, as they come; return how many."""
        moved = 0
        while moved < most:
            fd, room = self._room(tap)
            wanted = min(most - moved, room)
            got = tap.move(fd, wanted) if wanted else 0
            moved += got
            if got < wanted or not wanted:
                break
        return moved

    def _room(self, tap: Tap) -> tuple[int, int]:
        """Return the file, and how much may go into it before one has to look again; 0 when nothing waits."""
        fd, size = self._end()
        limit = self.policy.max_size
        if size < limit and not self._rotation_asked:
            return fd, limit - size
        ahead = tap.peek(PEEK_BYTES)
        if not ahead:
            return fd, 0
        if size < 2 * limit and not _ends_line(fd, size):
            return fd, min(ahead.find(b"\n") + 1 or len(ahead), 2 * limit - size)
        self._start_new(fd)
        return self._end()[0], limit

    def append(self, lines: Sequence[bytes]) -> int:
        """Write lines, each whole and on a line of its own; return how many the disk took, at least one."""
        done = 0
        while done < len(lines):
            try:
                batch = _fitting(lines, done, self._line_room())
                taken = self._write(b"".join(batch))
            except OSError:
                if done:
                    return done
                raise
            done += taken
            if taken < len(batch):
                return done
        return done

    def _line_room(self) -> int:
        fd, size = self._end()
        if not _ends_line(fd, size):
            size = self._end_line(fd, size)
        if size < self.policy.max_size and not self._rotation_asked:
            return self.policy.max_size - size
        if size:
            self._start_new(fd)
        return self.policy.max_size

    def _end_line(self, fd: int, size: int) -> int:
        start, torn = _last_line(fd, size)
        if self.policy.format is LogFormat.JSON and torn == OPENING[: len(torn)]:
            # A kill cut this write short, and what it stood for is still in the pipe.
            os.ftruncate(fd, start)
            return start
        self._write(b"\n")
        return size + 1

    def _write(self, content: bytes) -> int:
        """Write lines; return how many of them the disk took whole, and leave nothing of the next."""
        fd, size = self._end()
        written = 0
        try:
            while written < len(content):
                written += os.write(fd, content[written:])
        except OSError:
            whole = content.rfind(b"\n", 0, written) + 1
            os.ftruncate(fd, size + whole)
            if not whole:
                raise
            return content.count(b"\n", 0, whole)
        return content.count(b"\n")

    def rotate(self) -> None:
        """Start a new file now, or at the end of the line that is being written."""
        fd, size = self._end()
        if size and _ends_line(fd, size):
            self._start_new(fd)
        else:
            self._rotation_asked = size > 0

    def change(self, policy: LogPolicy) -> None:
        """Obey other sizes from here on; the format stays until the log is opened again."""
        self.policy = policy
        self._prune()

    def release(self) -> None:
        """Close the descriptor until something is to be written; may be called again."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _end(self) -> tuple[int, int]:
        if self._fd is None:
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
            self._fd = os.open(self.path, flags, 0o600)
            self._open_logs.add(self)
        return self._fd, os.lseek(self._fd, 0, os.SEEK_END)

    def _start_new(self, fd: int) -> None:
        if self.policy.keep == 0:
            os.ftruncate(fd, 0)
        else:
            self._shift()
            self._prune()
        self._rotation_asked = False

    def _shift(self) -> None:
        # From the highest number down and only up to the first that is free: a chain cut short by a crash leaves a free
        # number in its middle, and the next one goes on from there instead of pushing the oldest file out.
        keep = self.policy.keep
        free = next((n for n in range(1, keep) if not os.path.lexists(self._old(n))), keep)
        for number in range(free, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.rename(self._old(number - 1), self._old(number))  # noqa: TID251 - a log is not a state file
        self.release()

    def _prune(self) -> None:
        number = self.policy.keep + 1
        with contextlib.suppress(OSError):  # none left, or tried again with the next rotation
            while True:
                os.unlink(self._old(number))
                number += 1

    def _old(self, number: int) -> str:
        return f"{self.path}.{number}" if number else self.path


def _fitting(lines: Sequence[bytes], start: int, room: int) -> list[bytes]:
    """Return the lines from `start` up to the one that fills the room, and always one."""
    end = start
    while end < len(lines) and (room > 0 or end == start):
        room -= len(lines[end])
        end += 1
    return list(lines[start:end])


def _ends_line(fd: int, size: int) -> bool:
    return size == 0 or _read_at(fd, 1, size - 1) == b"\n"


def _last_line(fd: int, size: int) -> tuple[int, bytes]:
    """Return where the unfinished line at the end begins, and its first bytes."""
    start = size
    while start > 0:
        before = max(0, start - PEEK_BYTES)
        found = _read_at(fd, start - before, before).rfind(b"\n")
        if found >= 0:
            start = before + found + 1
            break
        start = before
    return start, _read_at(fd, len(OPENING), start)


def _read_at(fd: int, count: int, offset: int) -> bytes:
    os.lseek(fd, offset, os.SEEK_SET)
    return os.read(fd, count)
