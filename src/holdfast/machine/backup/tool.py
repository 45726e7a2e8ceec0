"""A program of somebody else, run to its end: each line of its output as it comes, its last words when it fails."""

import contextlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import IO, NamedTuple

_LETS_GO_WITHIN_S = 10.0
_LAST_WORDS = 64 * 1024


class Ended(NamedTuple):
    """What a program came to: its exit code, negative for a signal, and the end of what it wrote to stderr."""

    code: int
    errors: str


def run(
    words: Sequence[str],
    *,
    cwd: str | None = None,
    env: Mapping[str, str],
    each_line: Callable[[str], None],
) -> Ended:
    """Run a program; whatever is raised meanwhile, by `each_line` or a signal handler, ends it first.

    Raises:
        OSError: it cannot be executed.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            list(words),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
        )
        try:
            for line in process.stdout or ():
                each_line(line)
            process.wait()
        finally:
            _end(process)
        return Ended(process.returncode, _tail(errors))


def _end(process: "subprocess.Popen[str]") -> None:
    """End the program in the way that lets it take its locks with it, and by force when it does not."""
    if process.poll() is None:
        if sys.platform == "win32":
            process.terminate()
        else:
            process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LETS_GO_WITHIN_S)
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _tail(source: IO[bytes]) -> str:
    end = source.seek(0, 2)
    source.seek(max(0, end - _LAST_WORDS))
    return source.read().decode("utf-8", "surrogateescape").strip()
