"""Many processes append to one log: every line is there, whole, once."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.errors import InvalidContent, StateIOError
from holdfast.statefile.append import append_line
from holdfast.statefile.system.ops import Folder, Ops


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "health.log"


def everything(log: Path, keep: int) -> list[str]:
    """Return all lines, oldest first."""
    names = [log.with_name(f"{log.name}.{number}") for number in range(keep, 0, -1)] + [log]
    return [line for one in names if one.exists() for line in one.read_text().splitlines()]


def test_a_log_is_private_and_holds_utf8_lines(log: Path) -> None:
    append_line(log, "grün", max_size=1000, keep=2)
    append_line(log, "name \udcff", max_size=1000, keep=2)

    assert log.read_text(encoding="utf-8") == "grün\nname \\udcff\n"
    assert log.stat().st_mode & 0o777 == 0o600


def test_rotation_keeps_the_order_and_the_chosen_number(log: Path) -> None:
    for number in range(10):
        append_line(log, f"line {number}", max_size=14, keep=3)

    assert everything(log, 3) == [f"line {number}" for number in range(2, 10)]
    assert sorted(os.listdir(log.parent)) == [
        ".health.log.lock",
        "health.log",
        "health.log.1",
        "health.log.2",
        "health.log.3",
    ]


def test_keeping_none_starts_over(log: Path) -> None:
    for number in range(3):
        append_line(log, f"line {number}", max_size=7, keep=0)

    assert everything(log, 1) == ["line 2"]


def test_a_line_longer_than_a_log_gets_one_for_itself(log: Path) -> None:
    for line in ("short", "x" * 100, "short again"):
        append_line(log, line, max_size=20, keep=3)

    assert log.with_name("health.log.1").read_text() == "x" * 100 + "\n"
    assert everything(log, 3) == ["short", "x" * 100, "short again"]


def test_a_newline_inside_is_refused(log: Path) -> None:
    with pytest.raises(InvalidContent):
        append_line(log, "two\nlines", max_size=100, keep=1)

    assert not log.exists()


def test_half_a_line_of_a_killed_writer_does_not_swallow_the_next(log: Path) -> None:
    log.write_text("whole\nhal")

    append_line(log, "next", max_size=1000, keep=1)

    assert log.read_text() == "whole\nhal\nnext\n"


def test_a_disk_that_fills_up_leaves_no_part_of_a_line(log: Path) -> None:
    class Filling(Ops):
        def __init__(self) -> None:
            super().__init__()
            self.room = 4

        def write(self, fd: int, content: bytes | memoryview) -> int:
            if bytes(content).strip().isdigit():  # the pid in the sidecar
                return super().write(fd, content)
            if not self.room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written = super().write(fd, content[: self.room])
            self.room -= written
            return written

    append_line(log, "whole", max_size=1000, keep=1)

    with pytest.raises(StateIOError) as caught:
        append_line(log, "too much", max_size=1000, keep=1, ops=Filling())

    assert caught.value.errno_name == "ENOSPC"
    assert log.read_text() == "whole\n"


class Died(BaseException):
    pass


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_death_inside_a_rotation_loses_no_line(log: Path, step: int) -> None:
    class Dying(Ops):
        def __init__(self) -> None:
            super().__init__()
            self.left = step

        def replace(self, folder: Folder, source: str, target: str) -> None:
            self.left -= 1
            if not self.left:
                raise Died
            super().replace(folder, source, target)

    for number in range(3):
        append_line(log, f"line {number}", max_size=7, keep=5)
    with pytest.raises(Died):
        append_line(log, "line 3", max_size=7, keep=5, ops=Dying())

    for number in range(3, 5):
        append_line(log, f"line {number}", max_size=7, keep=5)

    assert everything(log, 5) == [f"line {number}" for number in range(5)]


def test_a_gap_stops_the_move_so_that_nothing_falls_off_the_end(log: Path) -> None:
    log.write_text("new\n")
    log.with_name("health.log.2").write_text("older\n")
    log.with_name("health.log.3").write_text("oldest\n")

    append_line(log, "newest", max_size=5, keep=3)

    assert everything(log, 3) == ["oldest", "older", "new", "newest"]


_WRITER = """
import sys
from holdfast.statefile import append_line
for number in range(250):
    append_line(sys.argv[1], f"{sys.argv[2]} {number} " + "x" * (number % 97),
                max_size=20_000, keep=20)
"""


def test_eight_processes_lose_cut_and_double_no_line(log: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(log), str(writer)])
        for writer in range(8)
    ]

    assert [writer.wait() for writer in writers] == [0] * 8
    expected = {
        f"{writer} {number} " + "x" * (number % 97) for writer in range(8) for number in range(250)
    }
    lines = everything(log, 20)
    assert len(lines) == 2000
    assert set(lines) == expected
    for writer in range(8):
        own = [int(line.split()[1]) for line in lines if line.startswith(f"{writer} ")]
        assert own == sorted(own)
    assert all(one.stat().st_size <= 20_000 for one in log.parent.glob("health.log*"))
