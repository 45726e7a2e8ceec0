from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdfast.statefile.temp import checksum, temp_name

if TYPE_CHECKING:
    from tests.cli.conftest import Done

State = Callable[..., "Done"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "a.json").write_text("{}\n")
    return folder


def dead_temp(folder: Path, stem: str, content: bytes, *, size: int | None = None) -> Path:
    name = temp_name(stem, len(content) if size is None else size, checksum(content), "0" * 16)
    (folder / name).write_bytes(content)
    return folder / name


def test_a_file_that_is_well_is_said_to_be(state: State, folder: Path) -> None:
    done = state("inspect", str(folder / "a.json"))
    assert (done.code, done.err) == (0, "")
    assert done.lines[1].split()[:2] == ["a.json", "valid"]
    assert state("inspect", "-q", str(folder / "a.json")).out == ""


def test_a_corrupt_file_is_found_and_left(state: State, folder: Path) -> None:
    (folder / "a.json").write_text('{"n": ')
    for where in (folder, folder / "a.json"):
        done = state("inspect", str(where))
        assert done.code == 1
        assert "a.json" in done.out
        assert "invalid" in done.out
        assert f"holdfast state recover {where} --dry-run" in done.lines[-1]
    assert (folder / "a.json").read_text() == '{"n": '


def test_what_a_dead_writer_left_is_found_and_left(state: State, folder: Path) -> None:
    temp = dead_temp(folder, "a.json", b"{", size=9)
    done = state("inspect", str(folder / "a.json"))
    assert done.code == 1
    assert [line.split()[:2] for line in done.lines[1:3]] == [
        ["a.json", "valid"],
        [temp.name, "partial"],
    ]
    assert temp.exists()


def test_backups_and_evidence_are_shown(state: State, folder: Path) -> None:
    (folder / "a.json.~1~").write_text("{}\n")
    done = state("inspect", str(folder / "a.json"))
    assert done.code == 0
    assert done.lines[2].split()[:2] == ["a.json.~1~", "backup"]


def test_of_a_folder_only_what_is_not_well_is_shown(state: State, folder: Path) -> None:
    for name in ("b.json", "c.json"):
        (folder / name).write_text("[]")
    assert state("inspect", str(folder)).lines == ["3 files, all well"]
    (folder / "b.json").write_text("[")
    shown = state("inspect", str(folder))
    assert [line.split()[0] for line in shown.lines] == ["NAME", "b.json", "1"]
    assert len(state("inspect", "-v", str(folder)).lines) == 5


def test_the_report_is_printed_as_json(state: State, folder: Path) -> None:
    (folder / "a.json").write_text("")
    done = state("inspect", str(folder), "--json")
    assert done.code == 1
    assert done.json["well"] is False
    assert [(one["name"], one["state"]) for one in done.json["targets"]] == [("a.json", "invalid")]


def test_a_missing_file_is_no_corruption(state: State, folder: Path) -> None:
    done = state("inspect", str(folder / "none.json"))
    assert done.code == 7
    assert "no such file" in done.err
    assert state("inspect", str(folder / "none" / "none.json")).code == 7


def test_a_missing_file_that_left_something_is_to_be_mended(state: State, folder: Path) -> None:
    (folder / "none.json.~1~").write_text("{}")
    done = state("inspect", str(folder / "none.json"))
    assert (done.code, done.err) == (1, "")


def test_an_empty_folder_is_well(state: State, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert state("inspect", str(tmp_path / "empty")).lines == ["0 files, all well"]


def test_a_name_gives_the_terminal_no_orders(state: State, folder: Path) -> None:
    (folder / "e\x1b[31m.json").write_text("{")
    for where in (folder, folder / "e\x1b[31m.json"):
        done = state("inspect", str(where))
        assert "\x1b" not in done.out
        assert done.lines[1].split()[0] == "e\\x1b[31m.json"


def test_files_that_only_look_like_temps_are_well(state: State, folder: Path) -> None:
    for name in ("config.tmp.json", "notes.tmp.md", "README.part", "x.tmp"):
        (folder / name).write_text("{}\n")
    assert state("inspect", str(folder)).lines == ["3 files, all well"]
    assert state("recover", str(folder)).lines == ["3 files whole"]
    (folder / "config.tmp.json").write_text("{")
    assert state("inspect", str(folder)).code == 1
