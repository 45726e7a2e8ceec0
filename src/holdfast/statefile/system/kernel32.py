"""The calls of Windows' kernel32 behind `windows.Kernel`, by ctypes."""

import os
import struct
import sys

_GENERIC_READ, _GENERIC_WRITE, _DELETE = 0x80000000, 0x40000000, 0x00010000
_CREATE_NEW, _CREATE_ALWAYS, _OPEN_EXISTING, _OPEN_ALWAYS, _TRUNCATE_EXISTING = range(1, 6)
_ACCESS = {os.O_RDONLY: _GENERIC_READ, os.O_WRONLY: _GENERIC_WRITE}

# FILE_RENAME_FLAG_REPLACE_IF_EXISTS | FILE_RENAME_FLAG_POSIX_SEMANTICS
_REPLACE_AS_POSIX = 0x1 | 0x2


def access_of(flags: int) -> int:
    """Return the access CreateFileW is asked for by the flags of os.open."""
    return _ACCESS.get(flags & (os.O_WRONLY | os.O_RDWR), _GENERIC_READ | _GENERIC_WRITE)


def disposition_of(flags: int) -> int:
    """Return what CreateFileW does with a file that exists or not, by the flags of os.open."""
    if flags & os.O_CREAT:
        if flags & os.O_EXCL:
            return _CREATE_NEW
        return _CREATE_ALWAYS if flags & os.O_TRUNC else _OPEN_ALWAYS
    return _TRUNCATE_EXISTING if flags & os.O_TRUNC else _OPEN_EXISTING


def rename_info(target: str) -> bytes:
    """Return a FILE_RENAME_INFO that replaces `target`, a full path.

    Its length counts no NUL, and there is one.
    """
    name = target.encode("utf-16-le", "surrogatepass")
    return struct.pack("@IPI", _REPLACE_AS_POSIX, 0, len(name)) + name + b"\0\0"


if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes

    # FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE
    _SHARED = 0x1 | 0x2 | 0x4
    _ATTRIBUTE_NORMAL = 0x80
    # FILE_FLAG_OPEN_REPARSE_POINT: rename a link, not what it leads to.
    _NO_FOLLOW = 0x00200000
    _FILE_RENAME_INFO_EX = 22
    # MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH
    _REPLACE_THROUGH = 0x1 | 0x8
    _INVALID = ctypes.c_void_p(-1).value

    class Kernel32:
        """kernel32 of this machine."""

        def __init__(self) -> None:
            self._dll = ctypes.WinDLL("kernel32", use_last_error=True)
            # The default result type is a 32-bit int, which cuts handles.
            self._dll.CreateFileW.restype = wintypes.HANDLE

        def open_shared(self, path: str, flags: int) -> int:
            """Open a file as os.open does, but let others rename and remove it meanwhile."""
            handle = self._create(path, access_of(flags), disposition_of(flags), _ATTRIBUTE_NORMAL)
            try:
                return msvcrt.open_osfhandle(handle, flags | os.O_NOINHERIT)
            except BaseException:
                self._close(handle)
                raise

        def rename_over(self, source: str, target: str) -> None:
            """Replace a file even while others that let it be renamed have it open."""
            info = rename_info(target)
            handle = self._create(source, _DELETE, _OPEN_EXISTING, _NO_FOLLOW)
            try:
                self._check(
                    self._dll.SetFileInformationByHandle(
                        wintypes.HANDLE(handle), _FILE_RENAME_INFO_EX, info, len(info)
                    ),
                    source,
                )
            finally:
                self._close(handle)

        def move_over(self, source: str, target: str) -> None:
            """Replace a file that nobody has open, as every Windows can."""
            self._check(self._dll.MoveFileExW(source, target, _REPLACE_THROUGH), source)

        def _create(self, path: str, access: int, disposition: int, attributes: int) -> int:
            if "\0" in path:  # ctypes would cut it there
                raise ValueError("embedded null character")
            handle: int | None = self._dll.CreateFileW(
                path, access, _SHARED, None, disposition, attributes, None
            )
            self._check(handle not in (None, _INVALID), path)
            return handle or 0

        def _check(self, done: object, path: str) -> None:
            if not done:
                code = ctypes.get_last_error()
                raise OSError(0, ctypes.FormatError(code).strip(), path, code)

        def _close(self, handle: int) -> None:
            self._dll.CloseHandle(wintypes.HANDLE(handle))
