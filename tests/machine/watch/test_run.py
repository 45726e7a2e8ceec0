"""The watching program, as a process."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

if sys.platform != "linux":
    pytest.skip("the program was never run elsewhere", allow_module_level=True)


class Program:
    """The program at the other end of two pipes."""

    def __init__(self) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "holdfast.machine.watch.run"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def tell(self, text: str) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write(text)
        self.popen.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self.popen.stdout is not None
        found: dict[str, Any] = json.loads(self.popen.stdout.readline())
        return found


@pytest.fixture
def program() -> Iterator[Program]:
    running = Program()
    with running.popen:
        yield running
        running.popen.kill()


def wishes(*paths: Path, generation: int = 1) -> str:
    plain = {
        "paths": list(map(str, paths)),
        "debounce": 0.05,
        "generation": generation,
        "started_at": time.time(),
    }
    return json.dumps({"api": plain}) + "\n"


def test_it_says_what_it_watches_and_then_what_changed(program: Program, tmp_path: Path) -> None:
    watched = tmp_path / "src"
    watched.mkdir()
    (tmp_path / "a").write_text("x")
    program.tell(wishes(watched))
    assert program.hear() == {"watching": ["api"]}
    (tmp_path / "a").rename(watched / "a")  # one step: two may be told as two changes
    assert program.hear() == {
        "service": "api",
        "generation": 1,
        "changed": [str(watched / "a")],
        "count": 1,
    }
    program.tell("{}\n")
    assert program.hear() == {"watching": []}


@pytest.mark.parametrize("last", ["", '{"api": {"pa'])
def test_it_ends_without_a_word_when_its_supervisor_is_gone(program: Program, last: str) -> None:
    out, err = program.popen.communicate(last)
    assert (out, err, program.popen.returncode) == ("", "", 0)


def test_it_ends_when_nobody_listens(program: Program, tmp_path: Path) -> None:
    assert program.popen.stdout is not None
    program.popen.stdout.close()
    program.tell(wishes(tmp_path))
    assert program.popen.wait() == 0


def test_a_limit_of_the_real_kernel_is_told(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / str(number)).mkdir()
    limited = (
        'echo 5 > /proc/sys/user/max_inotify_watches && exec "$0" -P -m holdfast.machine.watch.run'
    )
    with subprocess.Popen(
        ["unshare", "--user", "--map-root-user", "sh", "-c", limited, sys.executable],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as popen:
        assert popen.stdin is not None
        assert popen.stdout is not None
        popen.stdin.write(wishes(tmp_path))
        popen.stdin.flush()
        heard = [popen.stdout.readline() for _ in range(2)]
        popen.stdin.close()
    if not heard[0]:
        pytest.skip("no user namespace may be made here")
    assert "limit reached" in json.loads(heard[1])["degraded"]
