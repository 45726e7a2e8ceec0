"""The end of what a run printed is what it printed itself, and no more than is worth keeping."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.machine.jobs import tail
from holdfast.model.job import Mark


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "report.log"


def test_what_stood_there_before_is_no_output_of_the_run(log: Path) -> None:
    log.write_text("old\n")
    began = tail.mark(str(log))
    with log.open("a") as more:
        more.write("new\n")
    assert tail.since(str(log), began) == "new\n"


def test_a_log_that_did_not_exist_is_read_from_its_beginning(log: Path) -> None:
    began = tail.mark(str(log))
    assert began == Mark(inode=0, size=0)
    assert tail.since(str(log), began) == ""
    log.write_text("new\n")
    assert tail.since(str(log), began) == "new\n"


def test_only_the_last_two_kilobytes_are_kept(log: Path) -> None:
    began = tail.mark(str(log))
    log.write_text("x" * 5000 + "end")
    assert tail.since(str(log), began) == "x" * (tail.TAIL_BYTES - 3) + "end"


def test_output_over_a_rotation_is_read_from_both_files(log: Path) -> None:
    log.write_text("old\n")
    began = tail.mark(str(log))
    with log.open("a") as more:
        more.write("one\n")
    log.rename(log.with_name("report.log.1"))
    log.write_text("two\n")
    assert tail.since(str(log), began) == "one\ntwo\n"


def test_a_log_that_was_truncated_is_read_from_its_beginning(log: Path) -> None:
    log.write_text("a long line of before\n")
    began = tail.mark(str(log))
    log.write_text("new\n")
    assert tail.since(str(log), began) == "new\n"


def test_half_a_character_at_the_cut_is_left_out() -> None:
    found = tail.text_of("ä".encode() * tail.TAIL_BYTES + b"!")
    assert found == "ä" * ((tail.TAIL_BYTES - 1) // 2) + "!"


@given(output=st.binary(max_size=3 * tail.TAIL_BYTES))
def test_any_bytes_become_text_that_json_can_hold(output: bytes) -> None:
    assert len(tail.text_of(output).encode()) <= 3 * tail.TAIL_BYTES
