import os
from pathlib import Path

import pytest

from holdfast.cli.state.nested import VARIABLE, NestedOps, operations, told_of
from holdfast.errors import LockTimeout
from holdfast.statefile import StateFile, locked
from holdfast.statefile.place import open_place
from holdfast.statefile.system.this import SYSTEM


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.json"
    path.write_text('{"n": 1}\n')
    return path


def told(path: Path) -> str:
    with open_place(path, follow=True, ops=SYSTEM) as place:
        return told_of(place)


def test_outside_a_lock_the_system_is_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert operations() is SYSTEM


def test_a_lock_held_for_this_command_counts_as_taken(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with locked(file):
        monkeypatch.setenv(VARIABLE, told(file))
    holder = os.open(file.parent / ".a.json.lock", os.O_RDWR)
    assert SYSTEM.lock(holder)
    try:
        StateFile(file, wait_for=0, ops=operations()).set("n", 2)
    finally:
        os.close(holder)
    assert file.read_text() == '{"n": 2}\n'


def test_the_lock_of_another_file_is_waited_for(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = file.with_name("b.json")
    other.write_text("{}")
    with locked(file), locked(other):
        monkeypatch.setenv(VARIABLE, told(file))
    holder = os.open(file.parent / ".b.json.lock", os.O_RDWR)
    assert SYSTEM.lock(holder)
    try:
        with pytest.raises(LockTimeout):
            StateFile(other, wait_for=0, ops=operations()).set("n", 2)
    finally:
        os.close(holder)


def test_a_holder_that_is_gone_holds_nothing(file: Path) -> None:
    with locked(file):
        pass
    holder = os.open(file.parent / ".a.json.lock", os.O_RDWR)
    assert SYSTEM.lock(holder)
    found = os.fstat(holder)
    try:
        gone = NestedOps({(found.st_dev, found.st_ino): 2**22 + 1})
        with pytest.raises(LockTimeout):
            StateFile(file, wait_for=0, ops=gone).set("n", 2)
    finally:
        os.close(holder)


def test_a_lock_inside_a_lock_tells_of_both(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1:2:3")
    with locked(file):
        said = told(file)
    assert said.startswith(f"1:2:3 {os.getpid()}:")


@pytest.mark.parametrize("said", ["", " ", "x", "1:2", "1:2:3:4", "a:b:c", "-1:2:3"])
def test_what_nobody_wrote_means_no_lock(
    file: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setenv(VARIABLE, said)
    StateFile(file, wait_for=0, ops=operations()).set("n", 2)
    assert file.read_text() == '{"n": 2}\n'
