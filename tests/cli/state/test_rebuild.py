import json
import os
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
    summaries = tmp_path / "work" / "summaries"
    summaries.mkdir(parents=True)
    for plan in ("18-10", "2-01", "18-02"):
        (summaries / f"{plan}-SUMMARY.md").write_text("# Done\n")
    (summaries / "18-01-SUMMARY.md").write_text("---\nstatus: failed\n---\n# No\n")
    return tmp_path / "work"


def test_a_history_is_rebuilt_in_natural_order(state: State, folder: Path) -> None:
    done = state("rebuild", str(folder))
    history = folder / "agent-history.json"
    assert (done.code, done.err) == (0, "")
    assert done.lines == [f"{history} rebuilt from 4 summaries: 4 plans, the latest 18-10"]
    entries = json.loads(history.read_text())["entries"]
    assert [(one["plan"], one["status"]) for one in entries] == [
        ("2-01", "completed"),
        ("18-01", "failed"),
        ("18-02", "completed"),
        ("18-10", "completed"),
    ]


def test_a_dry_run_lists_the_plans_and_writes_nothing(state: State, folder: Path) -> None:
    done = state("rebuild", str(folder), "--dry-run")
    assert done.code == 0
    assert "would be rebuilt" in done.lines[0]
    assert "  18-01  failed" in done.lines
    assert not (folder / "agent-history.json").exists()


def test_a_history_that_can_be_read_is_replaced_only_by_force(state: State, folder: Path) -> None:
    (folder / "agent-history.json").write_text('{"entries": []}')
    assert state("rebuild", str(folder)).code == 4
    assert (folder / "agent-history.json").read_text() == '{"entries": []}'
    assert state("rebuild", str(folder), "--force").code == 0


def test_a_history_that_cannot_is_kept_as_evidence(state: State, folder: Path) -> None:
    (folder / "agent-history.json").write_text("{")
    done = state("rebuild", str(folder))
    assert done.code == 0
    assert "agent-history.json.corrupt-" in done.lines[1]


def test_what_is_pruned_and_passed_over_is_told(state: State, folder: Path) -> None:
    for number in range(50):
        (folder / "summaries" / f"3-{number:02}-SUMMARY.md").write_text("x")
    (folder / "summaries" / "x-SUMMARY.md").mkdir()
    said = state("rebuild", str(folder)).lines
    assert said[1].startswith("  left out, as there is room for 50: 2-01, 3-00, 3-01, 3-02")
    assert said[2] == "  passed over: x-SUMMARY.md, a folder"


def test_nothing_to_rebuild_from_is_no_empty_history(state: State, tmp_path: Path) -> None:
    done = state("rebuild", str(tmp_path))
    assert (done.code, done.out) == (6, "")
    assert not (tmp_path / "agent-history.json").exists()


def test_facts_are_printed_as_json(state: State, folder: Path) -> None:
    done = state("rebuild", str(folder), "--json")
    assert done.json["latest"] == "18-10"
    assert len(done.json["sources"]) == 4


def test_copies_that_may_be_the_history_are_not_rebuilt_over(state: State, folder: Path) -> None:
    (folder / "agent-history.json").write_text("{")
    for at, content in enumerate((b"[1]", b"[2]")):
        name = temp_name("agent-history.json", 3, checksum(content), f"{at:016}")
        (folder / name).write_bytes(content)
        os.utime(folder / name, (1000.0, 1000.0))

    done = state("rebuild", str(folder))

    assert (done.code, done.out) == (4, "")
    assert "--use" in done.err
    assert len([name for name in os.listdir(folder) if name.endswith(".tmp")]) == 2
