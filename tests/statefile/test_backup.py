"""What a write replaces stays under a name of its own, as often as asked for."""

import errno
import os
import sys
from pathlib import Path

import pytest

from holdfast.statefile.backup import backup_name, backup_number
from holdfast.statefile.system.ops import Folder, Ops
from holdfast.statefile.write import write_atomic

if sys.platform == "win32":
    pytest.skip("the links of POSIX", allow_module_level=True)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def backups(target: Path) -> list[str]:
    found = [backup_number(target.name, name) for name in os.listdir(target.parent)]
    numbers = sorted(number for number in found if number)
    return [target.with_name(backup_name(target.name, number)).read_text() for number in numbers]


def temps(target: Path) -> list[str]:
    return [name for name in os.listdir(target.parent) if name.endswith(".tmp")]


def test_the_youngest_is_number_one_and_the_oldest_goes(target: Path) -> None:
    for number in range(6):
        write_atomic(target, f"{number}", backups=3)

    assert target.read_text() == "5"
    assert backups(target) == ["4", "3", "2"]
    assert temps(target) == []


def test_the_first_write_has_nothing_to_keep(target: Path) -> None:
    assert write_atomic(target, "1", backups=2).lost == ()
    assert backups(target) == []


def test_a_writer_that_died_after_keeping_does_not_make_the_next_keep_twice(target: Path) -> None:
    for text in ("1", "2"):
        write_atomic(target, text, backups=2)
    os.unlink(target.with_name(backup_name(target.name, 1)))
    os.link(target, target.with_name(backup_name(target.name, 1)))

    write_atomic(target, "3", backups=2)

    assert backups(target) == ["2"]


def test_a_gap_is_filled_before_anything_older_moves(target: Path) -> None:
    for number in range(4):
        write_atomic(target, f"{number}", backups=3)
    os.unlink(target.with_name(backup_name(target.name, 2)))

    write_atomic(target, "4", backups=3)

    assert backups(target) == ["3", "2", "0"]


def test_where_there_are_no_hard_links_the_write_goes_on_and_says_so(target: Path) -> None:
    class NoLinks(Ops):
        def link(self, folder: Folder, source: str, target: str) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    write_atomic(target, "1")
    assert write_atomic(target, "2", backups=1, ops=NoLinks()).lost == ("backup",)
    assert target.read_text() == "2"
    assert temps(target) == []


@pytest.mark.parametrize(
    "name", ["state.json", "state.json.~0~", "state.json.~x~", "s.~1~", "~1~"]
)
def test_other_names_are_no_backups(name: str) -> None:
    assert backup_number("state.json", name) is None
