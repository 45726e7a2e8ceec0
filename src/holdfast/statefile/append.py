"""Append whole lines to a log that many processes share, and rotate it without losing one."""

import os
from contextlib import suppress

from holdfast.errors import InvalidContent
from holdfast.statefile.faults import io_error
from holdfast.statefile.lock import Sidecar
from holdfast.statefile.place import Place, StrPath, open_place
from holdfast.statefile.system.ops import SAFELY, Ops
from holdfast.statefile.system.this import SYSTEM
from holdfast.statefile.temp import write_all


def append_line(path: StrPath, line: str, *, max_size: int, keep: int, ops: Ops = SYSTEM) -> None:
    """Append one line, without its newline, to a log shared by many processes.

    A line that would take the log past `max_size` bytes starts a new one; the old become `.1`
    (youngest) to `.KEEP`. Lone surrogates, as odd file names bring them, are written escaped.

    Raises:
        InvalidContent: the line holds a newline.
        LockTimeout: another process held the lock for 10 s; the line was not written.
        StateIOError: the system refused; the line was not written, nor a part of it.
    """
    if "\n" in line:
        raise InvalidContent(
            f"a line for {os.fspath(path)} holds a newline; append each line by itself",
            path=os.fspath(path),
        )
    content = f"{line}\n".encode("utf-8", "backslashreplace")
    try:
        with open_place(path, follow=True, ops=ops) as place, Sidecar(place):
            _append(place, content, max_size=max_size, keep=keep)
    except OSError as error:
        raise io_error(error, os.fspath(path), "appended to") from error


def _append(place: Place, content: bytes, *, max_size: int, keep: int) -> None:
    ops = place.ops
    size = _size(place)
    if size and size + len(content) > max_size:
        _rotate(place, keep)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | SAFELY
    fd = ops.open(place.folder, place.name, flags, 0o600)
    try:
        _write_at_end(fd, content, ops)
    finally:
        with suppress(OSError):
            ops.close(fd)


def _size(place: Place) -> int:
    try:
        return place.ops.lstat(place.folder, place.name).st_size
    except FileNotFoundError:
        return 0


def _write_at_end(fd: int, content: bytes, ops: Ops) -> None:
    size = ops.fstat(fd).st_size
    if size:  # a killed writer may have left half a line: it stays, on a line of its own
        ops.seek(fd, size - 1)
        if ops.read(fd, 1) != b"\n":
            content = b"\n" + content
    try:
        write_all(fd, content, ops)
    except BaseException:
        with suppress(OSError):
            ops.truncate(fd, size)
        raise


def _rotate(place: Place, keep: int) -> None:
    """Move every log one number up, the oldest first, so that a crash between loses none.

    Only up to the first gap, which such a crash leaves: what stands above it need not move.
    """
    ops, name = place.ops, place.name
    if keep == 0:
        ops.unlink(place.folder, name)
        return
    names = [name, *(f"{name}.{number}" for number in range(1, keep + 1))]
    taken = set(ops.listdir(place.folder))
    gap = next((at for at, one in enumerate(names) if one not in taken), keep)
    for at in range(gap, 0, -1):
        ops.replace(place.folder, names[at - 1], names[at])
