"""Start the child that runs a jq program, wait for its answer, and leave nothing of it behind."""

import json
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from typing import Never

from holdfast.statefile.jsondoc.jq_child import Request, answer, confine

_CHUNK = 1 << 16
# The child sets its own limit once its interpreter runs; this is for one that never gets there.
_START_WITHIN = 30.0
# An isolated interpreter would not find what this one was told to find.
_BOOT = (
    "import json,sys;"
    "message=sys.stdin.buffer.read();"
    "sys.path[:]=json.loads(message)['path'];"
    "from holdfast.statefile.jsondoc.jq_child import serve;"
    "serve(message)"
)


def ask(request: Request) -> tuple[bytes, int]:
    """Return what a child answered, and the signal that ended it: 0 when none did, or when it is not known.

    A process with one thread forks; any other starts an interpreter, which takes some 40 ms more.

    Raises:
        ImportError: jq is not installed.
        OSError: no child can be started.
    """
    if sys.platform == "linux" and len(os.listdir("/proc/self/task")) == 1:
        return _ask_fork(request)
    return _ask_interpreter(request)


def _ask_interpreter(request: Request) -> tuple[bytes, int]:
    import subprocess  # a process that forks is spared its import

    message = json.dumps({"path": sys.path, "request": request._asdict()}).encode()
    windows = sys.platform == "win32"
    try:
        # Windows starts no program without its root, and has no timer that ends a process.
        done = subprocess.run(
            [sys.executable, "-I", "-c", _BOOT],
            input=message,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"SYSTEMROOT": os.environ["SYSTEMROOT"]} if windows else {},
            timeout=request.within if windows else request.within + _START_WITHIN,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return b"", TIMER
    return done.stdout, max(0, -done.returncode)


if sys.platform == "win32":
    TIMER = 14  # what SIGALRM is elsewhere
else:
    TIMER = signal.SIGALRM.value

if sys.platform == "linux":
    import fcntl

    def _ask_fork(request: Request) -> tuple[bytes, int]:
        import_module("jq")  # here, so that the next child need not
        # Blocked until the child has put the parent's handlers aside: one that raised in there would
        # run the parent's code a second time; and until the parent is ready to end its child: one that
        # raised before would leave it behind.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            mine, theirs = os.pipe()
            try:
                pid = _forked(request, theirs)
            except BaseException:
                os.close(mine)
                raise
            finally:
                os.close(theirs)
            return _heard(pid, mine, before)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _forked(request: Request, pipe: int) -> int:
        pid = os.fork()
        if pid == 0:
            _live(request, pipe)
        return pid

    def _heard(
        pid: int, pipe: int, unblocked: set[signal.Signals] | set[int]
    ) -> tuple[bytes, int]:
        chunks = []
        whole = False
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
            while chunk := os.read(pipe, _CHUNK):
                chunks.append(chunk)
            whole = True
        finally:
            os.close(pipe)
            if not whole:
                os.kill(pid, signal.SIGKILL)
            status = 0
            with suppress(ChildProcessError):  # somebody else in this process reaps all children
                status = os.waitpid(pid, 0)[1]
        return b"".join(chunks), os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0

    def _live(request: Request, pipe: int) -> Never:
        """Be the child: whatever happens, nothing of the parent's code runs on in here."""
        try:
            out = _keep_only(pipe)
            confine(request.within)
            frame = memoryview(answer(request))
            while frame:
                frame = frame[os.write(out, frame) :]
        finally:
            os._exit(0)

    def _keep_only(pipe: int) -> int:
        """Close every other descriptor: a lock the parent holds must not outlive it in here."""
        out = fcntl.fcntl(pipe, fcntl.F_DUPFD, 3)
        null = os.open(os.devnull, os.O_RDWR)
        for fd in range(3):
            os.dup2(null, fd)
        for name in os.listdir("/proc/self/fd"):
            if int(name) > 2 and int(name) != out:
                with suppress(OSError):
                    os.close(int(name))
        return out
