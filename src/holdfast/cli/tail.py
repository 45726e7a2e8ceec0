"""Reading a log that is cut into several files: backwards from its end, and onwards as it grows."""

import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from holdfast.errors import HoldfastError

BLOCK = 65_536
"""Bytes read at a time."""

_LISTINGS_AT_MOST = 100
"""A listing is out of date as soon as a rotation comes in between; so many in a row do not."""

Following: TypeAlias = Callable[[io.FileIO | None], io.FileIO | None]
"""Opens the file that comes after this one (None: the first to read), or returns None while there is none."""


def open_log(path: str) -> list[io.FileIO]:
    """Open a log and its rotated files, newest first, each once, as they stood at one moment.

    Raises:
        HoldfastError: one of them cannot be read.
    """
    for _ in range(_LISTINGS_AT_MOST):
        opened: dict[tuple[int, int], io.FileIO] = {}
        before = _newest_two(path)
        # Several rotations while it is listed would put the files out of order.
        if all(_open_into(opened, name) for name in _names(path)) and _newest_two(path) == before:
            return list(opened.values())
        _close(opened.values())
    raise HoldfastError(f"{path} is rotated faster than it can be read; try again")


def _newest_two(path: str) -> list[tuple[int, int] | None]:
    """Return what changes with every rotation."""
    found: list[tuple[int, int] | None] = []
    for name in (path, f"{path}.1"):
        try:
            told = os.stat(name)
        except OSError:
            found.append(None)
        else:
            found.append((told.st_dev, told.st_ino))
    return found


def _names(path: str) -> list[str]:
    """Return the files of a log as they are listed now, newest first."""
    folder, name = os.path.split(path)
    numbered = re.compile(rf"{re.escape(name)}(?:\.([1-9][0-9]{{0,5}}))?")
    try:
        found = [match for one in os.listdir(folder) if (match := numbered.fullmatch(one))]
    except FileNotFoundError:
        return []
    return [
        os.path.join(folder, match[0]) for match in sorted(found, key=lambda one: int(one[1] or 0))
    ]


def _open_into(opened: dict[tuple[int, int], io.FileIO], name: str) -> bool:
    """Open one more; False when it is gone, which means that all have moved."""
    try:
        file = io.FileIO(name)
    except FileNotFoundError:
        return False
    except OSError as error:
        _close(opened.values())
        raise HoldfastError(f"{name} cannot be read: {error.strerror}") from error
    # A rotation meanwhile has given a file that is open already the next name.
    if opened.setdefault(identity(file), file) is not file:
        file.close()
    return True


def _close(files: Iterable[io.FileIO]) -> None:
    for file in files:
        file.close()


def identity(file: io.FileIO) -> tuple[int, int]:
    """Return what tells a file from every other, whatever it is called."""
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino


def backwards(files: Sequence[io.FileIO]) -> Iterator[bytes]:
    """Yield first what stands after the last line end, often nothing, then every line, the newest first.

    The files, newest first, are read as one: a line may begin in one and end in the next. Each is left at its end.
    """
    held = b""
    for file in files:
        end = size = file.seek(0, os.SEEK_END)
        block = BLOCK
        while end > 0:
            start = max(0, end - block)
            file.seek(start)
            first, *whole = (file.read(end - start) + held).split(b"\n")
            file.seek(size)
            yield from reversed(whole)
            # A block without a line end: read more at once, or a line of 10 MB is copied again and again.
            block = BLOCK if whole else block * 2
            held, end = first, start
    yield held


class Tail:
    """Reads on where a look at the end of a log stopped; no line is lost or repeated when another file takes over."""

    def __init__(
        self, following: Following, file: io.FileIO | None = None, unfinished: bytes = b""
    ) -> None:
        """Go on at the position of `file`, behind the beginning of a line that was read already."""
        self._following = following
        self._file = file
        self._unfinished = unfinished

    def lines(self) -> Iterator[bytes]:
        """Yield the whole lines that came since the last call."""
        while True:
            yield from self._to_the_end()
            following = self._following(self._file)
            if following is None:
                return
            # Nobody writes into a file once there is one after it: now its end is the end.
            yield from self._to_the_end()
            self.close()
            self._file = following

    def close(self) -> None:
        """Close the file; may be called again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _to_the_end(self) -> Iterator[bytes]:
        if self._file is None:
            return
        self._mind_a_cut(self._file)
        while chunk := self._file.read(BLOCK):
            first, *rest = chunk.split(b"\n")
            if not rest:
                self._unfinished += first
                continue
            *whole, last = rest
            yield self._unfinished + first
            self._unfinished = last
            yield from whole

    def _mind_a_cut(self, file: io.FileIO) -> None:
        """Go back when the file became shorter: a writer took half a line back, or somebody emptied it."""
        size = os.fstat(file.fileno()).st_size
        if size >= file.tell():
            return
        whole_lines_end = max(0, file.tell() - len(self._unfinished))
        file.seek(whole_lines_end if size >= whole_lines_end else 0)
        self._unfinished = b""


def next_rotated(path: str) -> Following:
    """Return what finds the next file of a log whose older files are renamed to PATH.1, PATH.2 and so on."""

    def following(file: io.FileIO | None) -> io.FileIO | None:
        if file is not None and _is_newest(path, file):
            return None
        chain = open_log(path)
        place = _place_of(file, chain)
        found = chain[place - 1] if place else None
        _close(one for one in chain if one is not found)
        return found

    return following


def _is_newest(path: str, file: io.FileIO) -> bool:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False  # between two files: the next one comes with its first line
    return (found.st_dev, found.st_ino) == identity(file)


def _place_of(file: io.FileIO | None, chain: Sequence[io.FileIO]) -> int:
    """Return how many files of the chain came after this one."""
    if file is None:
        return len(chain)
    own = identity(file)
    known = next((at for at, one in enumerate(chain) if identity(one) == own), None)
    if known is not None:
        return known
    # Pruned, and all that is left came after it; or removed by hand, and what is left was read before it.
    last_written = os.fstat(file.fileno()).st_mtime_ns
    return sum(os.fstat(one.fileno()).st_mtime_ns >= last_written for one in chain)
