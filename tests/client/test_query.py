"""The newest lines of a log are found across rotated files, whatever else stands in them."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.client import query
from holdfast.client.log import get_logger
from holdfast.client.query import recent
from holdfast.clock import utc_text
from holdfast.errors import UsageError
from holdfast.home import Home


def write_log(home: Home, *files: list[str]) -> None:
    """Write the files of one log, newest file first."""
    home.make()
    for age, lines in enumerate(files):
        name = f"notes.log.{age}" if age else "notes.log"
        (home.logs / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def line(number: int, level: str = "INFO") -> str:
    return json.dumps({"at": utc_text(number), "level": level, "message": str(number)})


def messages(found: list[dict[str, object]]) -> list[object]:
    return [record["message"] for record in found]


def test_what_a_logger_wrote_comes_back_newest_last(home: Home) -> None:
    log = get_logger("notes")
    for number in range(5):
        log.info("said", number=number)

    assert [record["number"] for record in recent("notes", 3)] == [2, 3, 4]


def test_the_lines_of_rotated_files_come_before_those_of_the_newest(home: Home) -> None:
    write_log(home, [line(5), line(6)], [line(3), line(4)], [line(1), line(2)])

    assert messages(recent("notes")) == ["1", "2", "3", "4", "5", "6"]
    assert messages(recent("notes", 3)) == ["4", "5", "6"]


def test_a_log_between_two_names_is_still_read(home: Home) -> None:
    write_log(home, [], [line(1)])
    home.log("notes").unlink()

    assert messages(recent("notes")) == ["1"]


def test_a_file_rotated_while_it_is_read_is_read_once(home: Home) -> None:
    write_log(home, [line(1)])
    (home.logs / "notes.log.1").hardlink_to(home.log("notes"))

    assert messages(recent("notes")) == ["1"]


def test_a_log_that_was_never_written_is_empty(home: Home) -> None:
    assert recent("notes") == []


@pytest.mark.parametrize("n", [0, -1])
def test_no_lines_are_asked_for_and_none_come(home: Home, n: int) -> None:
    write_log(home, [line(1)])

    assert recent("notes", n) == []


def test_what_is_less_serious_is_left_out(home: Home) -> None:
    write_log(home, [line(1), line(2, "ERROR"), "plain", line(3, "CRITICAL"), line(4, "odd")])

    assert messages(recent("notes", level="error")) == ["2", "3"]


def test_what_is_older_is_left_out(home: Home) -> None:
    write_log(home, [line(10), line(20), "plain", '{"at": 5}', line(30)])

    assert messages(recent("notes", since=20)) == ["20", "30"]


def test_lines_that_are_no_objects_come_as_their_text(home: Home) -> None:
    home.make()
    home.log("notes").write_bytes(b'plain\n[1]\n\n12\n{"cut": \n\xff\xfe\nlast without an end')

    assert messages(recent("notes")) == [
        "plain",
        "[1]",
        "12",
        '{"cut": ',
        "\\xff\\xfe",
        "last without an end",
    ]


def test_health_and_policy_hits_can_be_read_too(home: Home) -> None:
    log = get_logger("notes")
    log.error("failed")
    log.policy_hit("auto-save", "triggered")

    assert messages(recent("health")) == ["failed"]
    assert messages(recent("policy-hits")) == ["auto-save: triggered"]


@pytest.mark.parametrize("name", ["../x", "a/b", "", "notes\n"])
def test_a_name_cannot_lead_out_of_the_logs(home: Home, name: str) -> None:
    with pytest.raises(UsageError, match="is no name of a log"):
        recent(name)


def test_an_unknown_level_is_refused(home: Home) -> None:
    with pytest.raises(UsageError, match="is no level"):
        recent("notes", level="loud")


@given(
    st.lists(st.binary(max_size=40).map(lambda text: text.replace(b"\n", b""))), st.integers(1, 9)
)
def test_lines_read_backwards_are_the_lines_read_forwards(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], block: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "backwards.log"
    path.write_bytes(b"\n".join(lines))

    with path.open("rb") as file:
        found = list(query._backwards(file, path.stat().st_size, block=block))

    assert found[::-1] == path.read_bytes().split(b"\n")


def test_a_line_longer_than_a_block_comes_whole(home: Home, tmp_path: Path) -> None:
    long = "x" * 300_000
    write_log(home, [line(1), long, line(2)])

    assert messages(recent("notes")) == ["1", long, "2"]
