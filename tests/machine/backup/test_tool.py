"""A program that is run to its end: its lines, its last words, and that nothing of it is left when it is cancelled."""

import os
import sys

import pytest

from holdfast.machine.backup.tool import run

LOUD = (
    "import sys; print('one'); print('two'); sys.stderr.write('x' * 200000 + 'why'); sys.exit(3)"
)
WAITING = (
    "import os, sys; print(os.getpid(), flush=True); sys.stdin = None; os.read(os.pipe()[0], 1)"
)


def test_its_lines_its_code_and_the_end_of_what_it_complained_of_are_told() -> None:
    lines: list[str] = []
    ended = run([sys.executable, "-c", LOUD], env=os.environ, each_line=lines.append)
    assert (lines, ended.code) == (["one\n", "two\n"], 3)
    assert ended.errors.endswith("why")
    assert len(ended.errors) <= 65536


def test_what_is_raised_meanwhile_ends_it_first() -> None:
    pids: list[int] = []

    def cancel(line: str) -> None:
        pids.append(int(line))
        raise SystemExit(143)

    with pytest.raises(SystemExit):
        run([sys.executable, "-c", WAITING], env=os.environ, each_line=cancel)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
