"""What besides its bytes a replaced file had, and how much of it the new one can keep."""

import errno
import os
import stat
from collections.abc import Callable
from typing import NamedTuple

from holdfast.statefile.place import Place
from holdfast.statefile.system.ops import SAFELY, Ops

ABSENT = "absent"

_ACCESS_LIST = "system.posix_acl_access"
_COPIED = frozenset({"security.selinux", _ACCESS_LIST})
_DENIED = frozenset(
    {errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
)
_CHUNK = 1 << 20
_PERMISSIONS = 0o7777


def version_of(content: bytes | None) -> str:
    """Return the SHA-256 of a content in hex, or `absent`."""
    if content is None:
        return ABSENT
    import hashlib  # loads OpenSSL, which a program that only reads does not need

    return hashlib.sha256(content).hexdigest()


class Old(NamedTuple):
    """The file that stands under the name: nothing of it is kept when `stat` is None.

    `version` is `absent`, the SHA-256 of the content where it was asked for, else `present`.
    `attributes` is None when they could not be read.
    """

    version: str
    stat: os.stat_result | None = None
    attributes: tuple[tuple[str, bytes], ...] | None = ()


def look(place: Place, *, with_sha256: bool) -> Old:
    """Return what stands at a place now.

    Raises:
        OSError: it cannot be looked at.
    """
    ops = place.ops
    try:
        fd = ops.open(place.folder, place.name, os.O_RDONLY | SAFELY)
    except FileNotFoundError:
        return Old(version=ABSENT)
    except PermissionError:
        if with_sha256:
            raise
        return Old(version="present", stat=ops.lstat(place.folder, place.name), attributes=None)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return Old(version="link")
    try:
        version = _sha256(fd, ops) if with_sha256 else "present"
        names = ops.attributes(fd)
        attributes = _attributes(fd, names, ops) if names else None if names is None else ()
        return Old(version, ops.fstat(fd), attributes)
    finally:
        _close_reader(fd, ops)


def _close_reader(fd: int, ops: Ops) -> None:
    try:
        ops.close(fd)
    except OSError:
        return  # nothing was written through it


def _sha256(fd: int, ops: Ops) -> str:
    import hashlib

    digest = hashlib.sha256()
    while chunk := ops.read(fd, _CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _attributes(fd: int, names: list[str], ops: Ops) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, ops.attribute(fd, name) if _is_copied(name) else b"") for name in names)


def _is_copied(name: str) -> bool:
    return name.startswith("user.") or name in _COPIED


def carry_over(old: Old, fd: int, mode: int | None, ops: Ops) -> tuple[str, ...]:
    """Give a new file the owner, permissions and attributes of the old one; return what was lost.

    `mode` stands above the permissions of the old file. Words returned: `owner group mode links
    attributes`, and `attribute NAME` for each one.

    Raises:
        OSError: for anything but a missing right or a file system without such a thing.
    """
    if old.stat is None:
        if mode is not None:
            ops.chmod(fd, mode)
        return ()
    new = ops.fstat(fd)
    lost: list[str] = []
    if new.st_uid != old.stat.st_uid or new.st_gid != old.stat.st_gid:
        lost += _owner(old.stat, new, fd, ops)
    _keep_out(old, fd, ops)
    wanted = old.stat.st_mode & _PERMISSIONS if mode is None else mode
    if lost:
        wanted = _without_lost(wanted, lost)
    if wanted != new.st_mode & _PERMISSIONS:
        _set_mode(fd, wanted, lost, ops)
    if old.stat.st_nlink > 1:
        lost.append("links")
    if old.attributes != ():
        lost += _copy(old.attributes, fd, ops)
    return tuple(lost)


def _keep_out(old: Old, fd: int, ops: Ops) -> None:
    """Remove an access list that came from the folder: it would let people in whom the old file kept out."""
    had_one = old.attributes is None or any(name == _ACCESS_LIST for name, _ in old.attributes)
    if not had_one and _ACCESS_LIST in (ops.attributes(fd) or ()):
        ops.remove_attribute(fd, _ACCESS_LIST)


def _copy(attributes: tuple[tuple[str, bytes], ...] | None, fd: int, ops: Ops) -> list[str]:
    if attributes is None:
        return ["attributes"]
    return [
        f"attribute {name}"
        for name, value in attributes
        if not (_is_copied(name) and _try(ops.set_attribute, fd, name, value))
    ]


def _owner(old: os.stat_result, new: os.stat_result, fd: int, ops: Ops) -> list[str]:
    if _try(ops.chown, fd, old.st_uid, old.st_gid):
        return []
    lost = ["owner"] if new.st_uid != old.st_uid else []
    if new.st_gid != old.st_gid and not _try(ops.chown, fd, -1, old.st_gid):
        lost.append("group")
    return lost


def _set_mode(fd: int, wanted: int, lost: list[str], ops: Ops) -> None:
    """Set the permissions, after the owner: a chown clears the set-id bits."""
    try:
        ops.chmod(fd, wanted)
    except OSError as error:
        if error.errno not in _DENIED:
            raise
        lost += [] if "mode" in lost else ["mode"]


def _without_lost(wanted: int, lost: list[str]) -> int:
    """Take back the permissions that were granted to an owner or a group the new file does not have."""
    kept = wanted
    if "owner" in lost:
        kept &= ~stat.S_ISUID
    if "group" in lost:
        kept &= ~(stat.S_ISGID | stat.S_IRWXG)
    if kept != wanted:
        lost.append("mode")
    return kept


def _try(call: Callable[..., None], *facts: object) -> bool:
    """Do it if this user and this file system can; other errors are raised."""
    try:
        call(*facts)
    except OSError as error:
        if error.errno not in _DENIED:
            raise
        return False
    return True
