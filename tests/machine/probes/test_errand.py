import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.errors import StartFailed
from holdfast.machine.probes.errand import VARIABLE, Errands, end_left_errands
from holdfast.machine.process.launch import Launch
from holdfast.machine.process.tree import Roster
from holdfast.machine.process.wait import reap_strangers
from holdfast.model.service import Exit

if sys.platform != "linux":
    pytest.skip("looks into /proc", allow_module_level=True)

# Starts a child in its own group, names it in a file, and stays.
WITH_CHILD = """
import os, subprocess, sys
child = subprocess.Popen(["sleep", "7001"])
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(child.pid))
os.rename(sys.argv[1] + ".new", sys.argv[1])
if sys.argv[2] == "stay":
    child.wait()
"""


def launch(*argv: str) -> Launch:
    return Launch(argv=argv, env={"PATH": os.defpath})


async def child_named_in(path: Path) -> int:
    while not is_there(path):  # noqa: ASYNC110 - a file tells nobody that it appeared
        await asyncio.sleep(0.002)
    return told(path)


def is_there(path: Path) -> bool:
    return path.exists()


def told(path: Path) -> int:
    return int(path.read_text())


def ended(pid: int) -> None:
    """Wait until a process is gone or a zombie."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        select.select([pidfd], [], [])
    finally:
        os.close(pidfd)


@pytest.mark.parametrize(
    ("code", "exit_"),
    [
        ("pass", Exit(code=0)),
        ("raise SystemExit(7)", Exit(code=7)),
        ("import os; os.kill(os.getpid(), 15)", Exit(signal=15)),
    ],
)
def test_an_errand_is_told_by_its_end(code: str, exit_: Exit) -> None:
    async def scene() -> None:
        errands = Errands(asyncio.get_running_loop())
        assert await errands.run(launch(sys.executable, "-I", "-S", "-c", code)) == exit_
        assert errands.pids == set()

    asyncio.run(scene())


def test_what_cannot_be_executed_says_so() -> None:
    async def scene() -> None:
        errands = Errands(asyncio.get_running_loop())
        with pytest.raises(StartFailed):
            await errands.run(launch("/nonexistent"))
        assert errands.pids == set()

    asyncio.run(scene())


def test_an_errand_that_is_cancelled_ends_with_its_whole_group_and_is_reaped(
    tmp_path: Path,
) -> None:
    async def scene() -> None:
        before = len(os.listdir("/proc/self/fd"))
        errands = Errands(asyncio.get_running_loop())
        named = tmp_path / "child"
        running = asyncio.ensure_future(
            errands.run(launch(sys.executable, "-S", "-c", WITH_CHILD, str(named), "stay"))
        )
        child = await child_named_in(named)
        (pid,) = errands.pids
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        ended(child)
        while errands.pids:  # noqa: ASYNC110 - the loop reaps it in its own time
            await asyncio.sleep(0.002)
        assert not is_there(Path(f"/proc/{pid}"))
        assert len(os.listdir("/proc/self/fd")) == before

    asyncio.run(scene())


def test_what_an_errand_leaves_in_its_group_ends_with_it(tmp_path: Path) -> None:
    async def scene() -> int:
        errands = Errands(asyncio.get_running_loop())
        named = tmp_path / "child"
        argv = (sys.executable, "-S", "-c", WITH_CHILD, str(named), "leave")
        assert (await errands.run(launch(*argv))).is_success
        return told(named)

    ended(asyncio.run(scene()))


def test_the_loop_goes_on_while_an_errand_runs() -> None:
    async def scene() -> None:
        errands = Errands(asyncio.get_running_loop())
        running = asyncio.ensure_future(errands.run(launch("sleep", "7001")))
        await asyncio.sleep(0)
        assert len(errands.pids) == 1
        errands.close()
        assert errands.pids == set()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(scene())
    while any(_is_ours(pid) for pid in filter(str.isdecimal, os.listdir("/proc"))):
        reap_strangers(frozenset())


def _is_ours(pid: str) -> bool:
    with contextlib.suppress(OSError):
        return b"sleep\0007001\0" in Path(f"/proc/{pid}/cmdline").read_bytes() and (
            f"\nPPid:\t{os.getpid()}\n" in Path(f"/proc/{pid}/status").read_text()
        )
    return False


@pytest.fixture
def left(tmp_path: Path) -> Iterator[dict[str, int]]:
    """Return errands of two homes whose supervisor is gone: their parent has ended."""
    code = (
        "import os, subprocess\n"
        "print(subprocess.Popen(['sleep', '7002'], start_new_session=True, stdout=-3, stderr=-3).pid)"
    )
    found = {}
    for home in ("here", "there"):
        env = {"PATH": os.defpath, VARIABLE: str(tmp_path / home)}
        done = subprocess.run(
            [sys.executable, "-S", "-c", code], env=env, capture_output=True, check=True
        )
        found[home] = int(done.stdout)
    yield found
    for pid in found.values():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_errands_of_a_supervisor_that_died_are_ended_and_those_of_other_homes_are_not(
    tmp_path: Path, left: dict[str, int]
) -> None:
    deadline = time.monotonic() + 30
    while b"sleep" not in Path(f"/proc/{left['here']}/cmdline").read_bytes():
        assert time.monotonic() < deadline
    assert end_left_errands(str(tmp_path / "here"), Roster()) == 1
    ended(left["here"])
    assert end_left_errands(str(tmp_path / "nowhere"), Roster()) == 0
    os.kill(left["there"], 0)
