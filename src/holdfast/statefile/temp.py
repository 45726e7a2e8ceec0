"""A temp: the file beside the target that holds new content until it takes the target's name."""

import errno
import os
import zlib
from contextlib import suppress
from typing import NamedTuple

from holdfast.statefile.place import Place
from holdfast.statefile.system.ops import Ops

_HEX = frozenset("0123456789abcdef")
_CRC_DIGITS = 8
_SHA256_DIGITS = 32
_CHANCE_DIGITS = 16
_UNCERTIFIED = "0"
_CLOSED = -1


class TempName(NamedTuple):
    """What the name of a temp says about its content: a temp that fulfils it is complete."""

    stem: str
    size: int
    checksum: str

    @property
    def is_certified(self) -> bool:
        """Tell whether the name says anything about the bytes."""
        return self.checksum != _UNCERTIFIED

    def is_fulfilled_by(self, content: bytes) -> bool:
        """Tell whether this is the content the name certifies, whole."""
        if len(content) != self.size or not self.is_certified:
            return False
        if len(self.checksum) == _CRC_DIGITS:
            return checksum(content) == self.checksum
        import hashlib

        return hashlib.sha256(content).hexdigest().startswith(self.checksum)


def checksum(content: bytes) -> str:
    """Return the CRC-32 of a content in hex.

    It tells a cut or zeroed temp from a whole one, as in the journals of PostgreSQL and ext4. A
    SHA-256 would tell no more here, and takes ten times as long as the rest of a small write.
    """
    return f"{zlib.crc32(content):08x}"


def temp_name(stem: str, size: int, certificate: str | None, chance: str) -> str:
    """Return `.STEM.SIZE.CHECKSUM.CHANCE.tmp`; the checksum is `0` as long as there is none.

    The leading dot and the suffix hide it from globs such as `*.json`. No pid: in containers every
    writer is pid 1.
    """
    return f".{stem}.{size:x}.{certificate or _UNCERTIFIED}.{chance}.tmp"


def parse_temp_name(name: str) -> TempName | None:
    """Return what a name says, or None when no writer of ours made it.

    The first half of a SHA-256 in hex is understood as a checksum too.
    """
    if not (name.startswith(".") and name.endswith(".tmp")):
        return None
    parts = name[1:-4].rsplit(".", 3)
    if len(parts) != 4:
        return None
    stem, size, certificate, chance = parts
    if not (stem and size and _HEX.issuperset(size + certificate + chance)):
        return None
    if len(chance) != _CHANCE_DIGITS:
        return None
    if certificate != _UNCERTIFIED and len(certificate) not in (_CRC_DIGITS, _SHA256_DIGITS):
        return None
    return TempName(stem, int(size, 16), certificate)


class Temp:
    """A temp while its writer lives; the flock on it says so and dies with the writer.

    `lost` is what it could not keep of the file it is to replace; `is_ordered` that the disk has it
    before whatever follows.
    """

    __slots__ = ("fd", "is_ordered", "lost", "name", "place")

    def __init__(self, place: Place, name: str, fd: int) -> None:
        self.place = place
        self.name = name
        self.fd = fd
        self.lost: tuple[str, ...] = ()
        self.is_ordered = False

    def certify(self, certificate: str) -> None:
        """Take a name that tells the checksum of what was written."""
        said = parse_temp_name(self.name)
        assert said is not None
        name = temp_name(said.stem, said.size, certificate, os.urandom(8).hex())
        self.place.ops.replace(self.place.folder, self.name, name)
        self.name = name

    def close(self) -> None:
        """Close it, which ends the claim to live; what is closed stays closed, error or not."""
        fd, self.fd = self.fd, _CLOSED
        if fd != _CLOSED:
            self.place.ops.close(fd)

    def discard(self) -> None:
        """Remove it after an error, as far as the disk lets us; the rest is swept by a later write."""
        with suppress(OSError):
            self.close()
        with suppress(OSError):
            self.place.ops.unlink(self.place.folder, self.name)


def write_all(fd: int, content: bytes, ops: Ops) -> None:
    """Write until nothing is left: full disks, limits and FUSE take less than they are given."""
    written = ops.write(fd, content)
    rest = memoryview(content)[written:]
    while rest:
        written = ops.write(fd, rest)
        if written == 0:
            raise OSError(errno.EIO, "the disk takes no more bytes and does not say why")
        rest = rest[written:]
