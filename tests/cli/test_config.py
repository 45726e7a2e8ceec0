import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Done

GOOD = """
[machine]
name = "laptop"
[service.api]
command = ["sleep", "1"]
env = { TOKEN = "hush" }
[service.db]
command = ["sleep", "1"]
"""

BAD = """
[service.api]
comand = ["sleep", "1"]
[service.db]
command = ["sleep", "1"]
needs = ["apj"]
stop = { timeout = 5 }
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "holdfast.toml"


def test_a_good_file_is_told_with_what_it_holds(run: "Callable[..., Done]", file: Path) -> None:
    file.write_text(GOOD)
    done = run("config", "check")

    assert (done.code, done.err) == (0, "")
    assert done.lines[-1] == f"ok: {file} (2 services)"


def test_all_problems_are_told_at_once_one_a_line(run: "Callable[..., Done]", file: Path) -> None:
    file.write_text(BAD)
    done = run("config", "check")

    assert (done.code, done.out) == (2, "")
    lines = done.err.splitlines()
    assert len(lines) >= 3
    assert all("holdfast.toml" in line for line in lines)
    assert any("did you mean `command`?" in line for line in lines)


def test_problems_are_told_as_json(run: "Callable[..., Done]", file: Path) -> None:
    file.write_text(BAD)
    done = run("config", "check", "--json")

    assert done.code == 2
    assert (done.json["ok"], done.json["file"]) == (False, str(file))
    assert {"place", "what", "hint"} == set(done.json["problems"][0])
    assert len(done.json["problems"]) >= 3


def test_a_good_file_is_told_as_json(run: "Callable[..., Done]", file: Path) -> None:
    file.write_text(GOOD)

    assert run("config", "check", "--json").json == {
        "ok": True,
        "file": str(file),
        "problems": [],
        "warnings": [],
        "notes": [],
    }


def test_what_will_not_work_here_is_a_warning(run: "Callable[..., Done]", file: Path) -> None:
    file.write_text('[service.api]\ncommand = ["/nowhere/api"]\n')
    done = run("config", "check")

    assert done.code == 0
    assert done.lines[0].startswith("warning: ")
    assert "/nowhere/api does not exist" in done.lines[0]
    assert len(run("config", "check", "--json").json["warnings"]) == 1


def test_what_this_version_does_not_act_on_is_a_note(
    run: "Callable[..., Done]", file: Path
) -> None:
    file.write_text(GOOD + '[agent.builder]\nrole = "builder"\ncommand = "true"\n')
    done = run("config", "check")

    assert done.code == 0
    assert done.lines[0].startswith("note: ")
    assert len(run("config", "check", "--json").json["notes"]) == 1


def test_quiet_says_only_what_is_wrong(run: "Callable[..., Done]", file: Path) -> None:
    file.write_text(GOOD)

    assert (run("config", "check", "-q").out, run("config", "-q", "check").out) == ("", "")


def test_a_missing_file_is_told_with_what_to_do(run: "Callable[..., Done]") -> None:
    for words in (("check",), ("show",), ("check", "-c", "nowhere.toml")):
        done = run("config", *words)
        assert (done.code, done.out) == (2, "")
        assert "holdfast init" in done.err
    assert run("config", "check", "--json").json["ok"] is False


def test_the_interpreter_of_holdfast_may_be_named(run: "Callable[..., Done]", file: Path) -> None:
    file.write_text('[service.api]\ncommand = ["${HOLDFAST_PYTHON}", "api.py"]\n')
    done = run("config", "check")

    assert (done.code, len(done.lines)) == (0, 1)


def test_show_prints_toml_with_defaults_and_without_secrets(
    run: "Callable[..., Done]", file: Path
) -> None:
    file.write_text(GOOD)
    done = run("config", "show")
    found = tomllib.loads(done.out)

    assert (done.code, found["machine"]["name"]) == (0, "laptop")
    assert found["service"]["api"]["restart"]["limit"] == "3/1h"
    assert "hush" not in done.out


def test_show_prints_json(run: "Callable[..., Done]", file: Path) -> None:
    file.write_text(GOOD)
    found = run("config", "show", "--json").json

    assert found["service"]["api"]["command"] == ["sleep", "1"]
    assert "hush" not in json.dumps(found)


def test_show_of_a_bad_file_tells_its_problems(run: "Callable[..., Done]", file: Path) -> None:
    file.write_text(BAD)
    done = run("config", "show")

    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) >= 3


def test_schema_is_a_json_schema_and_needs_no_file(run: "Callable[..., Done]") -> None:
    found = run("config", "schema").json

    assert found["$schema"].startswith("https://json-schema.org/")
    assert "command" in found["$defs"]["Service"]["properties"]


def test_an_action_is_needed(run: "Callable[..., Done]") -> None:
    assert run("config").code == 2
