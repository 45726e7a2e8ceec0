"""A survey gathers everything recovery decides upon, and changes nothing."""

import os
import sys
from pathlib import Path

import pytest

from holdfast.statefile.lock import Sidecar, locked, write_mark
from holdfast.statefile.place import open_place
from holdfast.statefile.recovery.choose import Case
from holdfast.statefile.recovery.judge import State
from holdfast.statefile.recovery.survey import Survey, survey
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.temp import checksum, temp_name

if sys.platform == "win32":
    pytest.skip("the files and links of POSIX", allow_module_level=True)


def look(target: Path, *, foreign: bool = False) -> Survey:
    with open_place(target, follow=True, ops=Ops()) as place:
        return survey(place, 2e9, locked_by_us=False, foreign=foreign)


def test_what_is_dead_depends_on_whether_foreign_temps_count(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    target.write_text("{")
    ours = temp_name("state.json", 2, checksum(b"{}"), "1" * 16)
    for name, content in {ours: "{}", "state.json.tmp": "[]", "state.json.part": "["}.items():
        (tmp_path / name).write_text(content)

    spared, all_of_them = look(target), look(target, foreign=True)

    assert spared.dead == {ours: 2}
    assert spared.strangers == ()
    assert all_of_them.dead == {ours: 2, "state.json.tmp": 2, "state.json.part": 1}
    assert [one.name for one in all_of_them.strangers] == ["state.json.tmp"]
    found = all_of_them
    assert found.case == Case(State.INVALID, found.temps, (), found.strangers, None)


def test_only_a_writer_stamps_a_file(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    assert look(target).stamp_ns is None

    with open_place(target, follow=True, ops=Ops()) as place, Sidecar(place, stamp=False):
        pass
    assert look(target).stamp_ns is None

    with locked(target):
        pass
    assert look(target).stamp_ns == (tmp_path / ".state.json.lock").stat().st_mtime_ns


def test_a_mark_without_a_journal_is_a_transaction_that_never_began(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    with locked(target), open_place(target, follow=True, ops=Ops()) as place:
        write_mark(place, "a" * 16)

    assert look(target).unbegun == "a" * 16

    (tmp_path / f".txn-{'a' * 16}.json").write_text('{"changes": []}')
    assert look(target).unbegun is None
    assert len(os.listdir(tmp_path)) == 2
