"""A runtime folder short enough for socket addresses, and programs that are ended with their test."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

Start: TypeAlias = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def runtime() -> Iterator[Path]:
    """Return a runtime folder in which the service `api` has its own."""
    if sys.platform == "win32":
        pytest.skip("there are no notify sockets on Windows")
    folder = Path(tempfile.mkdtemp(prefix="hf-", dir="/tmp"))
    folder.chmod(0o711)
    (folder / "api").mkdir(mode=0o700)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def start() -> Iterator[Start]:
    """Start programs in sessions of their own; what is left of them afterwards is killed."""
    if sys.platform != "linux":
        pytest.skip("these tests look into /proc")
    started: list[subprocess.Popen[str]] = []

    def start(*argv: str, **options: Any) -> "subprocess.Popen[str]":
        options = {"start_new_session": True, "text": True, **options}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        started.append(subprocess.Popen(argv, **{**pipes, **options}))
        return started[-1]

    yield start
    for program in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, 9)
        program.kill()
        program.communicate()
