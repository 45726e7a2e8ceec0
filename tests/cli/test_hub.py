"""`holdfast hub`: the database, with no hub running."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from holdfast.cli import hub
from holdfast.home import Home

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Done


def test_migrating_makes_the_tables_once(run: "Callable[..., Done]", home: Home) -> None:
    first, second = run("hub", "migrate"), run("hub", "migrate", "--json")

    assert (first.code, first.lines[0]) == (0, "applied 0001_access")
    assert (second.code, second.json) == (0, {"applied": []})
    assert run("hub", "migrate").lines == ["the tables are up to date"]


def test_a_database_of_a_newer_version_is_refused_in_words(
    run: "Callable[..., Done]", home: Home
) -> None:
    run("hub", "migrate")
    with closing(sqlite3.connect(home.hub_db)) as database:
        database.execute("INSERT INTO migrations VALUES ('9999_later', 'x', 0)")
        database.commit()

    refused = run("hub", "migrate")

    assert (refused.code, refused.out) == (7, "")
    assert "made by a newer Holdfast: it has 9999_later" in refused.err


def test_a_copy_can_be_put_anywhere(
    run: "Callable[..., Done]", home: Home, tmp_path: "Path"
) -> None:
    run("token", "create", "ci", "--scope", "ping")
    target = tmp_path / "copy.db"

    done = run("hub", "backup", str(target), "--json")

    assert done.json == {"path": str(target), "bytes": target.stat().st_size}
    with closing(sqlite3.connect(target)) as copied:
        assert copied.execute("SELECT name FROM tokens").fetchall() == [("ci",)]


def test_a_copy_into_a_folder_that_is_missing_is_refused(
    run: "Callable[..., Done]", home: Home, tmp_path: "Path"
) -> None:
    run("hub", "migrate")

    refused = run("hub", "backup", str(tmp_path / "missing" / "copy.db"))

    assert refused.code == 7
    assert "is no folder" in refused.err


def test_serving_becomes_the_program_of_the_hub(home: Home) -> None:
    assert hub.PROGRAM[1:] == ("-P", "-m", "holdfast.assemble", "hub")
    program = (
        "import argparse, sys; from holdfast.cli import hub; "
        "hub.PROGRAM = (sys.executable, '-c', 'print(3); raise SystemExit(5)'); "
        "sys.exit(hub.run(argparse.Namespace(verb='serve')))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (5, "3\n")
