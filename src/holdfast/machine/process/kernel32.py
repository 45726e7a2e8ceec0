"""The calls of Windows' kernel32 behind windows.Kernel, by ctypes."""

import sys

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    # PROCESS_TERMINATE | PROCESS_SET_QUOTA | PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE
    _ACCESS = 0x0001 | 0x0100 | 0x1000 | 0x00100000
    _FOREVER = 0xFFFFFFFF

    class Kernel32:
        """kernel32 of this machine."""

        def __init__(self) -> None:
            self._dll = ctypes.WinDLL("kernel32", use_last_error=True)
            # The default result type is a 32-bit int, which cuts handles.
            self._dll.OpenProcess.restype = wintypes.HANDLE
            self._dll.CreateJobObjectW.restype = wintypes.HANDLE

        def open_process(self, pid: int) -> int:
            """Open a process; 0 when there is none."""
            return int(self._dll.OpenProcess(_ACCESS, False, pid) or 0)

        def wait(self, handle: int) -> None:
            """Block until the process ended."""
            self._dll.WaitForSingleObject(wintypes.HANDLE(handle), _FOREVER)

        def exit_code(self, handle: int) -> int | None:
            """Return the exit code, None when it cannot be told."""
            code = wintypes.DWORD()
            told = self._dll.GetExitCodeProcess(wintypes.HANDLE(handle), ctypes.byref(code))
            return code.value if told else None

        def create_job(self) -> int:
            """Create a job object; its default is to let the processes live when it is closed."""
            return int(self._dll.CreateJobObjectW(None, None) or 0)

        def assign(self, job: int, process: int) -> bool:
            """Put a process into the job."""
            return bool(
                self._dll.AssignProcessToJobObject(wintypes.HANDLE(job), wintypes.HANDLE(process))
            )

        def terminate(self, job: int, code: int) -> bool:
            """End every process of the job."""
            return bool(self._dll.TerminateJobObject(wintypes.HANDLE(job), code))

        def close(self, handle: int) -> None:
            """Close a handle."""
            self._dll.CloseHandle(wintypes.HANDLE(handle))
