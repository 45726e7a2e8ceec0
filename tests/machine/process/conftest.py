"""Real processes for the tests of this folder, and their certain end."""

import contextlib
import json
import os
import select
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

import holdfast
from holdfast.machine.process.launch import Launch
from holdfast.machine.process.spawn import Spawned, spawn
from holdfast.machine.process.wait import watch_child
from holdfast.model.service import Exit

KILL = 9

# All that is needed is imported first: another user may not be allowed to read this checkout.
BECOME_NOBODY = """
import fcntl, grp, json, os, pwd, resource, select, signal, tempfile, traceback
from holdfast.clock import boot_id
from holdfast.errors import StartFailed
from holdfast.machine.process.identity import identify, is_same
from holdfast.machine.process.launch import Launch
from holdfast.machine.process.spawn import spawn
from holdfast.machine.process.tree import Member, signal_member
from holdfast.machine.process.wait import open_death
from holdfast.model.service import Identity
boot_id()
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
"""

SOURCE = str(Path(holdfast.__file__).parents[1])


@pytest.fixture
def tag() -> Iterator[str]:
    """Return an instance; whatever carries it in its environment is killed afterwards."""
    name = f"test-{uuid.uuid4()}"
    yield name
    while _killed(name):
        pass


def _killed(name: str) -> int:
    needle = f"HOLDFAST_INSTANCE={name}".encode()
    count = 0
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if needle in Path(f"/proc/{pid}/environ").read_bytes():
                os.kill(int(pid), KILL)
                count += 1
    return count


@pytest.fixture
def environment(tag: str) -> dict[str, str]:
    return {"PATH": os.defpath, "HOLDFAST_INSTANCE": tag}


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Callable[..., Spawned]]:
    """Start a program with the environment of the test; it is reaped afterwards."""
    started: list[Spawned] = []

    def start_one(*argv: str, **fields: Any) -> Spawned:
        launch = Launch(argv=argv, **{"env": environment, **fields})
        started.append(spawn(launch))
        return started[-1]

    yield start_one
    for spawned in started:
        with contextlib.suppress(ChildProcessError, ProcessLookupError):
            os.kill(spawned.pid, KILL)
            os.waitpid(spawned.pid, 0)
        if spawned.pidfd is not None:
            with contextlib.suppress(OSError):
                os.close(spawned.pidfd)


@pytest.fixture
def talk(start: Callable[..., Spawned]) -> Iterator[Callable[..., tuple[Spawned, IO[bytes]]]]:
    """Run a piece of Python; returns its process and what it prints."""
    with contextlib.ExitStack() as open_files:

        def talk_to(code: str, *words: str, **fields: object) -> tuple[Spawned, IO[bytes]]:
            reader, writer = os.pipe()
            said = open_files.enter_context(open(reader, "rb"))
            try:
                spawned = start(
                    sys.executable, "-S", "-c", code, *words, **{"stdout": writer, **fields}
                )
            finally:
                os.close(writer)
            return spawned, said

        yield talk_to


@pytest.fixture
def ended() -> Callable[[Spawned], Exit]:
    """Wait for the end of a child, and reap it; its pidfd stays open."""

    def wait_for(spawned: Spawned) -> Exit:
        death = watch_child(spawned.identity, spawned.pidfd)
        select.select([death], [], [])
        exit_ = death.collect()
        assert exit_ is not None
        return exit_

    return wait_for


@pytest.fixture
def apart(environment: dict[str, str]) -> Callable[[str], dict[str, object]]:
    """Run a piece of Python with Holdfast in a process of its own; returns the JSON it prints.

    For what changes the process it runs in: limits, signals, user, subreaper.
    """

    def run(code: str) -> dict[str, object]:
        done = subprocess.run(
            [sys.executable, "-S", "-W", "error", "-c", code],
            env={**environment, "PYTHONPATH": SOURCE},
            stdout=subprocess.PIPE,
            check=True,
        )
        told: dict[str, object] = json.loads(done.stdout)
        return told

    return run


@pytest.fixture
def as_nobody(apart: Callable[[str], dict[str, object]]) -> Callable[[str], dict[str, object]]:
    """Do the same as a user without any rights."""
    if sys.platform == "win32" or os.geteuid() != 0:
        pytest.skip("only root can become another user")
    return lambda code: apart(BECOME_NOBODY + code)
