import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Done


def test_it_writes_a_configuration_that_is_found_and_good(
    run: "Callable[..., Done]", tmp_path: Path
) -> None:
    done = run("init")

    assert done.code == 0
    assert done.lines[1:] == ["  holdfast config check", "  holdfast up"]
    assert (tmp_path / "holdfast.toml").stat().st_mode & 0o777 == 0o600
    assert run("config", "check").code == 0


def test_it_names_the_file_in_the_next_commands(run: "Callable[..., Done]") -> None:
    done = run("init", "my own.toml")

    assert done.lines[1:] == [
        "  holdfast config check -c 'my own.toml'",
        "  holdfast up -c 'my own.toml'",
    ]
    assert run("config", "check", "-c", "my own.toml").code == 0


def test_it_never_writes_over_a_file(run: "Callable[..., Done]", tmp_path: Path) -> None:
    (tmp_path / "holdfast.toml").write_text("# mine\n")
    done = run("init")

    assert (done.code, done.out) == (4, "")
    assert "exists already" in done.err
    assert (tmp_path / "holdfast.toml").read_text() == "# mine\n"


def test_a_folder_that_is_not_there_is_refused(run: "Callable[..., Done]") -> None:
    assert run("init", "nowhere/holdfast.toml").code == 4


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="nothing is forbidden to root"
)
def test_a_folder_that_cannot_be_written_is_refused(
    run: "Callable[..., Done]", tmp_path: Path
) -> None:
    (tmp_path / "shut").mkdir(mode=0o500)

    assert run("init", "shut/holdfast.toml").code == 4


def test_it_says_as_json_what_it_wrote(run: "Callable[..., Done]", tmp_path: Path) -> None:
    assert run("init", "--json").json == {
        "file": str(tmp_path / "holdfast.toml"),
        "next": ["holdfast config check", "holdfast up"],
    }


def test_quiet_says_nothing(run: "Callable[..., Done]") -> None:
    assert run("init", "-q").out == ""
