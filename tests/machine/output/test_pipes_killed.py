"""Nothing is lost or doubled when whoever drains the pipes is killed, again and again, at any instant."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("only splice and tee keep this promise", allow_module_level=True)

ROUNDS = 40
LINES_A_ROUND = 2_000
LINES = ROUNDS * LINES_A_ROUND

WRITER = """
import os, sys
number = 0
while os.read(0, 1):
    for number in range(number, number + int(sys.argv[1])):
        os.write(1, b"%07d %s\\n" % (number, b"x" * (number % 150)))
    number += 1
"""

DRIVER = f"""
import asyncio, os, random, signal, subprocess, sys, time
from pathlib import Path
from holdfast.clock import SystemClock
from holdfast.machine.output.fifo import open_fifo
from holdfast.machine.keeping import Unkept
from holdfast.machine.output.pipes import Pipes
from holdfast.model.spec import LogFormat, LogPolicy

folder, form, is_kept = Path(sys.argv[1]), LogFormat(sys.argv[2]), sys.argv[3] == "kept"
size = 20_000 if form is LogFormat.TEXT else 200_000
policy = LogPolicy(max_size=size, keep=5_000, format=form)

def lose(*facts):
    raise AssertionError(facts)

def open_pipes():
    pipes = Pipes(asyncio.get_running_loop(), SystemClock(), lose, Unkept())
    return pipes, pipes.open("api", policy, folder / "api.log", folder, None)

async def start():
    pipes, outlets = open_pipes()
    command = [sys.executable, "-S", "-c", {WRITER!r}, "{LINES_A_ROUND}"]
    writer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=outlets.stdout_fd, stderr=outlets.stderr_fd)
    outlets.close()
    pipes.close_all()
    return writer

async def drain_for_ever(ready):
    open_pipes()[1].close()
    os.write(ready, b"!")
    await asyncio.Event().wait()

def fork_drainer():
    wait, ready = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            asyncio.run(drain_for_ever(ready))
        finally:
            os._exit(1)
    os.close(ready)
    os.read(wait, 1)
    os.close(wait)
    return pid

async def finish(writer):
    pipes, outlets = open_pipes()
    outlets.close()
    writer.stdin.close()
    while writer.poll() is None:
        await asyncio.sleep(0.01)
    pipes.close_all()

writer = asyncio.run(start())
keeper = open_fifo(str(folder / "api.out")) if is_kept else None
for _ in range({ROUNDS}):
    drainer = fork_drainer()
    writer.stdin.write(b"!")
    writer.stdin.flush()
    time.sleep(random.random() * 0.02)  # the instant of the kill is the point
    os.kill(drainer, signal.SIGKILL)
    _, status = os.waitpid(drainer, 0)
    assert os.WIFSIGNALED(status), "the drainer ended by itself"
asyncio.run(finish(writer))
"""


def _kill_and_collect(folder: Path, form: str, keeper: str) -> list[bytes]:
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(folder), form, keeper], check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    old = sorted(folder.glob("api.log.*"), key=lambda path: -int(path.suffix[1:]))
    return [path.read_bytes() for path in [*old, folder / "api.log"] if path.exists()]


@pytest.mark.parametrize("keeper", ["kept", "held by the service alone"])
def test_every_line_is_there_once_in_order_and_unsplit(tmp_path: Path, keeper: str) -> None:
    files = _kill_and_collect(tmp_path, "text", keeper)

    assert b"".join(files) == b"".join(b"%07d %s\n" % (n, b"x" * (n % 150)) for n in range(LINES))
    assert all(content.endswith(b"\n") for content in files if content)
    assert all(len(content) < 20_000 + 160 for content in files)


def test_a_json_line_may_be_repeated_but_never_lost(tmp_path: Path) -> None:
    files = _kill_and_collect(tmp_path, "json", "held by the service alone")

    lines = [json.loads(line) for content in files for line in content.splitlines()]
    seen = dict.fromkeys(int(one["line"].split()[0]) for one in lines)
    assert list(seen) == list(range(LINES))
    assert not any("partial" in one for one in lines)
