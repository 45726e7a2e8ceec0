"""A state file is read, changed and written under its lock, whole or not at all."""

import hashlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.errors import Conflict, Corrupt, InvalidContent, LockTimeout, UsageError
from holdfast.statefile import Durability, Kind, StateFile, locked
from holdfast.statefile.system.ops import Folder, Ops

if sys.platform == "win32":
    pytest.skip("the files of POSIX", allow_module_level=True)

TEXT = "# Plan\n\nStatus: open\n\n## Blockers\n\nnone\n\n## Notes\n\nlong\n"


@pytest.fixture
def document(tmp_path: Path) -> StateFile:
    path = tmp_path / "state.json"
    path.write_text('{\n  "n": 1,\n  "list": [1.10],\n  "deep": {"a": null}\n}\n')
    return StateFile(path)


@pytest.fixture
def page(tmp_path: Path) -> StateFile:
    path = tmp_path / "STATE.md"
    path.write_text(TEXT)
    return StateFile(path)


def text(state: StateFile) -> str:
    return Path(state.path).read_text()


def test_a_new_file_is_written_and_read(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "new.json")
    assert state.version() == "absent"

    result = state.write({"a": [1, "ü"]})

    assert state.read() == {"a": [1, "ü"]}
    assert result.sha256 == state.version() == hashlib.sha256(text(state).encode()).hexdigest()


def test_a_text_is_written_and_read(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "NOTES.md")
    state.write("one\r\ntwo")
    assert state.read() == "one\r\ntwo"


def test_every_change_keeps_what_it_does_not_touch(document: StateFile) -> None:
    document.set("/n", 2)
    document.append("list", 3)
    document.delete("deep.a")
    document.merge({"deep": {"b": {"c": 1}}})
    document.update(lambda old: {**old, "n": old["n"] + 1})

    assert document.read() == {"n": 3, "list": [1.1, 3], "deep": {"b": {"c": 1}}}
    assert '\n  "n": 3,\n' in text(document)
    assert "1.10" in text(document)


def test_a_filter_replaces_the_document_by_its_one_value(document: StateFile) -> None:
    document.jq(".n += $by | .by = $name", args={"by": 4, "name": 'a "b" $HOME'})

    assert document.read()["n"] == 5
    assert document.read()["by"] == 'a "b" $HOME'
    assert "1.10" in text(document)


@pytest.mark.parametrize("program", [".n +", "empty", ".n, .n", "error(1)", ".n", "$missing"])
def test_a_filter_that_fails_changes_no_byte(document: StateFile, program: str) -> None:
    before = text(document)
    with pytest.raises(InvalidContent, match=r"state\.json"):
        document.jq(program)
    assert text(document) == before


def test_only_the_key_or_the_section_of_a_text_changes(page: StateFile) -> None:
    page.set_key("Status", "done & /over\\1")
    page.set_section("Blockers", "one\n", mode="append")

    changed = TEXT.replace("Status: open", "Status: done & /over\\1").replace(
        "none\n", "none\none\n"
    )
    assert text(page).replace("\n\none", "\none") == changed


@pytest.mark.parametrize(
    "change", [lambda s: s.set_key("Missing", "x"), lambda s: s.set_section("Missing", "x")]
)
def test_what_matches_nothing_is_refused(page: StateFile, change: object) -> None:
    assert callable(change)
    with pytest.raises(InvalidContent, match="Missing"):
        change(page)
    assert text(page) == TEXT


def test_what_changes_nothing_writes_nothing(document: StateFile, page: StateFile) -> None:
    before = Path(document.path).stat().st_ino
    assert not document.set("n", 1).written
    assert not page.set_key("Status", "open").written
    assert Path(document.path).stat().st_ino == before


def test_a_dry_run_tells_what_would_stand_there(document: StateFile) -> None:
    before = text(document)
    result = document.set("n", 9, dry_run=True)
    assert not result.written
    assert json.loads(result.content)["n"] == 9
    assert text(document) == before


def test_who_read_an_older_version_is_refused(document: StateFile) -> None:
    known = document.version()
    document.set("n", 2, expect=known)
    with pytest.raises(Conflict, match="read it again"):
        document.set("n", 3, expect=known)
    assert document.read()["n"] == 2


def test_a_file_that_is_not_what_it_should_be_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text('{"n": ')
    state = StateFile(path)

    for act in (state.read, lambda: state.set("n", 1), lambda: state.jq(".")):
        with pytest.raises(Corrupt, match="recover"):
            act()
    assert path.read_text() == '{"n": '
    state.write({"n": 1})
    assert state.read() == {"n": 1}


def test_bytes_that_are_no_text_are_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "STATE.md"
    path.write_bytes(b"Status: \xff\n")
    with pytest.raises(Corrupt, match="byte 8"):
        StateFile(path).set_key("Status", "x")


@pytest.mark.parametrize("value", ["", "\0"])
def test_no_text_file_becomes_empty_or_full_of_nothing(page: StateFile, value: str) -> None:
    with pytest.raises(InvalidContent):
        page.write(value)
    assert text(page) == TEXT


