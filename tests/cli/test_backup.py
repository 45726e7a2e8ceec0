"""`holdfast backup` where no supervisor runs; what one does with it is told in the flows."""

import argparse
import json
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdfast import statefile
from holdfast.cli import backup
from holdfast.cli.bar import WIDTH, Bar, line
from holdfast.cli.options.backup import VERBS
from holdfast.cli.options.shared import none
from holdfast.cli.parser import Command, build
from holdfast.config.load import load
from holdfast.errors import HoldfastError
from holdfast.home import Home

if TYPE_CHECKING:
    from tests.cli.conftest import Done

COMMANDS = (
    Command(name="backup", summary="b", run="a:b", examples=(), options=none, verbs=VERBS),
)


def parsed(*words: str) -> argparse.Namespace:
    options = build(COMMANDS).parse_args(words)
    options.verbose = options.verbose or False
    return options


@pytest.fixture
def do(home: Home, capsys: pytest.CaptureFixture[str]) -> "Callable[..., Done]":
    """Run one verb of `backup` inside the test."""
    from dataclasses import make_dataclass

    done = make_dataclass("Done", ["code", "out", "err"])

    def do(*words: str) -> "Done":
        capsys.readouterr()
        refused = ""
        try:
            code = backup.run(parsed("backup", *words))
        except HoldfastError as error:
            code, refused = error.exit_code, str(error)
        said = capsys.readouterr()
        found: Done = done(code, said.out, said.err + refused)
        return found

    return do


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "my notes $HOME"
    folder.mkdir()
    (folder / "a.md").write_text("one", encoding="utf-8")
    return folder


def test_a_project_is_registered_backed_up_and_brought_back(
    tmp_path: Path, notes: Path, do: "Callable[..., Done]"
) -> None:
    added = do("add", "notes", str(notes), "--engine", "copy", "--exclude", "*.tmp")
    assert added.code == 0
    assert added.out == (
        "notes added: holdfast.toml written anew; in force once Holdfast runs: holdfast up\n"
    )
    section = load(tmp_path / "holdfast.toml", {}).backups["notes"]
    assert (section.path, section.exclude) == (str(notes), ("*.tmp",))

    ran = do("run", "notes")
    assert (ran.code, ran.err) == (0, "")
    assert "made snapshot" in ran.out

    (row,) = json.loads(do("list", "--json").out)
    assert (row["name"], row["engine"], row["snapshots"]) == ("notes", "copy", 1)
    assert row["age_s"] < 1000
    assert do("list").out.splitlines()[1].startswith("notes")

    (snapshot,) = json.loads(do("snapshots", "notes", "--json").out)
    assert set(snapshot) == {"id", "at", "files", "bytes", "valid", "why"}
    assert (snapshot["files"], snapshot["valid"], snapshot["why"]) == (1, True, "")

    back = do("restore", "notes", "--snapshot", snapshot["id"][:20], "--to", "back")
    assert back.code == 0
    assert (tmp_path / "back" / "a.md").read_text(encoding="utf-8") == "one"
    assert do("restore", "notes", "--to", "back").code == 4
    assert do("restore", "notes", "--to", "back", "--force").code == 0
    assert do("restore", "notes", "--snapshot", "nonsense", "--to", "x").code == 2

    assert json.loads(do("verify", "notes", "--all", "--json").out)["sound"] is True


def test_a_project_that_is_removed_leaves_its_snapshots(
    home: Home, notes: Path, do: "Callable[..., Done]"
) -> None:
    do("add", "notes", str(notes), "--engine", "copy")
    do("run", "notes")
    removed = do("remove", "notes")
    assert removed.code == 0
    assert "Its snapshots stay" in removed.out
    assert (home.root / "repository" / "holdfast-copy.json").exists()
    assert do("run", "notes").code == 2
    assert json.loads(do("list", "--json").out) == []
    assert do("remove", "notes").code == 2


def test_the_file_of_a_person_is_edited_where_it_stands(
    tmp_path: Path, notes: Path, do: "Callable[..., Done]"
) -> None:
    path = tmp_path / "conf" / "mine.toml"
    path.parent.mkdir()
    path.write_text("# mine\n", encoding="utf-8")
    told = json.loads(
        do("add", "notes", str(notes), "--repository", "r", "-c", str(path), "--json").out
    )
    assert (told["file"], told["new_file"], told["applied"]) == (str(path), False, False)
    assert path.read_text(encoding="utf-8").startswith("# mine\n")
    assert load(path, {}).backups["notes"].repository == str(tmp_path / "r")
    # From now on this home goes by that file.
    assert do("add", "again", str(notes)).code == 0
    assert set(load(path, {}).backups) == {"notes", "again"}


