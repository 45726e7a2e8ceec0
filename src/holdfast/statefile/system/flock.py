"""The advisory lock of an open file, as this platform has it: gone with the last copy of the descriptor."""

import errno
import os
import sys

if sys.platform == "win32":
    import msvcrt

    # Locked bytes cannot be read by others, so the lock stands far behind the pid; past the end is fine.
    _LOCKED_BYTE = 1 << 30

    def lock(fd: int) -> bool:
        """Take the exclusive lock; False when somebody else has it."""
        position = os.lseek(fd, 0, os.SEEK_CUR)
        os.lseek(fd, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                return False
            raise
        finally:
            os.lseek(fd, position, os.SEEK_SET)
        return True

    def lock_shared(fd: int) -> bool:
        """Take the exclusive lock: there are no shared ones here."""
        return lock(fd)

    def unlock(fd: int) -> None:
        """Give the lock back."""
        position = os.lseek(fd, 0, os.SEEK_CUR)
        os.lseek(fd, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)
        finally:
            os.lseek(fd, position, os.SEEK_SET)

else:
    from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, flock

    def lock(fd: int) -> bool:
        """Take the exclusive lock; False when somebody else has it."""
        try:
            flock(fd, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def lock_shared(fd: int) -> bool:
        """Take a shared lock; False when somebody else has the exclusive one."""
        try:
            flock(fd, LOCK_SH | LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(fd: int) -> None:
        """Give the lock back, also in copies of the descriptor that a fork made."""
        flock(fd, LOCK_UN)
