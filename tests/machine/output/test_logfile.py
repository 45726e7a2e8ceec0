"""A log and its older files, fed from a real pipe."""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

if sys.platform == "win32":
    pytest.skip("named pipes in the file system are a POSIX thing", allow_module_level=True)

from holdfast.machine.output.fifo import open_fifo
from holdfast.machine.output.logfile import MOST_OPEN_LOGS, LogFile, OpenLogs
from holdfast.machine.output.tap import CopyTap, Scratch, Tap, tap_for
from holdfast.model.spec import LogFormat, LogPolicy

PLENTY = 1 << 20


class Bench:
    """A pipe, and the log behind it."""

    def __init__(self, folder: Path, policy: LogPolicy, kind: str = "exact") -> None:
        self.path = folder / "api.log"
        self.scratch = Scratch()
        fifo = open_fifo(str(folder / "api.out"))
        self.tap: Tap = CopyTap(fifo) if kind == "copying" else tap_for(fifo, self.scratch)
        self.log = LogFile(str(self.path), policy, OpenLogs())

    def write(self, content: bytes) -> None:
        """Print something, and have it moved."""
        os.write(self.tap.fifo.fd, content)
        while self.log.take(self.tap, PLENTY):
            pass

    def old(self, number: int) -> Path:
        return self.path.with_name(f"api.log.{number}")

    def files(self) -> list[bytes]:
        """Return the contents of all files, oldest first."""
        numbers = [int(found.suffix[1:]) for found in self.path.parent.glob("api.log.*")]
        contents = [self.old(number).read_bytes() for number in sorted(numbers, reverse=True)]
        return [*contents, self.path.read_bytes()] if self.path.exists() else contents

    def close(self) -> None:
        self.log.release()
        self.tap.fifo.close()
        self.scratch.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(
        *,
        max_size: int = 10,
        keep: int = 3,
        format: LogFormat = LogFormat.TEXT,
        kind: str = "exact",
    ) -> Bench:
        policy = LogPolicy(max_size=max_size, keep=keep, format=format)
        made.append(Bench(tmp_path, policy, kind))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_log_is_private_and_takes_bytes_as_they_come(bench: Callable[..., Bench]) -> None:
    one = bench(max_size=1000)

    one.write(b"a\xff\x00\nno end")

    assert one.path.read_bytes() == b"a\xff\x00\nno end"
    assert stat.S_IMODE(one.path.stat().st_mode) == 0o600


def test_a_new_file_begins_at_the_first_line_end_past_the_size(
    bench: Callable[..., Bench],
) -> None:
    one = bench(max_size=10)

    one.write(b"12345678\nabcdef\nxyz\n")

    assert one.files() == [b"12345678\nabcdef\n", b"xyz\n"]


def test_a_full_file_waits_for_the_next_byte(bench: Callable[..., Bench]) -> None:
    one = bench(max_size=10)
    one.write(b"123456789\n")

    assert one.files() == [b"123456789\n"]
    one.write(b"x")
    assert one.files() == [b"123456789\n", b"x"]


def test_a_line_that_comes_in_pieces_is_not_split(bench: Callable[..., Bench]) -> None:
    one = bench(max_size=10)

    for piece in (b"12345678901", b"2345", b"6\nnext\n"):
        one.write(piece)

    assert one.files() == [b"1234567890123456"[:11] + b"23456\n", b"next\n"]


def test_a_line_without_end_is_cut_at_twice_the_size(bench: Callable[..., Bench]) -> None:
    one = bench(max_size=10, keep=10)

    one.write(b"x" * 65)

    assert [len(content) for content in one.files()] == [20, 20, 20, 5]


def test_only_as_many_old_files_are_kept_as_asked_for(bench: Callable[..., Bench]) -> None:
    one = bench(max_size=2, keep=2)

    for line in (b"a\n", b"b\n", b"c\n", b"d\n"):
        one.write(line)

    assert one.files() == [b"b\n", b"c\n", b"d\n"]
    assert {found.name for found in one.path.parent.glob("api.log*")} == {
        "api.log",
        "api.log.1",
        "api.log.2",
    }


def test_none_kept_means_one_file_that_begins_again(bench: Callable[..., Bench]) -> None:
    one = bench(max_size=2, keep=0)

    for line in (b"a\n", b"b\n", b"c\n"):
        one.write(line)

    assert one.files() == [b"c\n"]


@pytest.mark.parametrize("moved", range(4))
def test_a_rotation_cut_short_by_a_crash_goes_on_and_loses_nothing(
    bench: Callable[..., Bench], moved: int
) -> None:
    one = bench(max_size=2, keep=4)
    for line in (b"a\n", b"b\n", b"c\n", b"d\n"):
        one.write(line)
    one.log.release()
    # The chain is 3 to 4, 2 to 3, 1 to 2, the log to 1; the crash comes after `moved` of them.
    for number in (3, 2, 1, 0)[:moved]:
        (one.old(number) if number else one.path).rename(one.old(number + 1))

    one.write(b"e\n")

    assert one.files() == [b"a\n", b"b\n", b"c\n", b"d\n", b"e\n"]


