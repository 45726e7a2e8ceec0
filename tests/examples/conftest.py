"""Runs the programs of an example as real processes, and ends those it started."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

DEADLINE_S = 30.0


@pytest.fixture
def examples() -> Path:
    return Path(__file__).parents[2] / "examples"


@pytest.fixture
def folder(examples: Path) -> Path:
    """Return the folder of the example; each module of tests says which."""
    raise NotImplementedError


@pytest.fixture
def start(folder: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []

    def start(*command: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-B", *command],
            cwd=folder,
            env={"PATH": os.defpath, "HOLDFAST_HOME": str(tmp_path), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    def eventually(look: Callable[[], object]) -> None:
        """Look until something is there: what another program writes into a file is no event here."""
        deadline = time.monotonic() + DEADLINE_S
        while not look():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.01)

    return eventually
