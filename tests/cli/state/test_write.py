import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdfast.statefile import Durability, locked

if TYPE_CHECKING:
    from tests.cli.conftest import Done

State = Callable[..., "Done"]
NEW = b'{"n": 1}\n'


def left(folder: Path) -> list[str]:
    """Return the names in a folder without the lock files."""
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def test_what_stands_on_stdin_is_in_the_file_byte_for_byte(state: State, folder: Path) -> None:
    content = "# \u00c4\r\nno end".encode()
    done = state("write", str(folder / "a.md"), stdin=content)

    assert (done.code, done.err) == (0, "")
    assert (folder / "a.md").read_bytes() == content
    assert done.out == f"{folder / 'a.md'} written (12 B)\n"
    assert left(folder) == ["a.md"]


def test_missing_folders_are_made(state: State, folder: Path) -> None:
    assert state("write", str(folder / "x" / "y" / "a.json"), stdin=NEW).code == 0
    assert (folder / "x" / "y" / "a.json").read_bytes() == NEW


def test_a_path_without_a_folder_is_one_of_here(
    state: State, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert state("write", "a.json", stdin=NEW).code == 0
    assert left(folder) == ["a.json"]


def test_facts_are_printed_as_json(state: State, folder: Path) -> None:
    path = folder / "a.json"
    assert state("write", str(path), "--json", "--durability", "file", stdin=NEW).json == {
        "path": str(path),
        "written": True,
        "bytes": 9,
        "sha256": hashlib.sha256(NEW).hexdigest(),
        "durability": {"requested": "file", "achieved": "file"},
        "lost": [],
        "swept": {"temps": 0, "bytes": 0},
    }


def test_quiet_says_nothing(state: State, folder: Path) -> None:
    done = state("write", "-q", str(folder / "a.json"), stdin=NEW)
    assert (done.code, done.out, done.err) == (0, "", "")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.json", b"", "it is empty"),
        ("a.txt", b"", "it is empty"),
        ("a.json", b'{"n": 1', "it is no JSON"),
        ("a.json", b"{}{}", "more than one document"),
        ("a.md", b"a\0b", "NUL"),
        ("a.md", b"\xff\xfe", "not UTF-8"),
        ("a.jsonl", b'{"n": 1}\n{"n"', "line 2"),
    ],
)
def test_content_that_is_not_what_the_name_says_changes_nothing(
    state: State, folder: Path, name: str, content: bytes, why: str
) -> None:
    (folder / name).write_bytes(b"old")
    done = state("write", str(folder / name), stdin=content)

    assert (done.code, done.out) == (4, "")
    assert why in done.err
    assert len(done.err.splitlines()) == 1
    assert (folder / name).read_bytes() == b"old"
    assert left(folder) == [name]


def test_raw_takes_any_content_but_none(state: State, folder: Path) -> None:
    path = str(folder / "a.json")
    assert state("write", path, "--raw", stdin=b"\xff\0").code == 0
    assert (folder / "a.json").read_bytes() == b"\xff\0"
    assert state("write", path, "--raw").code == 4
    assert (folder / "a.json").read_bytes() == b"\xff\0"


def test_an_empty_file_is_written_only_on_purpose(state: State, folder: Path) -> None:
    assert state("write", str(folder / "a.json"), "--allow-empty").code == 0
    assert (folder / "a.json").read_bytes() == b""


def test_only_the_expected_content_is_replaced(state: State, folder: Path) -> None:
    path = folder / "a.json"
    known = hashlib.sha256(NEW).hexdigest()
    assert state("write", str(path), "--expect", "absent", stdin=NEW).code == 0
    done = state("write", str(path), "--expect", "absent", stdin=b"[]")
    assert (done.code, path.read_bytes()) == (4, NEW)
    assert "present" in done.err
    done = state("write", str(path), "--expect", "0" * 64, stdin=b"[]")
    assert (done.code, path.read_bytes()) == (4, NEW)
    assert known in done.err
    assert state("write", str(path), "--expect", f"sha256:{known.upper()}", stdin=b"[]").code == 0
    assert path.read_bytes() == b"[]"


@pytest.mark.parametrize("expect", ["", "abc", "present", "g" * 64])
def test_what_is_no_version_is_wrong_use(state: State, folder: Path, expect: str) -> None:
    done = state("write", str(folder / "a.json"), "--expect", expect, stdin=NEW)
    assert done.code == 2
    assert left(folder) == []