@pytest.mark.parametrize("value", [{1}, float("nan"), b"x", "\ud800"])
def test_a_value_without_a_json_form_is_refused(document: StateFile, value: object) -> None:
    before = text(document)
    with pytest.raises(InvalidContent):
        document.set("n", value)
    assert text(document) == before


def test_an_error_of_the_function_is_the_callers(document: StateFile) -> None:
    before = text(document)
    with pytest.raises(ZeroDivisionError):
        document.update(lambda old: old["n"] // 0)
    assert text(document) == before


def test_a_missing_file_needs_an_initial_value(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "count.json")
    with pytest.raises(FileNotFoundError):
        state.update(lambda old: old + 1)

    state.update(lambda old: old + 1, initial=0)
    state.update(lambda old: old + 1, initial=0)

    assert state.read() == 2
    notes = StateFile(tmp_path / "log.txt")
    notes.update(lambda old: old + "line\n", initial="")
    assert notes.read() == "line\n"


def test_changes_of_another_kind_are_a_wrong_use(document: StateFile, page: StateFile) -> None:
    with pytest.raises(UsageError, match="kind"):
        document.set_key("n", "1")
    with pytest.raises(UsageError, match="kind"):
        page.jq(".")
    named = StateFile(page.path.replace("STATE.md", "state"), kind=Kind.JSON)
    named.write([1])
    named.append("", 2)
    assert named.read() == [1, 2]


def test_every_write_keeps_the_versions_it_is_told_to(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "s.json", backups=1, durability=Durability.ATOMIC)
    for number in range(3):
        assert state.write(number).achieved is Durability.ATOMIC
    assert json.loads((tmp_path / "s.json.~1~").read_text()) == 1


def test_the_lock_is_held_from_reading_to_writing(document: StateFile) -> None:
    refused = []

    def meanwhile(old: dict[str, int]) -> dict[str, int]:
        def enter() -> None:
            try:
                with locked(document.path, 0.01):
                    pass
            except LockTimeout:
                refused.append(True)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        return old | {"n": 7}

    document.update(meanwhile)
    assert refused == [True]
    assert document.read()["n"] == 7


def test_a_link_is_written_through(document: StateFile, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(document.path)
    StateFile(link).set("n", 5)
    assert link.is_symlink()
    assert document.read()["n"] == 5


def test_what_is_equal_is_still_made_as_durable_as_asked(tmp_path: Path) -> None:
    class Syncing(Ops):
        def __init__(self) -> None:
            super().__init__()
            self.synced: list[str] = []

        def sync_file(self, fd: int) -> bool:
            self.synced.append("file")
            return super().sync_file(fd)

        def sync_folder(self, folder: Folder) -> bool:
            self.synced.append("folder")
            return super().sync_folder(folder)

    StateFile(tmp_path / "s.json", durability=Durability.ATOMIC).write({"n": 1})
    ops = Syncing()
    result = StateFile(tmp_path / "s.json", ops=ops).set("n", 1)

    assert (result.written, result.achieved) == (False, Durability.FULL)
    assert ops.synced == ["file", "folder"]


def test_a_dry_run_leaves_no_trace(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text("{}")
    StateFile(tmp_path / "s.json").set("n", 1, dry_run=True)
    assert [path.name for path in tmp_path.iterdir()] == ["s.json"]


def test_a_write_inside_the_change_itself_is_not_overwritten(document: StateFile) -> None:
    def change(old: dict[str, int]) -> dict[str, int]:
        document.set("n", 50)
        return old | {"n": 2}

    with pytest.raises(Conflict, match="inside its own change"):
        document.update(change)
    assert document.read()["n"] == 50


def test_a_function_that_forgets_to_return_changes_nothing(document: StateFile) -> None:
    before = text(document)
    with pytest.raises(InvalidContent, match="returned nothing"):
        document.update(lambda old: old.update(n=2))
    assert text(document) == before


def test_what_the_system_refuses_a_function_is_the_callers(document: StateFile) -> None:
    def ask(_old: object) -> object:
        raise ConnectionRefusedError(111, "nobody there")

    with pytest.raises(ConnectionRefusedError, match="nobody there"):
        document.update(ask)


def test_a_forked_child_that_leaves_the_block_does_not_free_the_lock(document: StateFile) -> None:
    def change(old: dict[str, int]) -> dict[str, int]:
        child = os.fork()
        if child == 0:
            raise SystemExit(0)
        assert os.waitpid(child, 0)[1] == 0
        with locked_by_another(document.path) as is_locked:
            assert is_locked
        return old | {"n": 3}

    parent = os.getpid()
    try:
        document.update(change)
    finally:
        if os.getpid() != parent:
            os._exit(0)
    assert document.read()["n"] == 3


@contextmanager
def locked_by_another(path: str) -> Iterator[bool]:
    """Tell whether somebody who is not this thread finds the lock taken."""
    fd = os.open(Path(path).with_name(".state.json.lock"), os.O_RDWR)
    try:
        yield not Ops().lock(fd)
    finally:
        os.close(fd)
