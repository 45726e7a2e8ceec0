"""A sample is spread over all files, differs by turn, and is compared with what the project still has."""

import os
from pathlib import Path

from holdfast.machine.backup.verify import BYTES, FILES, Found, compare, sample


def test_turns_reach_other_files_and_no_sample_is_too_large() -> None:
    files = [Found(f"/{number:03}", 1, 0.0) for number in range(100)]
    first, second = sample(files, 0), sample(files, 1)
    assert len(first) == len(second) == FILES
    assert not set(first) & set(second)
    assert sample([], 0) == []
    assert sample([Found("/huge", BYTES + 1, 0.0), Found("/\ufffd", 1, 0.0)], 0) == []


def test_other_bytes_are_found_where_the_project_is_as_it_was(tmp_path: Path) -> None:
    restored, project = tmp_path / "restored", tmp_path / "project"
    for folder in (restored, project):
        folder.mkdir()
        (folder / "a").write_text("same", encoding="utf-8")
        os.utime(folder / "a", (1000, 1000))
    one = Found("/a", 4, 1000.0)
    assert compare([one], str(restored), str(project)) == ""
    (restored / "a").write_text("else", encoding="utf-8")
    assert "other bytes" in compare([one], str(restored), str(project))
    os.utime(project / "a", (2000, 2000))
    assert compare([one], str(restored), str(project)) == ""
    (restored / "a").write_text("x", encoding="utf-8")
    assert "1 bytes instead of 4" in compare([one], str(restored), str(project))
    (restored / "a").unlink()
    assert "could not be restored" in compare([one], str(restored), str(project))
