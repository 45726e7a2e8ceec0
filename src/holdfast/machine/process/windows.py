"""Processes on Windows: the death seen through a handle, the tree held in a job object."""

import socket
import sys
import threading
from typing import Protocol

from holdfast.machine.process.identity import Verdict, is_same
from holdfast.model.service import Exit, Identity


class Kernel(Protocol):
    """The calls of kernel32 that are used; handles are numbers, and 0 is none."""

    def open_process(self, pid: int) -> int:
        """Open a process to wait for it, end it and put it into a job; 0 when there is none."""

    def wait(self, handle: int) -> None:
        """Block until the process ended."""

    def exit_code(self, handle: int) -> int | None:
        """Return the exit code of an ended process, None when it cannot be told."""

    def create_job(self) -> int:
        """Create a job object which does not end its processes when the handle is closed."""

    def assign(self, job: int, process: int) -> bool:
        """Put a process and all it starts from now on into the job."""

    def terminate(self, job: int, code: int) -> bool:
        """End every process of the job."""

    def close(self, handle: int) -> None:
        """Close a handle."""


class HandleDeath:
    """Death of one process; owns its handle.

    Selectors on Windows know only sockets, so a thread waits for the handle and closes a socket.
    """

    def __init__(self, kernel: Kernel, handle: int) -> None:
        self._kernel = kernel
        self._handle = handle
        self._exit: Exit | None = None
        self._watched, self._signal = socket.socketpair()
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        self._kernel.wait(self._handle)
        self._exit = Exit(code=self._kernel.exit_code(self._handle))
        self._kernel.close(self._handle)
        self._signal.close()

    def fileno(self) -> int:
        """Return the socket that becomes readable."""
        return self._watched.fileno()

    def collect(self) -> Exit | None:
        """Return how it ended; Windows knows codes only."""
        return self._exit

    def close(self) -> None:
        """Close the socket; the thread keeps the handle until the process ends."""
        self._watched.close()


class Job:
    """A job object: a process, and everything it will ever start."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._job = kernel.create_job()

    def add(self, pid: int) -> bool:
        """Put a process into the job; False when it is gone or another job forbids it."""
        process = self._kernel.open_process(pid)
        if not process:
            return False
        try:
            return self._kernel.assign(self._job, process)
        finally:
            self._kernel.close(process)

    def terminate(self) -> bool:
        """End everything in the job at once; False when that was refused."""
        return self._kernel.terminate(self._job, 1)

    def close(self) -> None:
        """Close the handle; the processes go on."""
        if self._job:
            self._kernel.close(self._job)
            self._job = 0


def open_handle(identity: Identity, kernel: Kernel | None = None) -> HandleDeath | None:
    """Watch a process; None when it is gone or its pid is another's now."""
    kernel = kernel or kernel32()
    handle = kernel.open_process(identity.pid)
    if not handle:
        return None
    # An open handle keeps the pid from being used again, so this verdict stays true.
    if is_same(identity) is not Verdict.SAME:
        kernel.close(handle)
        return None
    return HandleDeath(kernel, handle)


def kernel32() -> Kernel:
    """Return the kernel of this machine.

    Raises:
        OSError: this is not Windows.
    """
    if sys.platform == "win32":
        from holdfast.machine.process.kernel32 import Kernel32

        return Kernel32()
    raise OSError("kernel32 exists on Windows only")
