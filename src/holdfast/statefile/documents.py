"""JSON documents on disk: read exactly one or refuse, write one whole, keep the evidence of a bad one."""

import errno
import json
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Unpack

from holdfast.clock import Clock, SystemClock
from holdfast.errors import Corrupt, InvalidContent
from holdfast.statefile.content import json_value
from holdfast.statefile.faults import io_error
from holdfast.statefile.lock import Sidecar
from holdfast.statefile.place import StrPath, open_place
from holdfast.statefile.recovery.evidence import evidence_name
from holdfast.statefile.system.ops import NO_WAIT, Ops
from holdfast.statefile.system.this import SYSTEM
from holdfast.statefile.write import Result, WriteOptions, write_atomic

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1 << 20


# Built once: json.dumps with options builds an encoder for every call.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def read_json(path: StrPath, *, ops: Ops = SYSTEM) -> object:
    """Read a file that holds exactly one JSON document.

    Needs no lock: a file written here is old or new, never between. After Corrupt never go on with
    a default and save that: `quarantine` the file and start over knowingly.

    Raises:
        Corrupt: it is empty, cut, not UTF-8, holds NULs, or more or less than one document.
        FileNotFoundError: there is none.
        StateIOError: it cannot be read, which says nothing about its content.
    """
    text = os.fspath(path)
    try:
        content = _read(text, ops)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise io_error(error, text, "read") from error
    try:
        return json_value(content)
    except ValueError as error:
        raise _corrupt(text, str(error)) from error


def _read(path: str, ops: Ops) -> bytes:
    fd = ops.open(None, path, os.O_RDONLY | NO_WAIT)
    try:
        mode = ops.fstat(fd).st_mode
        if not stat.S_ISREG(mode):
            code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
            raise OSError(code, "it is not a regular file")
        chunks = []
        while chunk := ops.read(fd, _CHUNK):
            chunks.append(chunk)
        return b"".join(chunks)
    finally:
        with suppress(OSError):
            ops.close(fd)


def _corrupt(path: str, why: str) -> Corrupt:
    return Corrupt(
        f"{path} should hold one JSON document, but {why}; "
        "it was left as it is: restore it from a copy, or set it aside and start anew",
        path=path,
    )


def write_json(path: StrPath, value: object, **options: Unpack[WriteOptions]) -> Result:
    """Write one JSON document: compact, UTF-8, one newline at its end; options as `write_atomic`.

    Raises:
        InvalidContent: the value has no JSON form (NaN, a set, a circle, a lone surrogate).
        StateError: as `write_atomic`.
    """
    try:
        content = (_encode(value) + "\n").encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidContent(
            f"the value for {os.fspath(path)} has no JSON form: {error}; nothing was written",
            path=os.fspath(path),
        ) from error
    return write_atomic(path, content, **options)


def quarantine(path: StrPath, *, clock: Clock | None = None, ops: Ops = SYSTEM) -> "Path":
    """Set a corrupt file aside as `NAME.corrupt-UTC-CHANCE` beside it, and return where it is now.

    Earlier evidence is never overwritten. To be sure that no writer mends the file between the look
    and this, do both inside `locked(path)`.

    Raises:
        FileNotFoundError: there is none.
        StateIOError: it cannot be renamed.
    """
    from pathlib import Path

    real = os.path.realpath(path)
    wall = (clock or SystemClock()).wall()
    try:
        with open_place(real, follow=False, ops=ops) as place, Sidecar(place):
            evidence = evidence_name(place.stem, wall)
            ops.replace(place.folder, place.name, evidence)
            with suppress(OSError):  # it is set aside, whether or not a power cut would undo that
                ops.sync_folder(place.folder)
            return Path(real).with_name(evidence)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise io_error(error, real, "set aside") from error