def test_what_is_wrong_changes_nothing(
    tmp_path: Path, notes: Path, do: "Callable[..., Done]"
) -> None:
    assert "is not a folder" in do("add", "notes", "nowhere").err
    assert do("add", "Notes!", str(notes)).code == 2
    assert do("add", "notes", str(notes), "--schedule", "sometimes").code == 2
    assert do("add", "notes", str(notes), "-c", "no-such.toml").code == 2
    assert not (tmp_path / "holdfast.toml").exists()
    do("add", "notes", str(notes))
    text = (tmp_path / "holdfast.toml").read_text(encoding="utf-8")
    assert do("add", "notes", str(notes)).code == 4
    assert (tmp_path / "holdfast.toml").read_text(encoding="utf-8") == text


def test_a_failed_run_ends_with_one_and_the_list_says_why(
    notes: Path, do: "Callable[..., Done]"
) -> None:
    do("add", "notes", str(notes), "--engine", "copy")
    notes.rename(notes.with_name("gone"))
    failed = do("run", "notes")
    assert failed.code == 1
    assert "my notes" in failed.err
    assert "is not there" in do("list").out
    assert do("verify", "notes").code == 1


def test_a_restore_of_what_nobody_can_look_at_says_why(
    notes: Path, tmp_path: Path, do: "Callable[..., Done]"
) -> None:
    do("add", "notes", str(notes), "--engine", "copy", "--repository", str(tmp_path / "r"))
    assert "has no snapshot" in do("restore", "notes", "--to", "x").err
    for part in ("config", "keys", "data"):
        (tmp_path / "r" / part).mkdir(parents=True)
    refused = do("restore", "notes", "--to", "x")
    assert (refused.code, "is a repository of restic" in refused.err) == (4, True)


def test_the_bar_never_reaches_the_edge_and_gives_way_to_what_is_said(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if sys.platform == "win32":
        pytest.skip("a terminal of POSIX")
    import fcntl
    import termios

    near, far = os.openpty()
    fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    with os.fdopen(near, "rb", buffering=0) as screen, os.fdopen(far, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        bar = Bar(home, "notes", is_wanted=True)
        bar.show({"phase": "save", "percent": 50.0, "files": 123456, "bytes": 2_000_000})
        bar.say("made a snapshot")
        drawn = screen.read(4096).decode()
    assert max(map(len, drawn.split("\r"))) == 39
    assert drawn.endswith("\r" + " " * 39 + "\r")
    assert capsys.readouterr().out == "made a snapshot\n"


def test_the_severity_is_the_one_the_hub_wrote_down(
    home: Home, notes: Path, do: "Callable[..., Done]"
) -> None:
    do("add", "notes", str(notes))
    statefile.write_json(home.checks_summary, [{"name": "notes", "severity": "warning"}])
    assert json.loads(do("list", "--json").out)[0]["severity"] == "warning"
    assert do("list").out.rstrip().endswith("warning")


def test_nothing_registered_is_said(do: "Callable[..., Done]") -> None:
    assert "backup add NAME PATH" in do("list").out
    assert do("snapshots", "notes").code == 2
    assert do("restore", "notes", "--to", "x").code == 2


def test_a_repository_far_away_is_taken_as_it_stands(
    tmp_path: Path, notes: Path, do: "Callable[..., Done]"
) -> None:
    do("add", "notes", str(notes), "--repository", "sftp:ann@host:/b")
    section = load(tmp_path / "holdfast.toml", {}).backups["notes"]
    assert section.repository == "sftp:ann@host:/b"


def test_every_verb_takes_json_behind_it() -> None:
    more = {"add": ("notes", "."), "list": (), "restore": ("notes", "--to", "x")}
    for verb in VERBS:
        words = more.get(verb.name, ("notes",))
        assert parsed("backup", verb.name, *words, "--json").json is True


def test_the_bar_tells_how_far_it_is() -> None:
    facts = {"phase": "save", "percent": 50.0, "files": 3, "bytes": 2_000_000, "eta_s": 90.0}
    shown = line("notes", facts)
    assert shown == (
        f"notes: save  [{'#' * (WIDTH // 2)}{'.' * (WIDTH // 2)}]  50%  3 files  2 MB  1m 30s left"
    )
    assert line("notes", {"phase": "scan", "percent": None}) == "notes: scan  0 files"
