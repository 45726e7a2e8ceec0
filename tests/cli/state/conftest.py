"""State files in a folder of their own, and a command that is given something on stdin."""

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Done


@pytest.fixture
def state(run: "Callable[..., Done]", monkeypatch: pytest.MonkeyPatch) -> "Callable[..., Done]":
    """Run `holdfast state WORDS` inside the test, with `stdin` as what it reads."""

    def state(*words: str, stdin: str | bytes = b"") -> "Done":
        content = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        return run("state", *words)

    return state


_HOLDER = """
import sys
from holdfast.statefile import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def hold_elsewhere() -> Iterator[Callable[[Path], int]]:
    """Have another process hold the lock of a file until the test ends; return its pid."""
    started: list[subprocess.Popen[bytes]] = []

    def hold(path: Path) -> int:
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        started.append(holder)
        assert holder.stdout is not None
        assert holder.stdout.readline().split() == [b"held"]
        return holder.pid

    yield hold
    for holder in started:
        holder.communicate()
