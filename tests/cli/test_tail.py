import io
import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.cli.tail import Tail, backwards, next_rotated, open_log
from holdfast.errors import HoldfastError


class Log:
    """A log that a supervisor writes: appended to, and rotated by renaming."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, content: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(content)

    def rotate(self, keep: int = 1000) -> None:
        if not self.path.exists():
            return
        names = [self.path, *(Path(f"{self.path}.{number}") for number in range(1, keep + 1))]
        last = next(at for at, name in enumerate(names) if at == keep or not name.exists())
        for at in range(last, 0, -1):
            names[at - 1].rename(names[at])


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "api.log")


def tail_of(log: Log, file: io.FileIO | None = None, unfinished: bytes = b"") -> Tail:
    return Tail(next_rotated(str(log.path)), file, unfinished)


def from_the_end(log: Log) -> tuple[list[bytes], Tail]:
    """Return the lines there are, and what reads on, as the command does it."""
    files = open_log(str(log.path))
    unfinished, *lines = backwards(files)
    for file in files[1:]:
        file.close()
    return lines[::-1], tail_of(log, files[0] if files else None, unfinished)


def close(*files: io.FileIO) -> None:
    for file in files:
        file.close()


def test_a_log_is_opened_with_its_rotated_files_newest_first(log: Log) -> None:
    for number in range(12):
        log.write(b"%d\n" % number)
        log.rotate()
    log.write(b"newest\n")
    (log.path.parent / "api.log.gz").write_bytes(b"no")
    (log.path.parent / "api.log.0").write_bytes(b"no")
    (log.path.parent / "api-2.log.1").write_bytes(b"no")
    files = open_log(str(log.path))

    assert [file.read(10) for file in files] == [
        b"newest\n",
        *(b"%d\n" % n for n in range(11, -1, -1)),
    ]
    close(*files)


def test_a_log_that_does_not_exist_is_no_file(log: Log) -> None:
    assert open_log(str(log.path)) == []
    assert open_log(str(log.path.parent / "nowhere" / "api.log")) == []


def test_a_log_that_is_a_folder_is_refused(log: Log) -> None:
    log.path.mkdir()

    with pytest.raises(HoldfastError, match="cannot be read"):
        open_log(str(log.path))


@given(
    st.lists(st.binary(max_size=200_000).map(lambda raw: raw.replace(b"\r", b"\n")), max_size=4)
)
def test_reading_backwards_gives_the_lines_of_all_files_as_one(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("log")
    files = []
    for at, content in enumerate(contents):
        (folder / str(at)).write_bytes(content)
        files.append(io.FileIO(str(folder / str(at))))

    found = list(backwards(files[::-1]))

    close(*files)
    assert found[::-1] == b"".join(contents).split(b"\n")


def test_reading_backwards_reads_no_more_than_is_asked_for(log: Log) -> None:
    log.write(b"x" * 99 + b"\n")
    log.write((b"y" * 99 + b"\n") * 100_000)
    (file,) = open_log(str(log.path))
    reads: list[int] = []

    class Counted(io.FileIO):
        def read(self, size: int | None = -1) -> bytes:
            reads.append(size or 0)
            return super().read(size) or b""

    counted = Counted(str(log.path))
    newest = list(itertools.islice(backwards([counted]), 21))

    close(file, counted)
    assert newest == [b"", *[b"y" * 99] * 20]
    assert sum(reads) < 100_000


def test_a_line_of_ten_megabytes_is_read_backwards_in_few_reads(log: Log) -> None:
    log.write(b"first\n" + b"z" * 10_000_000 + b"\nlast\n")
    (file,) = open_log(str(log.path))
    found = list(backwards([file]))

    close(file)
    assert [len(line) for line in found] == [0, 4, 10_000_000, 5]


def test_what_comes_after_the_look_is_read_once(log: Log) -> None:
    log.write(b"a\nb\nunfin")
    lines, tail = from_the_end(log)
    log.write(b"ished\nc\n")

    assert lines == [b"a", b"b"]
    assert list(tail.lines()) == [b"unfinished", b"c"]
    assert list(tail.lines()) == []
    tail.close()


def test_a_log_that_does_not_exist_yet_is_read_from_its_first_line(log: Log) -> None:
    lines, tail = from_the_end(log)
    before = list(tail.lines())
    log.write(b"1\n")
    log.rotate()
    log.write(b"2\n")

    assert lines == before == []
    assert list(tail.lines()) == [b"1", b"2"]
    tail.close()


def test_the_old_file_is_read_to_its_end_before_the_new_one(log: Log) -> None:
    log.write(b"1\n")
    _, tail = from_the_end(log)
    log.write(b"2\n")
    log.rotate()
    between = list(tail.lines())
    log.write(b"3\n")

    assert between == [b"2"]
    assert list(tail.lines()) == [b"3"]
    tail.close()


def test_several_rotations_between_two_looks_lose_nothing(log: Log) -> None:
    log.write(b"0\n")
    _, tail = from_the_end(log)
    for number in range(1, 30):
        log.write(b"%d\n" % number)
        log.rotate()

    log.write(b"30\n")

    assert list(tail.lines()) == [b"%d" % number for number in range(1, 31)]
    tail.close()


def test_a_line_may_begin_in_one_file_and_end_in_the_next(log: Log) -> None:
    log.write(b"1\nhalf")
    _, tail = from_the_end(log)
    log.write(b" and")
    log.rotate()
    log.write(b" half\n2\n")

    assert list(tail.lines()) == [b"half and half", b"2"]
    tail.close()


def test_after_more_rotations_than_files_are_kept_it_goes_on_with_the_oldest(log: Log) -> None:
    log.write(b"0\n")
    _, tail = from_the_end(log)
    for number in range(1, 6):
        log.rotate(keep=2)
        log.write(b"%d\n" % number)

    assert list(tail.lines()) == [b"3", b"4", b"5"]
    tail.close()


def test_a_log_that_is_removed_by_hand_is_not_followed_by_older_files(log: Log) -> None:
    log.write(b"1\n")
    log.rotate()
    os.utime(f"{log.path}.1", (1.0, 1.0))
    log.write(b"2\n")
    _, tail = from_the_end(log)
    log.path.unlink()
    between = list(tail.lines())
    log.write(b"3\n")

    assert between == []
    assert list(tail.lines()) == [b"3"]
    tail.close()


def test_an_emptied_log_is_read_from_its_beginning(log: Log) -> None:
    log.write(b"1\n2\n")
    _, tail = from_the_end(log)
    os.truncate(log.path, 0)
    between = list(tail.lines())
    log.write(b"3\n")

    assert between == []
    assert list(tail.lines()) == [b"3"]
    tail.close()


def test_half_a_line_that_a_writer_takes_back_is_forgotten_and_nothing_is_repeated(
    log: Log,
) -> None:
    log.write(b"1\n")
    _, tail = from_the_end(log)
    log.write(b"2\nha")
    first = list(tail.lines())
    os.truncate(log.path, 4)
    second = list(tail.lines())
    log.write(b"3\n")

    assert (first, second) == ([b"2"], [])
    assert list(tail.lines()) == [b"3"]
    tail.close()


STEPS = st.one_of(
    st.binary(min_size=1, max_size=20).map(lambda raw: raw.replace(b"a", b"\n")),
    st.just("rotate"),
    st.just("look"),
)


@given(before=st.lists(STEPS, max_size=8), after=st.lists(STEPS, max_size=30))
def test_whatever_is_written_and_rotated_every_line_comes_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, before: list[bytes | str], after: list[bytes | str]
) -> None:
    log = Log(tmp_path_factory.mktemp("log") / "api.log")
    written: list[bytes] = []

    def do(step: bytes | str, look: Callable[[], None]) -> None:
        if isinstance(step, bytes):
            log.write(step)
            written.append(step)
        elif step == "rotate":
            log.rotate()
        else:
            look()

    for step in before:
        do(step, lambda: None)
    lines, tail = from_the_end(log)
    for step in after:
        do(step, lambda: lines.extend(tail.lines()))
    lines.extend(tail.lines())

    tail.close()
    assert lines == b"".join(written).split(b"\n")[:-1]
