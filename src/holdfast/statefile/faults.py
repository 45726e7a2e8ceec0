"""Turn what the operating system refused into an error a person can act on."""

import errno
import os

from holdfast.errors import StateIOError

_ADVICE = {
    errno.EACCES: "give this user permission on the file and its folder",
    errno.EBUSY: "it is mounted by itself or kept open; mount its folder instead, or end what keeps it",
    errno.EDQUOT: "free some space or raise the quota",
    errno.EFBIG: "raise the file size limit (ulimit -f)",
    errno.EISDIR: "name a file, not a folder",
    errno.ELOOP: "repair the symbolic links, they lead in a circle",
    errno.ENAMETOOLONG: "use a shorter name",
    errno.ENOENT: "create its folder first",
    errno.ENOLCK: "keep state files on a file system with locks",
    errno.ENOSPC: "free some space",
    errno.EPERM: "the file may be immutable, or belong to another user",
    errno.EROFS: "mount the file system writable",
}


def io_error(error: OSError, path: str, doing: str) -> StateIOError:
    """Return the typed error for a failed system call.

    `doing` is what could not be done, in words that follow "could not be": "written", "read".
    """
    name = errno.errorcode.get(error.errno or 0, "EIO")
    advice = _ADVICE.get(error.errno or 0, "look at the system log for the disk's own words")
    reason = error.strerror or os.strerror(error.errno or errno.EIO)
    return StateIOError(
        f"{path} could not be {doing}: {reason} ({name}); its content is as it was; {advice}",
        path=path,
        errno_name=name,
    )
