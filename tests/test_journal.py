"""The journal: every event once, in order, whatever crashes, fills up or turns back."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import journal as journal_module
from holdfast.journal import Journal, line_of, parse, read, segments
from holdfast.model.event import Event


class HandClock:
    """A clock set by hand."""

    def __init__(self, wall: float = 1000.0) -> None:
        self.now = wall

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def journals(folder: Path, clock: HandClock) -> Iterator["Shelf"]:
    shelf = Shelf(folder, clock)
    yield shelf
    shelf.close()


class Shelf:
    """Opens the journal of a folder anew, as the next supervisor would."""

    def __init__(self, folder: Path, clock: HandClock) -> None:
        self.folder = folder
        self.clock = clock
        self._opened: list[Journal] = []

    def open(self) -> Journal:
        journal = Journal(self.folder, self.clock)
        journal.open()
        self._opened.append(journal)
        return journal

    def close(self) -> None:
        for journal in self._opened:
            journal.close()


@contextmanager
def full_disk(size: int = 0) -> Iterator[None]:
    """Let the kernel refuse every file to grow past a size."""
    if sys.platform == "win32":
        pytest.skip("Windows has no such limit")
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def kinds(folder: Path) -> list[str]:
    return [event.kind for event in read(folder)]


def test_what_is_appended_is_read_again(journals: Shelf, folder: Path) -> None:
    written = journals.open().append("service.started", "api", {"pid": 7, "why": "ü\n"})
    assert list(read(folder)) == [written]
    assert written.at == 1000.0


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_a_segment_is_private(journals: Shelf, folder: Path) -> None:
    journals.open().append("a", "x")
    assert segments(folder)[0].stat().st_mode & 0o777 == 0o600


def test_facts_never_pass_for_the_events_own_fields() -> None:
    event = Event(id=5, at=0.0, kind="a", subject="x", facts={"id": 9, "kind": "b", "pid": 1})
    assert json.loads(line_of(event)) == {
        "id": 5,
        "at": "1970-01-01T00:00:00.000Z",
        "kind": "a",
        "subject": "x",
        "pid": 1,
    }


def test_an_id_is_the_microsecond_of_its_birth(journals: Shelf) -> None:
    assert journals.open().append("a", "x").id == 1_000_000_000


@given(st.lists(st.floats(min_value=0, max_value=4e9), min_size=1, max_size=30))
def test_ids_rise_whatever_the_clock_does(
    tmp_path_factory: pytest.TempPathFactory, moments: list[float]
) -> None:
    folder, clock = tmp_path_factory.mktemp("journal"), HandClock()
    journal = Journal(folder, clock)
    ids = []
    for at, moment in enumerate(moments):
        clock.now = moment
        if at % 7 == 6:
            journal.close()
            journal = Journal(folder, clock)
            journal.open()
        ids.append(journal.append("a", "x").id)
    journal.close()
    assert ids == sorted(set(ids))
    assert [event.id for event in read(folder)] == ids


def test_ids_go_on_after_a_restart_with_the_clock_set_back(
    journals: Shelf, clock: HandClock
) -> None:
    first = journals.open().append("a", "x")
    clock.now = 5.0
    assert journals.open().append("b", "x").id == first.id + 1


@pytest.mark.parametrize(
    "torn",
    [
        b'{"id":5',
        b"\x00\x00\x00",
        b"\xff",
        b"[]\n",
        b"null\n",
        b'{"id":"5","at":"2026-01-01T00:00:00Z","kind":"a","subject":"x"}\n',
        b'{"id":5,"at":"2026-01-01T00:00:00","kind":"a","subject":"x"}\n',
        b'{"id":5,"at":7,"kind":"a","subject":"x"}\n',
        b'{"id":5,"kind":"a","subject":"x"}\n',
        b"\n\n",
    ],
)
def test_a_line_a_crash_cut_short_costs_that_line_alone(
    journals: Shelf, folder: Path, torn: bytes
) -> None:
    journals.open().append("a", "x")
    with segments(folder)[0].open("ab") as segment:
        segment.write(torn)
    assert kinds(folder) == ["a"]
    journals.open().append("b", "x")
    assert kinds(folder) == ["a", "b"]


def test_an_empty_segment_is_gone_on_with(journals: Shelf, folder: Path) -> None:
    (folder / f"{7:020d}.jsonl").touch()
    assert list(read(folder)) == []
    journals.open().append("a", "x")
    assert len(segments(folder)) == 1
    assert kinds(folder) == ["a"]


def test_an_empty_folder_holds_no_events(folder: Path) -> None:
    assert list(read(folder)) == []
    assert list(read(folder / "missing")) == []


def test_only_segments_are_read(journals: Shelf, folder: Path) -> None:
    journals.open().append("a", "x")
    (folder / "notes.jsonl").write_text("not ours")
    (folder / "5.txt").write_text("not ours")
    assert kinds(folder) == ["a"]


def test_the_reader_takes_up_after_an_id_across_segments(
    journals: Shelf, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "SEGMENT_SIZE", 150)
    journal = journals.open()
    ids = [journal.append("a", "x").id for _ in range(12)]
    assert len(segments(folder)) > 3
    for at, after in enumerate([0, *ids]):
        assert [event.id for event in read(folder, after=after)] == ids[at:]


def test_segments_that_are_over_are_not_read_again(
    journals: Shelf, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "SEGMENT_SIZE", 1)
    journal = journals.open()
    ids = [journal.append("a", "x").id for _ in range(4)]
    oldest = min(segments(folder))
    oldest.unlink()
    oldest.mkdir()
    assert [event.id for event in read(folder, after=ids[1])] == ids[2:]


def test_events_of_one_subject_are_chosen(journals: Shelf, folder: Path) -> None:
    journal = journals.open()
    for subject in ("api", "db", "api"):
        journal.append("a", subject)
    assert [event.subject for event in read(folder, subject="api")] == ["api", "api"]


def test_only_the_newest_segments_are_kept(
    journals: Shelf, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "SEGMENT_SIZE", 1)
    monkeypatch.setattr(journal_module, "SEGMENTS_KEPT", 3)
    journal = journals.open()
    ids = [journal.append("a", "x").id for _ in range(10)]
    assert [event.id for event in read(folder)] == ids[-3:]


def test_a_segment_that_is_pruned_under_the_reader_is_passed_over(
    journals: Shelf, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "SEGMENT_SIZE", 1)
    journal = journals.open()
    ids = [journal.append("a", "x").id for _ in range(3)]
    reader = read(folder)
    assert next(reader).id == ids[0]
    sorted(segments(folder))[1].unlink()
    assert [event.id for event in reader] == [ids[2]]


def test_events_wait_in_memory_while_the_disk_is_full(journals: Shelf, folder: Path) -> None:
    journal = journals.open()
    journal.append("a", "x")
    with full_disk(size=os.path.getsize(segments(folder)[0]) + 10):
        journal.append("b", "x")
        journal.append("c", "x")
        assert kinds(folder) == ["a"]
        assert segments(folder)[0].read_bytes().endswith(b"\n")
    journal.append("d", "x")
    assert kinds(folder) == ["a", "b", "c", "d"]
    assert journal.lost == 0


def test_a_disk_that_is_full_from_the_beginning_holds_up_nobody(
    journals: Shelf, folder: Path
) -> None:
    with full_disk():
        journal = journals.open()
        journal.append("a", "x")
    journal.append("b", "x")
    assert kinds(folder) == ["a", "b"]


def test_a_torn_line_on_a_full_disk_keeps_no_supervisor_from_starting(
    journals: Shelf, folder: Path
) -> None:
    journals.open().append("a", "x")
    with segments(folder)[0].open("ab") as segment:
        segment.write(b'{"id":5')
    with full_disk():
        journal = journals.open()
        journal.append("b", "x")
    journal.append("c", "x")
    assert kinds(folder) == ["a", "b", "c"]


def test_what_waits_too_long_is_lost_oldest_first_and_counted(
    journals: Shelf, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "HELD_IN_MEMORY", 3)
    journal = journals.open()
    with full_disk():
        for kind in "abcde":
            journal.append(kind, "x")
    journal.append("f", "x")
    assert kinds(folder) == ["d", "e", "f"]
    assert journal.lost == 3


def test_a_folder_that_is_gone_holds_up_nobody(journals: Shelf, folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    journal = Journal(inner, journals.clock)
    inner.rmdir()
    journal.append("a", "x")
    inner.mkdir()
    journal.append("b", "x")
    journal.close()
    assert kinds(inner) == ["a", "b"]


def test_making_durable_asks_the_disk_only_for_what_is_new(
    journals: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(os, "fsync", asked.append)
    journal = journals.open()
    journal.sync()
    assert asked == []
    journal.append("a", "x")
    journal.sync()
    journal.sync()
    assert len(asked) == 1


def test_a_segment_that_is_full_is_made_durable_before_the_next(
    journals: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(os, "fsync", asked.append)
    monkeypatch.setattr(journal_module, "SEGMENT_SIZE", 1)
    journal = journals.open()
    journal.append("a", "x")
    journal.append("b", "x")
    assert len(asked) == 1


def test_a_refused_sync_is_told_and_never_repeated(
    journals: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_fd: int) -> None:
        raise OSError("no space")

    journal = journals.open()
    journal.append("a", "x")
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="no space"):
        journal.sync()
    journal.sync()


def test_closing_twice_is_allowed(journals: Shelf) -> None:
    journal = journals.open()
    journal.append("a", "x")
    journal.close()
    journal.close()


@pytest.mark.parametrize(
    "own", [{"id": 0}, {"id": 2**53}, {"id": -1}, {"kind": 7}, {"subject": ["a"]}]
)
def test_a_line_that_no_journal_would_hold_is_passed_over(own: dict[str, object]) -> None:
    line = {"id": 1, "at": "2026-01-31T08:00:00Z", "kind": "a.b", "subject": "c", **own}
    assert parse(json.dumps(line).encode()) is None
