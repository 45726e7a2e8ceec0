"""The notebook is backed up and exported, and whoever reads its file hears when that fails and when it is over."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.config.hub import checks_of
from holdfast.config.load import load

if sys.platform == "win32":
    pytest.skip("the services of POSIX", allow_module_level=True)

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def folder(examples: Path) -> Path:
    return examples / "notebook"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return the notebook of a home of its own, without a note."""
    place = tmp_path / "notebook"
    (place / "notes").mkdir(parents=True)
    return place


def port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def told_of_export(place: Path) -> list[str]:
    """Return the kinds of the messages that name the export, oldest first."""
    file = place / "told.jsonl"
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    return [said["kind"] for said in map(json.loads, lines) if "export" in said["checks"]]


def test_the_export_holds_every_note_and_is_only_made_of_notes(place: Path, start: Start) -> None:
    home = str(place.parent)
    empty = start("export.py", HOME=home)
    said, _ = empty.communicate()
    assert (empty.returncode, said) == (1, f"no notes in {place / 'notes'}\n")

    (place / "notes" / "today.md").write_text("Buy bread\n")
    (place / "notes" / "later.md").write_text("Sleep\n")
    full = start("export.py", HOME=home)
    said, _ = full.communicate()
    assert (full.returncode, said) == (0, "notes exported: 2\n")
    assert (place / "export.md").read_text() == "# later\n\nSleep\n\n# today\n\nBuy bread\n"


def test_everything_in_it_has_a_check(folder: Path, tmp_path: Path) -> None:
    known = {"HOLDFAST_PYTHON": sys.executable, "HOME": str(tmp_path)}
    settings = load(folder / "holdfast.toml", known)

    kinds = {check.name: check.kind.value for check in checks_of(settings)}
    assert kinds == {"notes": "backup", "export": "job", "exported": "file", "reviewed": "ping"}
    assert settings.jobs["export"].command == (sys.executable, "export.py")
    assert settings.channels["book"].url == f"file://{tmp_path}/notebook/told.jsonl"


def test_its_notes_are_backed_up_and_a_failed_export_is_told_until_it_is_over(
    machine: Any, folder: Path, eventually: Callable[[Callable[[], object]], None]
) -> None:
    place = machine.root / "notebook"
    (place / "notes").mkdir(parents=True)
    (place / "notes" / "todo.txt").write_text("Write a note\n")
    machine.env["HUB_PORT"] = port()
    machine.has_hub = True
    machine.holdfast("up", "-c", str(folder / "holdfast.toml"))

    machine.holdfast("job", "run", "export", expect=1)
    eventually(lambda: told_of_export(place) == ["open"])
    (place / "notes" / "today.md").write_text("Buy bread\n")
    machine.holdfast("job", "run", "export")
    machine.holdfast("backup", "run", "notes")
    eventually(lambda: told_of_export(place) == ["open", "resolve"])

    machine.holdfast("backup", "restore", "notes", "--to", str(place / "again"))
    assert (place / "again" / "today.md").read_text() == "Buy bread\n"
    [notes] = json.loads(machine.holdfast("checks", "notes", "--json").stdout)
    assert notes["last_success_at"] is not None
