"""The folders a file needs are made and synced from the outside in."""

import sys
from pathlib import Path

import pytest

from holdfast.errors import StateIOError
from holdfast.statefile.system.ops import Folder, Ops
from holdfast.statefile.write import write_atomic

if sys.platform == "win32":
    pytest.skip("the folders of POSIX", allow_module_level=True)


class Watching(Ops):
    def __init__(self) -> None:
        super().__init__()
        self.made: list[str] = []

    def mkdir(self, folder: Folder, name: str) -> None:
        self.made.append(f"mkdir {name}")
        super().mkdir(folder, name)

    def sync_folder(self, folder: Folder) -> bool:
        self.made.append("sync")
        return super().sync_folder(folder)


def test_each_new_name_is_synced_in_the_folder_it_stands_in(tmp_path: Path) -> None:
    ops = Watching()
    write_atomic(tmp_path / "a" / "b" / "state.json", "{}", parents=True, ops=ops)

    assert (tmp_path / "a" / "b" / "state.json").read_text() == "{}"
    assert ops.made == ["mkdir a", "sync", "mkdir b", "sync", "sync"]


def test_folders_that_are_there_are_left_alone(tmp_path: Path) -> None:
    ops = Watching()
    write_atomic(tmp_path / "state.json", "{}", parents=True, ops=ops)
    assert ops.made == ["sync"]


def test_a_relative_path_is_made_below_the_folder_of_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_atomic("x/y/state.json", "{}", parents=True)
    write_atomic("plain.json", "{}", parents=True)
    assert (tmp_path / "x/y/state.json").exists()
    assert (tmp_path / "plain.json").exists()


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(StateIOError, match="ENOTDIR"):
        write_atomic(tmp_path / "a" / "b" / "state.json", "{}", parents=True)