def test_a_dry_run_shows_the_difference_and_changes_nothing(state: State, folder: Path) -> None:
    path = folder / "a.md"
    path.write_text("one\ntwo\n")
    before = path.stat()
    done = state("write", str(path), "--dry-run", stdin="one\nthree")

    assert done.code == 0
    assert done.lines == [
        f"--- {path}",
        f"+++ {path}",
        "@@ -1,2 +1,2 @@",
        " one",
        "-two",
        "+three",
        "\\ No newline at end of file",
    ]
    assert (path.read_text(), path.stat().st_mtime_ns) == ("one\ntwo\n", before.st_mtime_ns)
    assert os.listdir(folder) == ["a.md"]


def test_a_dry_run_refuses_what_the_write_would_refuse(state: State, folder: Path) -> None:
    path = str(folder / "x" / "a.json")
    assert state("write", path, "--dry-run", stdin=b"{").code == 4
    assert state("write", path, "--dry-run", "--expect", "0" * 64, stdin=NEW).code == 4
    done = state("write", path, "--dry-run", "--expect", "absent", stdin=NEW)
    assert (done.code, done.lines[0]) == (0, "--- /dev/null")
    assert os.listdir(folder) == []


def test_backups_are_kept(state: State, folder: Path) -> None:
    for number in range(4):
        state("write", str(folder / "a.json"), "--backups", "2", stdin=str(number))
    assert left(folder) == ["a.json", "a.json.~1~", "a.json.~2~"]
    assert (folder / "a.json.~1~").read_text() == "2"
    assert state("write", str(folder / "a.json"), "--backups", "-1", stdin="9").code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_link_is_followed_or_replaced(state: State, folder: Path) -> None:
    (folder / "real.json").write_bytes(b"{}")
    (folder / "link.json").symlink_to("real.json")
    assert state("write", str(folder / "link.json"), stdin=NEW).code == 0
    assert (folder / "real.json").read_bytes() == NEW
    assert (folder / "link.json").is_symlink()

    assert state("write", str(folder / "link.json"), "--no-follow", stdin=b"[]").code == 0
    assert (folder / "real.json").read_bytes() == NEW
    assert not (folder / "link.json").is_symlink()


@pytest.mark.skipif(sys.platform == "win32", reason="no hard links kept there")
def test_what_is_lost_is_a_warning(state: State, folder: Path) -> None:
    (folder / "a.json").write_bytes(b"{}")
    os.link(folder / "a.json", folder / "other.json")
    done = state("write", str(folder / "a.json"), stdin=NEW)
    assert done.code == 0
    assert done.err == (
        f"holdfast: warning: {folder / 'a.json'} could not keep its other hard links, "
        "which go on holding the old content\n"
    )


@pytest.mark.parametrize("name", ["", "sub", "sub/", "."])
def test_a_folder_is_no_file(state: State, folder: Path, name: str) -> None:
    (folder / "sub").mkdir()
    done = state("write", f"{folder}/{name}", stdin=NEW)
    assert done.code in (2, 7)
    assert len(done.err.splitlines()) == 1
    assert os.listdir(folder) == ["sub"]
    assert os.listdir(folder / "sub") == []


def test_no_folder_is_made_for_what_is_no_file(state: State, folder: Path) -> None:
    assert state("write", f"{folder}/new/", stdin=NEW).code == 2
    assert os.listdir(folder) == []


def test_a_pipe_is_no_file(state: State, folder: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("no FIFOs in folders there")
    os.mkfifo(folder / "a.json")
    for words in ((), ("--dry-run",)):
        done = state("write", str(folder / "a.json"), *words, stdin=NEW)
        assert done.code == 7
        assert len(done.err.splitlines()) == 1


def test_a_lock_that_is_not_free_in_time_is_refused(
    state: State, folder: Path, hold_elsewhere: Callable[[Path], int]
) -> None:
    pid = hold_elsewhere(folder / "a.json")
    done = state("write", str(folder / "a.json"), "--timeout", "50ms", stdin=NEW)
    assert done.code == 4
    assert str(pid) in done.err
    assert left(folder) == []


def test_a_write_inside_the_own_lock_enters_it(state: State, folder: Path) -> None:
    with locked(folder / "a.json"):
        assert state("write", str(folder / "a.json"), "--timeout", "0s", stdin=NEW).code == 0


@pytest.mark.parametrize("level", [one.value for one in Durability])
def test_every_level_of_durability_can_be_asked_for(
    state: State, folder: Path, level: str
) -> None:
    done = state("write", str(folder / "a.json"), "--durability", level, "--json", stdin=NEW)
    assert done.json["durability"]["requested"] == level


@pytest.mark.parametrize(
    "name", [".a.json.lock", ".txn-0123456789abcdef.json", f".a.json.1.0.{'0' * 16}.tmp"]
)
def test_names_that_mean_something_to_state_files_are_refused(
    state: "State", folder: Path, name: str
) -> None:
    done = state("write", str(folder / name), stdin=b"{}")
    assert done.code == 2
    assert not (folder / name).exists()
