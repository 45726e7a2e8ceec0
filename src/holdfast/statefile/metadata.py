"""What besides its bytes a replaced file had, and how much of it the new one can keep."""

import errno
import os
import stat
from collections.abc import Callable
from typing import NamedTuple

from holdfast.statefile.ops import SAFELY, Ops
from holdfast.statefile.place import Place

ABSENT = "absent"

_COPIED = frozenset({"security.selinux", "system.posix_acl_access"})
_DENIED = frozenset(
    {errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
)
_CHUNK = 1 << 20


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
        return Old(
            version=_sha256(fd, ops) if with_sha256 else "present",
            stat=ops.fstat(fd),
            attributes=_attributes(fd, ops),
        )
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


def _attributes(fd: int, ops: Ops) -> tuple[tuple[str, bytes], ...] | None:
    names = ops.attributes(fd)
    if names is None:
        return None
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
    lost = _owner(old.stat, new, fd, ops)
    wanted = stat.S_IMODE(old.stat.st_mode) if mode is None else mode
    lost += _mode(wanted, new, fd, lost, ops)
    if old.stat.st_nlink > 1:
        lost.append("links")
    if old.attributes is None:
        lost.append("attributes")
    for name, value in old.attributes or ():
        if not (_is_copied(name) and _try(ops.set_attribute, fd, name, value)):
            lost.append(f"attribute {name}")
    return tuple(lost)


def _owner(old: os.stat_result, new: os.stat_result, fd: int, ops: Ops) -> list[str]:
    if (new.st_uid, new.st_gid) == (old.st_uid, old.st_gid):
        return []
    if _try(ops.chown, fd, old.st_uid, old.st_gid):
        return []
    lost = ["owner"] if new.st_uid != old.st_uid else []
    if new.st_gid != old.st_gid and not _try(ops.chown, fd, -1, old.st_gid):
        lost.append("group")
    return lost


def _mode(wanted: int, new: os.stat_result, fd: int, lost: list[str], ops: Ops) -> list[str]:
    """Set the permissions after the owner: a chown clears the set-id bits."""
    kept = wanted
    if "owner" in lost:
        kept &= ~stat.S_ISUID
    if "group" in lost:  # what was granted to that group is not for this one
        kept &= ~(stat.S_ISGID | stat.S_IRWXG)
    if kept != stat.S_IMODE(new.st_mode) and not _try(ops.chmod, fd, kept):
        return ["mode"]
    return [] if kept == wanted else ["mode"]


def _try(call: Callable[..., None], *facts: object) -> bool:
    """Do it if this user and this file system can; other errors are raised."""
    try:
        call(*facts)
    except OSError as error:
        if error.errno not in _DENIED:
            raise
        return False
    return True
