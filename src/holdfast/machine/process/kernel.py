"""Two calls of the Linux kernel that the standard library lacks."""

import os
import struct
import sys

_PR_SET_CHILD_SUBREAPER = 36

# linux/pidfd.h: struct pidfd_info in its first version (64 bytes), and _IOWR(0xFF, 11, struct pidfd_info).
_PIDFD_INFO_BYTES = 64
_PIDFD_GET_INFO = 0xC040FF0B
_PIDFD_INFO_EXIT = 1 << 3
_EXIT_CODE_AT = 60


def become_subreaper() -> bool:
    """Have orphaned descendants handed to this process instead of init; False where no kernel offers that.

    Raises:
        OSError: the kernel refused.
    """
    if sys.platform != "linux":
        return False
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl(PR_SET_CHILD_SUBREAPER): {os.strerror(number)}")
    return True


def exit_status_of(pidfd: int) -> int | None:
    """Return the wait status of a process that was reaped by anybody since the pidfd was opened.

    PIDFD_GET_INFO with PIDFD_INFO_EXIT, Linux 6.15; None on older kernels and while it is not reaped.
    """
    if sys.platform != "linux":
        return None
    import fcntl

    info = bytearray(_PIDFD_INFO_BYTES)
    struct.pack_into("=Q", info, 0, _PIDFD_INFO_EXIT)
    try:
        fcntl.ioctl(pidfd, _PIDFD_GET_INFO, info)
    except OSError:
        return None
    (known,) = struct.unpack_from("=Q", info, 0)
    if not known & _PIDFD_INFO_EXIT:
        return None
    (status,) = struct.unpack_from("=i", info, _EXIT_CODE_AT)
    return int(status)
