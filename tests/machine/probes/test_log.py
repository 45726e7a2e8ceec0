import asyncio
import json
import os
from pathlib import Path

import pytest

from holdfast.machine.output.jsonlog import encode_lines, encode_part
from holdfast.machine.probes.log import (
    MOST_PIECES,
    PIECE_BYTES,
    LogWatch,
    Mark,
    beginning_of,
    end_of,
)
from holdfast.model.finding import WELL, Finding, failed, unknown
from holdfast.model.spec import LogFormat

NOTHING = failed("not found in the output")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "api.log"
    path.write_text("ready in an earlier run\n")
    return path


def watch(
    log: Path, pattern: str = "ready", form: LogFormat = LogFormat.TEXT, mark: Mark | None = None
) -> LogWatch:
    return LogWatch(str(log), pattern, form, mark or end_of(str(log)))


def say(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def rotate(log: Path) -> None:
    for number in (2, 1):
        old = log.with_name(f"{log.name}.{number}")
        if old.exists():
            os.rename(old, log.with_name(f"{log.name}.{number + 1}"))
    os.rename(log, f"{log}.1")


def look(watched: LogWatch) -> Finding:
    return asyncio.run(watched.look())


def test_only_what_was_written_since_counts(log: Path) -> None:
    watched = watch(log)
    assert look(watched) == NOTHING
    say(log, "booting\nready\n")
    assert look(watched) == WELL
    assert look(watched) == NOTHING


def test_a_log_that_does_not_exist_yet_is_waited_for(tmp_path: Path) -> None:
    watched = watch(tmp_path / "new.log")
    assert look(watched) == NOTHING
    say(tmp_path / "new.log", "ready\n")
    assert look(watched) == WELL


def test_a_word_cut_in_two_is_found(log: Path) -> None:
    watched = watch(log)
    say(log, "now re")
    assert look(watched) == NOTHING
    say(log, "ady")
    assert look(watched) == WELL


def test_a_pattern_holds_for_one_line(log: Path) -> None:
    watched = watch(log, "^up$")
    say(log, "not up\nup and down\n")
    assert look(watched) == NOTHING
    say(log, "up\n")
    assert look(watched) == WELL


def test_the_mark_follows_the_log_over_rotations(log: Path) -> None:
    watched = watch(log, "found")
    say(log, "one\n")
    assert look(watched) == NOTHING
    say(log, "rest of the old file: found\n")
    rotate(log)
    say(log, "a file between\n")
    rotate(log)
    say(log, "the newest\n")
    assert look(watched) == WELL


def test_a_line_in_the_newest_of_several_files_is_found(log: Path) -> None:
    watched = watch(log, "found")
    say(log, "one\n")
    rotate(log)
    say(log, "two\n")
    rotate(log)
    say(log, "found\n")
    assert look(watched) == WELL


def test_a_log_that_was_emptied_is_read_from_its_beginning(log: Path) -> None:
    watched = watch(log)
    log.write_text("")
    say(log, "ready\n")
    assert look(watched) == WELL


def test_a_lost_mark_means_the_whole_newest_file(log: Path) -> None:
    assert look(watch(log, mark=beginning_of(str(log)))) == WELL


def test_objects_of_a_json_log_are_searched_for_what_was_printed(log: Path) -> None:
    watched = watch(log, '^say "ready"$', LogFormat.JSON)
    with log.open("ab") as file:
        file.write(
            b"".join(encode_lines(b'at first\nsay "ready"\n', "out", "2026-01-01T00:00:00Z"))
        )
    assert look(watched) == WELL


def test_a_line_kept_in_parts_is_put_together(log: Path) -> None:
    watched = watch(log, "already", LogFormat.JSON)
    at = "2026-01-01T00:00:00Z"
    with log.open("ab") as file:
        file.write(encode_part(b"al", "out", at))
        file.write(b"".join(encode_lines(b"ready\n", "out", at)))
    assert look(watched) == WELL


def test_what_is_no_object_in_a_json_log_is_passed_over(log: Path) -> None:
    watched = watch(log, "ready", LogFormat.JSON)
    say(log, 'ready\n[]\n{"no": "ready"}\n' + json.dumps({"line": "ready"}) + "\n")
    assert look(watched) == WELL


def test_binary_junk_is_searched_too(log: Path) -> None:
    watched = watch(log)
    with log.open("ab") as file:
        file.write(b"\xff\x00\xfe ready\n")
    assert look(watched) == WELL


def test_a_pattern_that_would_hang_is_given_up_and_says_so(log: Path) -> None:
    watched = watch(log, "(a+)+$")
    say(log, "a" * 60 + "b\n")
    assert "backtracks less" in look(watched).why
    say(log, "aaa\n")
    assert look(watched) == WELL


def test_one_look_reads_a_bounded_piece_and_the_next_goes_on(log: Path) -> None:
    watched = watch(log)
    say(log, ("x" * 1023 + "\n") * (MOST_PIECES * PIECE_BYTES // 1024) + "ready\n")
    assert look(watched) == unknown("the output comes faster than it can be searched")
    assert look(watched) == WELL
