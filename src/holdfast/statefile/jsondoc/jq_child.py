"""What happens inside the child that runs a jq program: it is confined first, and its whole answer is one frame."""

import json
import os
import signal
import sys
from importlib import import_module
from typing import NamedTuple

# The kind of an answer: the one value as JSON text, how many values came instead of one, or the words of jq.
VALUE = b"v"
COUNT = b"c"
REFUSED = b"r"
MISSING = b"m"
COUNTED_AT_MOST = 100

_LENGTH = 8
_ROOM_BYTES = 2 << 30  # far more than a state file needs, little enough to leave the machine alive


class Request(NamedTuple):
    """A program with its input and arguments as JSON texts, and the seconds it may take."""

    program: str
    text: str
    args: str
    within: float


def confine(within: float) -> None:
    """Take the environment away, give signals their first meaning, and set limits that the kernel keeps.

    Nothing in here relies on Python getting a turn again: jq may loop inside one call for ever.
    """
    os.environ.clear()
    if sys.platform != "win32":
        _reset_signals()
        _limit_memory()
        signal.setitimer(signal.ITIMER_REAL, within)


def answer(request: Request) -> bytes:
    """Run the program and return the frame of its answer."""
    try:
        kind, body = _run(request)
    except ImportError as error:
        kind, body = MISSING, str(error)
    except (ValueError, MemoryError) as error:
        kind, body = REFUSED, str(error) or type(error).__name__
    content = body.encode()
    return kind + len(content).to_bytes(_LENGTH, "big") + content


def opened(frame: bytes) -> tuple[bytes, str] | None:
    """Return kind and body of a whole frame; None when the child died before it was complete."""
    kind, length, content = frame[:1], frame[1 : 1 + _LENGTH], frame[1 + _LENGTH :]
    if len(length) < _LENGTH or len(content) != int.from_bytes(length, "big"):
        return None
    return kind, content.decode()


def serve(message: bytes) -> None:
    """Answer a request that came as JSON: the whole life of a child that was not forked."""
    request = Request(**json.loads(message)["request"])
    confine(request.within)
    sys.stdout.buffer.write(answer(request))
    sys.stdout.buffer.flush()


def _run(request: Request) -> tuple[bytes, str]:
    jq = import_module("jq")
    args = json.loads(request.args)
    # Alone first: what is wrong is told in the program's own lines, and it cannot close our bracket.
    jq.compile(request.program, args=args)
    # Only jq's own text keeps its numbers: as Python objects all of them come through a double. Two
    # newlines, since a comment that ends in a backslash goes on to the next line.
    program = jq.compile(f"({request.program}\n\n) | tojson", args=args)
    first, count = "", 0
    for value in program.input_text(request.text):
        first = first or value
        count += 1
        if count > COUNTED_AT_MOST:
            break
    return (VALUE, first) if count == 1 else (COUNT, str(count))


if sys.platform != "win32":
    import resource

    def _reset_signals() -> None:
        """Let every signal do what it does to a new program: the parent's handlers are the parent's business."""
        signal.set_wakeup_fd(-1)
        for number in signal.valid_signals():
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])

    def _limit_memory() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if sys.platform != "linux":
            return
        with open("/proc/self/statm", "rb") as statm:
            used = int(statm.read().split()[0]) * resource.getpagesize()
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = [used + _ROOM_BYTES, *(limit for limit in (soft, hard) if limit >= 0)]
        resource.setrlimit(resource.RLIMIT_AS, (min(wanted), hard))
