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


def dead_temp(folder: Path, stem: str, content: bytes, chance: str = "0" * 16) -> Path:
    path = folder / temp_name(stem, len(content), checksum(content), chance)
    path.write_bytes(content)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_a_file_that_is_whole_stays_and_dead_temps_go(state: State, folder: Path) -> None:
    dead_temp(folder, "a.json", b'{"n": 1}')
    done = state("recover", str(folder / "a.json"))
    assert (done.code, done.err) == (0, "")
    assert done.lines == [
        f"{folder / 'a.json'} is whole and stays as it is",
        "  1 dead temp removed (8 B)",
    ]
    assert names(folder) == ["a.json"]
    assert (folder / "a.json").read_text() == "{}\n"


def test_a_broken_file_becomes_its_whole_temp(state: State, folder: Path) -> None:
    (folder / "a.json").write_text("{")
    temp = dead_temp(folder, "a.json", b'{"n": 1}')
    before = names(folder)

    told = state("recover", str(folder / "a.json"), "--dry-run")
    assert told.code == 0
    assert told.lines[0] == f"{folder / 'a.json'} would become what stands in {temp.name}"
    assert names(folder) == before

    done = state("recover", str(folder / "a.json"))
    assert done.lines[0] == f"{folder / 'a.json'} is now what stood in {temp.name}"
    assert "its broken content is kept in a.json.corrupt-" in done.lines[1]
    assert (folder / "a.json").read_bytes() == b'{"n": 1}'
    assert len(names(folder)) == 2


def test_a_broken_file_becomes_its_backup(state: State, folder: Path) -> None:
    (folder / "a.json").write_text("{")
    (folder / "a.json.~1~").write_text("[]")
    assert "is now its backup a.json.~1~" in state("recover", str(folder / "a.json")).out
    assert (folder / "a.json").read_text() == "[]"


def test_what_cannot_be_mended_is_left_as_it_is(state: State, folder: Path) -> None:
    (folder / "a.json").write_text("{")
    done = state("recover", str(folder / "a.json"))
    assert (done.code, done.out) == (6, "")
    assert names(folder) == ["a.json"]


def test_one_of_several_is_taken_by_its_name(state: State, folder: Path) -> None:
    (folder / "a.json").write_text("{")
    (folder / "a.json.~1~").write_text("[1]")
    (folder / "a.json.~2~").write_text("[2]")
    assert state("recover", str(folder / "a.json"), "--use", "a.json.~2~").code == 0
    assert (folder / "a.json").read_text() == "[2]"
    assert state("recover", str(folder / "a.json"), "--use", "nobody").code in (2, 4)


def test_of_a_folder_each_file_is_mended(state: State, folder: Path) -> None:
    assert state("recover", str(folder)).lines == ["1 file whole"]
    (folder / "b.json").write_text("{")
    (folder / "b.json.~1~").write_text("[]")
    done = state("recover", str(folder))
    assert done.code == 0
    assert done.lines[0].endswith("b.json is now its backup b.json.~1~")
    assert done.lines[-1] == "1 other file whole"


def test_temps_of_other_programs_go_only_on_purpose(state: State, folder: Path) -> None:
    (folder / "a.json.tmp.4199999").write_text("{}")
    state("recover", str(folder / "a.json"))
    assert names(folder) == ["a.json", "a.json.tmp.4199999"]
    state("recover", str(folder / "a.json"), "--foreign")
    assert names(folder) == ["a.json"]


def test_what_was_done_is_printed_as_json(state: State, folder: Path) -> None:
    temp = dead_temp(folder, "a.json", b"{}")
    done = state("recover", str(folder / "a.json"), "--json")
    assert (done.json["outcome"], done.json["removed"]) == ("intact", [temp.name])


def test_a_writer_at_work_is_waited_for_and_not_disturbed(
    state: State, folder: Path, hold_elsewhere: Callable[[Path], int]
) -> None:
    (folder / "a.json").write_text("{")
    (folder / "a.json.~1~").write_text("[]")
    hold_elsewhere(folder / "a.json")
    assert state("recover", str(folder / "a.json"), "--timeout", "50ms").code == 4
    assert (folder / "a.json").read_text() == "{"


def test_of_a_folder_with_a_loss_the_mended_are_told_all_the_same(
    state: State, folder: Path
) -> None:
    (folder / "b.json").write_text("{")
    (folder / "c.json").write_text("{")
    (folder / "c.json.~1~").write_text("[]")

    done = state("recover", str(folder), "--json")

    assert done.code == 6
    assert [(Path(one["path"]).name, one["outcome"]) for one in done.json["parts"]] == [
        ("a.json", "intact"),
        ("c.json", "restored"),
    ]
    assert "1 file of" in done.err
    assert "cleaned up: c.json" in done.err


def test_a_mistyped_name_is_no_such_file(state: State, folder: Path) -> None:
    done = state("recover", str(folder / "typo.json"))
    assert (done.code, done.out) == (7, "")
    assert "no such file" in done.err
    assert names(folder) == ["a.json"]
    assert not (folder / ".typo.json.lock").exists()


def test_a_name_gives_the_terminal_no_orders(state: State, folder: Path) -> None:
    (folder / "e\x1b[31m.json").write_text("{}")
    done = state("recover", str(folder / "e\x1b[31m.json"))
    assert done.lines == [f"{folder}/e\\x1b[31m.json is whole and stays as it is"]
