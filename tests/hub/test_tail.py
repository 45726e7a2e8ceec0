from pathlib import Path

import pytest

from holdfast.hub import tail
from holdfast.hub.tail import Tail
from holdfast.journal import line_of
from holdfast.model.event import Event


def write(folder: Path, first: int, *ids: int, rest: bytes = b"") -> None:
    with (folder / f"{first:020d}.jsonl").open("ab") as segment:
        for id_ in ids:
            segment.write(line_of(Event(id=id_, at=1.0, kind="job.started", subject="x")))
        segment.write(rest)


def ids(reader: Tail) -> list[int]:
    """Take everything in, as the intake does."""
    taken: list[int] = []
    while True:
        found, mark = reader.look()
        if not found:
            return taken
        taken += [event.id for event in found]
        reader.passed(mark, taken[-1])


def test_events_are_read_once_from_where_the_database_says(tmp_path: Path) -> None:
    write(tmp_path, 1, 1, 2)
    write(tmp_path, 3, 3, 4)
    reader = Tail(tmp_path, 1)

    assert ids(reader) == [2, 3, 4]
    assert ids(reader) == []

    write(tmp_path, 3, 5)
    write(tmp_path, 6, 6)
    assert ids(reader) == [5, 6]


def test_what_was_not_taken_in_is_seen_again(tmp_path: Path) -> None:
    write(tmp_path, 1, 1, 2)
    reader = Tail(tmp_path, 0)

    assert [event.id for event in reader.look()[0]] == [1, 2]
    assert [event.id for event in reader.look()[0]] == [1, 2]


def test_a_line_that_is_being_written_waits_until_it_is_whole(tmp_path: Path) -> None:
    whole = line_of(Event(id=2, at=1.0, kind="job.started", subject="x"))
    write(tmp_path, 1, 1, rest=whole[:20])
    reader = Tail(tmp_path, 0)
    assert ids(reader) == [1]

    write(tmp_path, 1, rest=whole[20:])
    assert ids(reader) == [2]


def test_a_line_that_a_crash_cut_short_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, 1, 1, rest=b'{"id": 2, "at\n[]\n\xff\n')
    write(tmp_path, 1, 3)

    assert ids(Tail(tmp_path, 0)) == [1, 3]


def test_a_segment_that_was_pruned_is_left_behind(tmp_path: Path) -> None:
    write(tmp_path, 1, 1)
    reader = Tail(tmp_path, 0)
    assert ids(reader) == [1]

    (tmp_path / f"{1:020d}.jsonl").unlink()
    write(tmp_path, 9, 9)
    assert ids(reader) == [9]


def test_many_events_come_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "AT_ONCE", 2)
    write(tmp_path, 1, *range(1, 6))
    reader = Tail(tmp_path, 0)

    assert len(reader.look()[0]) == 2
    assert ids(reader) == [1, 2, 3, 4, 5]


def test_a_journal_that_is_not_there_yet_has_no_events(tmp_path: Path) -> None:
    assert ids(Tail(tmp_path / "none", 0)) == []


def test_an_absurd_line_hides_nothing_that_comes_after_it(tmp_path: Path) -> None:
    at = b'"at":"2026-01-01T00:00:00Z"'
    absurd = (
        b'{"id":9223372036854775808,' + at + b',"kind":"a.b","subject":"x"}\n',
        b'{"id":9007199254740992,' + at + b',"kind":"a.b","subject":"x"}\n',
        b'{"id":2,' + at + b',"kind":7,"subject":"x"}\n',
        b'{"id":2,' + at + b',"kind":"a.b","subject":null}\n',
        b'{"id":true,' + at + b',"kind":null,"subject":["x"]}\n',
    )
    write(tmp_path, 1, 1, rest=b"".join(absurd))
    write(tmp_path, 1, 3)

    assert ids(Tail(tmp_path, 0)) == [1, 3]


def test_what_is_written_just_before_a_new_segment_is_begun_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 1, 1)
    reader = Tail(tmp_path, 0)
    assert ids(reader) == [1]
    reading = tail._read

    def read(path: Path, mark: tail.Mark) -> tuple[list[Event], tail.Mark]:
        found = reading(path, mark)
        monkeypatch.setattr(tail, "_read", reading)
        write(tmp_path, 1, 2)  # the supervisor was faster
        write(tmp_path, 3, 3)
        return found

    monkeypatch.setattr(tail, "_read", read)
    assert ids(reader) == []
    assert ids(reader) == [2, 3]
