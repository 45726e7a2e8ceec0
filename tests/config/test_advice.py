"""What is valid and will still not work on this machine."""

import os
import sys
from pathlib import Path

import pytest

from holdfast.config.advice import advice
from holdfast.config.load import load


def told(folder: Path, text: str) -> list[str]:
    path = folder / "holdfast.toml"
    path.write_text(text)
    environ = {"PATH": str(folder / "bin"), "HOME": str(folder)}
    found = advice(load(path, environ), environ)
    return [str(problem).replace(f"{folder}{os.sep}", "") for problem in found]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    program = tmp_path / "bin" / "prog"
    program.parent.mkdir()
    program.write_text("")
    program.chmod(0o755)
    return tmp_path


def test_a_good_configuration_gets_no_advice(folder: Path) -> None:
    text = '[service.a]\ncommand = "bin/prog"\n[startup]\nsteps = [{ name = "s", command = ["bin/prog"] }]\n'

    assert told(folder, text) == []


@pytest.mark.skipif(sys.platform == "win32", reason="programs and users are of another kind there")
@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            'command = "prg"',
            "the program prg is not on the PATH; name it with its folder, or install it",
        ),
        ('command = "bin/prg"', "bin/prg does not exist or cannot be executed"),
        (
            'command = "prog"\ncwd = "none"',
            "the folder none does not exist; create it, or correct the path",
        ),
        (
            'command = "prog"\nenv_file = ".env"',
            "env_file .env does not exist; create it, or remove the key",
        ),
        (
            'command = "prog"\nuser = "no-such-user"',
            "there is no user no-such-user on this machine",
        ),
        (
            'command = "prog | tee log"',
            "`|` is passed to the program as a word: no shell runs the command; "
            'name a shell if you want one: ["sh", "-c", "..."]',
        ),
        (
            'command = "prog"\nrestart = { limit = "60/1h" }',
            "the limit of 60 restarts in 1h is never reached: restarts are 1m apart; lower min_gap or the limit",
        ),
        (
            'command = "prog"\nrestart = { delay = "2m" }',
            "delay (2m) is longer than max_delay (1m); max_delay holds",
        ),
    ],
)
def test_what_will_not_work_is_told_with_its_place(folder: Path, keys: str, expected: str) -> None:
    assert told(folder, f"[service.a]\n{keys}\n") == [f"holdfast.toml:1: service.a: {expected}"]


def test_a_limit_that_can_be_reached_is_not_mentioned(folder: Path) -> None:
    restart = 'restart = { limit = "59/1h", min_gap = "1m" }'

    assert told(folder, f'[service.a]\ncommand = "bin/prog"\n{restart}\n') == []


def test_a_program_is_looked_for_on_the_path_of_its_service(folder: Path) -> None:
    text = '[service.a]\ncommand = "prog"\nenv = { PATH = "/nowhere" }\n'

    (found,) = told(folder, text)

    assert "the program prog is not on the PATH" in found


def test_needs_that_are_not_enabled_and_missing_projects_are_told(folder: Path) -> None:
    text = (
        '[service.a]\ncommand = "bin/prog"\nneeds = ["b"]\n'
        '[service.b]\ncommand = "bin/prog"\nenabled = false\n[backup.n]\npath = "notes"\n'
    )

    assert told(folder, text) == [
        "holdfast.toml:1: service.a: needs b, which is not enabled; it will wait for ever",
        "holdfast.toml:7: backup.n: the folder notes does not exist; create it, or correct the path",
    ]
