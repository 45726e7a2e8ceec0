"""What a dead transaction left is finished or undone, once, and never over a later write."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.statefile.intent import Change, Intent, encoded, intent_name
from holdfast.statefile.lock import read_mark, write_mark
from holdfast.statefile.place import Place, open_place
from holdfast.statefile.settle import Outcome, settle
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.temp import checksum, temp_name
from holdfast.statefile.write import write_atomic

if sys.platform == "win32":
    pytest.skip("the files, links and processes of POSIX", allow_module_level=True)

ID = "00000000000000aa"
FILES = ("a", "b")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    for name in FILES:
        write_atomic(tmp_path / name, f"old {name}")
    with open_place(tmp_path / "a", follow=True, ops=Ops()) as opened:
        yield opened


def committed(place: Place) -> Path:
    """Leave what a transaction leaves that was killed before its first rename."""
    folder = Path(place.folder.path)
    changes = []
    for name in FILES:
        new = f"new {name}".encode()
        temp = temp_name(name, len(new), None, os.urandom(8).hex())
        (folder / temp).write_bytes(new)
        before = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        changes.append(Change(name, name, temp, before, len(new), checksum(new)))
        write_mark(place._replace(name=name, stem=name), ID)
    (folder / intent_name(ID)).write_bytes(encoded(Intent(ID, tuple(changes))))
    return folder


def contents(folder: Path) -> list[str]:
    return [(folder / name).read_text() for name in FILES]


def temp_of(folder: Path, name: str) -> Path:
    return next(folder.glob(f".{name}.*.tmp"))


def left(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if not name.endswith(".lock"))


def test_a_committed_one_is_finished_and_its_marks_go(place: Place) -> None:
    folder = committed(place)

    assert settle(place, ID) is Outcome.FINISHED
    assert contents(folder) == ["new a", "new b"]
    assert left(folder) == ["a", "b"]
    assert [read_mark(place._replace(stem=name)) for name in FILES] == [None, None]
    assert settle(place, ID) is Outcome.GONE


def test_one_that_began_to_show_is_finished(place: Place) -> None:
    folder = committed(place)
    temp_of(folder, "a").rename(folder / "a")

    assert settle(place, ID) is Outcome.FINISHED
    assert contents(folder) == ["new a", "new b"]


def test_one_whose_temp_is_cut_before_anything_showed_is_undone(place: Place) -> None:
    folder = committed(place)
    temp_of(folder, "b").write_bytes(b"new")

    assert settle(place, ID) is Outcome.UNDONE
    assert contents(folder) == ["old a", "old b"]
    assert left(folder) == ["a", "b"]


def test_a_write_that_came_later_is_not_undone(place: Place) -> None:
    folder = committed(place)
    (folder / "b").write_text("written by an editor since")

    assert settle(place, ID) is Outcome.FINISHED
    assert contents(folder) == ["new a", "written by an editor since"]
    assert left(folder) == ["a", "b"]


def test_one_that_can_neither_go_on_nor_back_keeps_its_journal_as_evidence(place: Place) -> None:
    folder = committed(place)
    temp_of(folder, "a").rename(folder / "a")
    temp_of(folder, "b").unlink()

    assert settle(place, ID) is Outcome.BROKEN
    assert contents(folder) == ["new a", "old b"]
    assert [name for name in left(folder) if name.startswith(f"{intent_name(ID)}.corrupt-")]
    write_atomic(folder / "b", "goes on")


def test_a_writer_of_another_file_leaves_its_temps_alone(place: Place) -> None:
    folder = committed(place)
    for name in FILES:  # as after a power cut, which only the journal is sure to survive
        write_mark(place._replace(name=name, stem=name), None)

    write_atomic(folder / "c", "another", ops=Ops())

    assert settle(place, ID) is Outcome.FINISHED
    assert contents(folder) == ["new a", "new b"]


def test_a_journal_that_was_never_finished_commits_nothing(place: Place) -> None:
    folder = committed(place)
    (folder / intent_name(ID)).write_bytes(b"\0" * 40)

    write_atomic(folder / "b", "later")

    assert contents(folder) == ["old a", "later"]
    assert read_mark(place._replace(stem="b")) is None
    assert not (folder / intent_name(ID)).exists()


def test_an_old_content_with_the_checksum_of_the_new_one_is_still_old(place: Place) -> None:
    folder = committed(place)
    intent = json.loads((folder / intent_name(ID)).read_text())
    old = (folder / "b").read_bytes()
    intent["changes"][1] |= {"size": len(old), "checksum": checksum(old)}
    temp_of(folder, "b").write_bytes(old)
    (folder / intent_name(ID)).write_text(json.dumps(intent))
    inode = (folder / "b").stat().st_ino

    assert settle(place, ID) is Outcome.FINISHED
    assert (folder / "b").stat().st_ino != inode


def test_what_is_no_file_any_more_does_not_keep_the_others_from_being_finished(
    place: Place,
) -> None:
    folder = committed(place)
    (folder / "b").unlink()
    (folder / "b").symlink_to("elsewhere")

    assert settle(place, ID) is Outcome.FINISHED
    assert (folder / "a").read_text() == "new a"


def test_a_write_that_came_later_is_no_sign_that_a_transaction_had_begun_to_show(
    place: Place,
) -> None:
    folder = committed(place)
    (folder / "a").write_text("written by an editor since")
    temp_of(folder, "b").unlink()

    assert settle(place, ID) is Outcome.UNDONE
    assert contents(folder) == ["written by an editor since", "old b"]
    assert left(folder) == ["a", "b"]
