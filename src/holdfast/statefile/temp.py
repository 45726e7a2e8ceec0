"""A temp: the file beside the target that holds new content until it takes the target's name."""

import errno
import os
from contextlib import suppress
from typing import NamedTuple

from holdfast.statefile.ops import SAFELY, Ops
from holdfast.statefile.place import Place

_HEX = frozenset("0123456789abcdef")
_CHECKSUM_DIGITS = 32
_CHANCE_DIGITS = 16


class TempName(NamedTuple):
    """What the name of a temp says about its content: a temp that fulfils it is complete."""

    stem: str
    size: int
    checksum: str


def temp_name(stem: str, size: int, sha256: str, chance: str) -> str:
    """Return `.STEM.SIZE.CHECKSUM.CHANCE.tmp`.

    The leading dot and the suffix hide it from globs such as `*.json`. No pid: in containers every
    writer is pid 1.
    """
    return f".{stem}.{size:x}.{sha256[:_CHECKSUM_DIGITS]}.{chance}.tmp"


def parse_temp_name(name: str) -> TempName | None:
    """Return what a name says, or None when no writer of ours made it."""
    if not (name.startswith(".") and name.endswith(".tmp")):
        return None
    parts = name[1:-4].rsplit(".", 3)
    if len(parts) != 4:
        return None
    stem, size, checksum, chance = parts
    if not (stem and size and _HEX.issuperset(size + checksum + chance)):
        return None
    if (len(checksum), len(chance)) != (_CHECKSUM_DIGITS, _CHANCE_DIGITS):
        return None
    return TempName(stem, int(size, 16), checksum)


class Temp:
    """A temp while its writer lives; the flock on it says so and dies with the writer."""

    __slots__ = ("_ops", "_place", "fd", "name")

    def __init__(self, place: Place, name: str, fd: int) -> None:
        self._place = place
        self._ops = place.ops
        self.name = name
        self.fd: int | None = fd

    @property
    def open_fd(self) -> int:
        """Return the descriptor of a temp that was not closed yet."""
        assert self.fd is not None
        return self.fd

    def write(self, content: bytes) -> None:
        """Write all of the content."""
        write_all(self.open_fd, content, self._ops)

    def close(self) -> None:
        """Close it, which ends the claim to live; what is closed stays closed, error or not."""
        if self.fd is not None:
            fd, self.fd = self.fd, None
            self._ops.close(fd)

    def discard(self) -> None:
        """Remove it after an error, as far as the disk lets us; the rest is swept by a later write."""
        with suppress(OSError):
            self.close()
        with suppress(OSError):
            self._ops.unlink(self._place.folder, self.name)


def create_temp(place: Place, name: str, mode: int) -> Temp:
    """Create an empty temp and claim it.

    Raises:
        OSError: it could not be created or claimed; none is left.
    """
    ops = place.ops
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | SAFELY
    temp = Temp(place, name, ops.open(place.folder, name, flags, mode))
    try:
        ops.lock(temp.open_fd)
    except BaseException:
        temp.discard()
        raise
    return temp


def write_all(fd: int, content: bytes, ops: Ops) -> None:
    """Write until nothing is left: full disks, limits and FUSE take less than they are given."""
    rest = memoryview(content)
    while rest:
        written = ops.write(fd, rest)
        if written == 0:
            raise OSError(errno.EIO, "the disk takes no more bytes and does not say why")
        rest = rest[written:]
