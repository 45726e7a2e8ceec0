"""How files that changed are told from those that did not."""

import os
from pathlib import Path

import pytest

from holdfast.machine.watch import files
from holdfast.machine.watch.files import differing, mark_of, marks


def test_a_folder_is_all_its_files_but_for_ignored_ones(tmp_path: Path) -> None:
    for name in ("a.py", "sub/b.py", "sub/__pycache__/b.pyc", ".git/HEAD", "c.py~"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    assert marks(str(tmp_path)).keys() == {str(tmp_path / "a.py"), str(tmp_path / "sub" / "b.py")}


def test_a_file_is_itself_and_what_is_missing_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.pyc"
    assert marks(str(path)) == {}
    path.write_text("x")
    assert marks(str(path)).keys() == {str(path)}


def test_what_was_written_replaced_added_or_removed_differs(tmp_path: Path) -> None:
    for name in ("same", "longer", "gone", "replaced"):
        (tmp_path / name).write_text(name)
    before = marks(str(tmp_path))
    (tmp_path / "longer").write_text("much longer")
    (tmp_path / "gone").unlink()
    (tmp_path / "new").write_text("new")
    other = tmp_path.parent / "other"
    other.write_text("replaced")
    os.utime(other, ns=(0, before[str(tmp_path / "replaced")].changed_ns))
    other.rename(tmp_path / "replaced")
    changed = differing(before, marks(str(tmp_path)))
    assert changed == [str(tmp_path / name) for name in ("gone", "longer", "new", "replaced")]


def test_a_link_to_a_folder_above_leads_to_no_endless_walk(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert str(tmp_path / "a") in marks(str(tmp_path))


def test_a_tree_without_end_is_looked_at_up_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_FILES", 3)
    for number in range(5):
        (tmp_path / str(number)).write_text("x")
    assert len(marks(str(tmp_path))) == 3


def test_a_time_that_a_program_set_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("x")
    os.utime(path, (2**33, 2**33))
    mark = mark_of(str(path))
    assert mark is not None
    assert mark.changed_at < 2**33