def test_fewer_kept_removes_the_oldest_at_once(bench: Callable[..., Bench]) -> None:
    one = bench(max_size=2, keep=3)
    for line in (b"a\n", b"b\n", b"c\n", b"d\n"):
        one.write(line)

    one.log.change(LogPolicy(max_size=2, keep=1))

    assert one.files() == [b"c\n", b"d\n"]


def test_a_rotation_on_request_happens_at_once_between_lines(bench: Callable[..., Bench]) -> None:
    one = bench(max_size=1000)
    one.write(b"a\n")

    one.log.rotate()
    one.write(b"b\n")

    assert one.files() == [b"a\n", b"b\n"]


def test_a_rotation_on_request_waits_for_the_end_of_the_line(bench: Callable[..., Bench]) -> None:
    one = bench(max_size=1000)
    one.write(b"a")

    one.log.rotate()
    one.write(b"b\nc\n")
    one.write(b"d\n")

    assert one.files() == [b"ab\n", b"c\nd\n"]


def test_an_empty_log_has_nothing_to_rotate(bench: Callable[..., Bench]) -> None:
    one = bench(max_size=1000)

    one.log.rotate()
    one.write(b"a\n")

    assert one.files() == [b"a\n"]


def test_a_file_that_somebody_truncated_or_removed_goes_on(bench: Callable[..., Bench]) -> None:
    one = bench(max_size=1000)
    one.write(b"before\n")
    os.truncate(one.path, 0)
    one.write(b"after\n")
    assert one.files() == [b"after\n"]

    one.path.unlink()
    one.log.release()
    one.write(b"anew\n")

    assert one.files() == [b"anew\n"]


def test_whole_lines_go_over_to_the_next_file_whole(bench: Callable[..., Bench]) -> None:
    one = bench(max_size=10, format=LogFormat.JSON)

    one.log.append([b"123456\n", b"abcdef\n", b"x\n"])

    assert one.files() == [b"123456\nabcdef\n", b"x\n"]


def test_an_appended_line_stands_on_a_line_of_its_own(bench: Callable[..., Bench]) -> None:
    one = bench(max_size=1000)
    one.write(b'{"at":"no end')

    one.log.append([b"[mark]\n"])

    assert one.files() == [b'{"at":"no end\n[mark]\n']


@pytest.mark.parametrize("torn", [b"{", b'{"at":"2026', b'{"at":"' + b"x" * 200_000])
def test_an_object_that_a_kill_cut_short_is_taken_back(
    bench: Callable[..., Bench], torn: bytes
) -> None:
    one = bench(max_size=1 << 20, format=LogFormat.JSON)
    one.path.write_bytes(b"{}\n" + torn)

    one.log.append([b'{"line":1}\n'])

    assert one.files() == [b'{}\n{"line":1}\n']


def test_text_of_before_is_ended_when_the_format_becomes_json(bench: Callable[..., Bench]) -> None:
    one = bench(max_size=1000, format=LogFormat.JSON)
    one.path.write_bytes(b"plain text")

    one.log.append([b'{"line":1}\n'])

    assert one.files() == [b'plain text\n{"line":1}\n']


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_line_that_does_not_fit_leaves_no_piece_of_it(tmp_path: Path) -> None:
    log = LogFile("/dev/full", LogPolicy(), OpenLogs())

    with pytest.raises(OSError, match=r"No space left|Invalid argument"):
        log.append([b"line\n"])

    log.release()


def test_only_so_many_logs_are_open_at_once(tmp_path: Path) -> None:
    shared = OpenLogs()
    logs = [LogFile(str(tmp_path / f"{n}.log"), LogPolicy(), shared) for n in range(300)]
    before = len(os.listdir("/dev/fd"))

    for log in logs:
        log.append([b"line\n"])

    assert len(os.listdir("/dev/fd")) - before <= MOST_OPEN_LOGS
    shared.release()
    assert len(os.listdir("/dev/fd")) == before


LINES = st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"") + b"\n"))


@given(lines=LINES, cuts=st.lists(st.integers(1, 30)), kind=st.sampled_from(["exact", "copying"]))
def test_every_byte_arrives_once_in_order_and_no_line_is_split(
    lines: list[bytes], cuts: list[int], kind: str
) -> None:
    content = b"".join(lines)
    with TemporaryDirectory() as folder:
        one = Bench(Path(folder), LogPolicy(max_size=20, keep=1000), kind)
        start = 0
        for cut in [*cuts, len(content)]:
            one.write(content[start : start + cut])
            start += cut
        files = one.files()
        one.close()

    assert b"".join(files) == content
    assert all(part.endswith(b"\n") for part in files if part)
    assert all(len(part) < 20 + 13 for part in files)
