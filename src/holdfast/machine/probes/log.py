"""Did a service print what was hoped for? Reads its captured output from a mark on, over rotated files."""

import asyncio
import itertools
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.machine.probes.connect import words
from holdfast.machine.probes.pattern import TooCostly, occurs
from holdfast.model.finding import WELL, Finding, failed, unknown
from holdfast.model.spec import LogFormat

PIECE_BYTES = 1 << 16
"""How much is searched at a time: other work of the loop comes between two pieces."""

MOST_PIECES = 64
"""Pieces searched in one look; the rest waits for the next."""

MOST_CARRIED = 1 << 12
"""Characters of an unfinished line that are searched again together with its rest."""

_TOO_COSTLY = "the pattern took too long on a piece of the output; write one that backtracks less"


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a log was read: so many bytes of the file with this inode."""

    inode: int
    offset: int


def end_of(path: str) -> Mark:
    """Return the present end of a log."""
    try:
        found = os.stat(path)
    except OSError:
        return Mark(0, 0)
    return Mark(found.st_ino, found.st_size)


def beginning_of(path: str) -> Mark:
    """Return the beginning of the newest file of a log."""
    return Mark(end_of(path).inode, 0)


class LogWatch:
    """Searches what is added to a log, line by line, from look to look; the end of an unfinished line too."""

    def __init__(self, path: str, pattern: str, form: LogFormat, mark: Mark) -> None:
        self.path = path
        self._pattern = re.compile(pattern, re.MULTILINE)
        self._form = form
        self._mark = mark
        self._carried = ""
        self._torn = b""

    async def look(self) -> Finding:
        """Tell whether the pattern occurs in what was added since the look before."""
        finding = failed("not found in the output")
        try:
            for _ in range(MOST_PIECES):
                piece = self._next_piece()
                if not piece:
                    return finding
                try:
                    if self._occurs_in(piece):
                        return WELL
                except TooCostly:
                    finding = failed(_TOO_COSTLY)
                await asyncio.sleep(0)
        except OSError as error:
            return unknown(f"the log cannot be read: {words(error)}")
        return unknown("the output comes faster than it can be searched")

    def _occurs_in(self, piece: bytes) -> bool:
        text = self._carried + self._text_of(piece)
        self._carried = text[text.rfind("\n") + 1 :][-MOST_CARRIED:]
        return occurs(self._pattern, text)

    def _text_of(self, piece: bytes) -> str:
        if self._form is LogFormat.TEXT:
            return piece.decode(errors="replace")
        whole, line_end, self._torn = (self._torn + piece).rpartition(b"\n")
        return "".join(map(_printed, whole.split(b"\n"))) if line_end else ""

    def _next_piece(self) -> bytes:
        """Return what follows the mark, and move it; empty at the end."""
        path = self._file_of_mark()
        try:
            file = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except FileNotFoundError:
            return b""
        try:
            found = os.fstat(file)
            is_same = found.st_ino == self._mark.inode and found.st_size >= self._mark.offset
            offset = self._mark.offset if is_same else 0
            os.lseek(file, offset, os.SEEK_SET)
            piece = os.read(file, PIECE_BYTES)
        finally:
            os.close(file)
        self._mark = Mark(found.st_ino, offset + len(piece))
        return piece

    def _file_of_mark(self) -> str:
        """Return the file to read on in: that of the mark, or the one after it once that is read to its end."""
        newer = self.path
        for path, found in self._files():
            if found.st_ino == self._mark.inode:
                return path if found.st_size > self._mark.offset else newer
            newer = path
        return self.path

    def _files(self) -> Iterator[tuple[str, os.stat_result]]:
        """Yield the files of the log, the newest first."""
        for number in itertools.count():
            path = f"{self.path}.{number}" if number else self.path
            try:
                yield path, os.stat(path)
            except FileNotFoundError:
                return


def _printed(line: bytes) -> str:
    """Return what the service printed, from the object it was kept as."""
    try:
        told = json.loads(line)
        return str(told["line"]) + ("" if told.get("partial") else "\n")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
