from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdfast.cli.checkups.finding import Finding, failure, warning, well
from holdfast.cli.doctor import lines, summary
from holdfast.home import Home
from holdfast.statefile import write_json

if TYPE_CHECKING:
    from tests.cli.conftest import Done
    from tests.conftest import Machine


def graded(done: "Done") -> dict[str, str]:
    return {finding["check"]: finding["grade"] for finding in done.json}


def test_a_machine_that_is_well_fails_nothing(run: "Callable[..., Done]") -> None:
    done = run("doctor", "--json")

    assert done.code == 0
    assert "fail" not in graded(done).values()
    assert set(done.json[0]) == {"check", "grade", "found", "advice"}
    assert {"python", "home", "space", "runtime folder", "supervisor", "clock"} <= set(
        graded(done)
    )


def test_it_changes_nothing(home: Home, run: "Callable[..., Done]") -> None:
    def everything() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in home.root.rglob("*")}

    before = everything()
    run("doctor")

    assert everything() == before


def test_a_home_that_does_not_exist_yet_is_left_so(home: Home, run: "Callable[..., Done]") -> None:
    for folder in sorted(home.root.rglob("*"), reverse=True):
        folder.rmdir()
    home.root.rmdir()

    assert run("doctor").code == 0
    assert not home.root.exists()


def test_a_broken_record_is_a_failure_that_names_the_file(
    home: Home, run: "Callable[..., Done]"
) -> None:
    home.service("api").write_text("{")
    done = run("doctor")

    assert done.code == 1
    assert str(home.service("api")) in done.out
    assert "1 to mend" in done.lines[-1]


def test_a_configuration_that_went_bad_lists_its_problems(
    home: Home, run: "Callable[..., Done]", tmp_path: Path
) -> None:
    file = tmp_path / "holdfast.toml"
    file.write_text('[service.api]\ncomand = "x"\n[service.db]\n')
    write_json(home.config_pointer, {"config": str(file), "machine": "m"})
    done = run("doctor", "--json")

    (found,) = [finding for finding in done.json if finding["check"] == "configuration"]
    assert (done.code, found["grade"]) == (1, "fail")
    assert len(found["found"].splitlines()) >= 2


def test_a_configuration_that_is_good_is_named(
    home: Home, run: "Callable[..., Done]", tmp_path: Path
) -> None:
    file = tmp_path / "holdfast.toml"
    file.write_text('[service.api]\ncommand = ["sleep", "1"]\n')
    write_json(home.config_pointer, {"config": str(file), "machine": "m"})

    assert f"{file} (1 services)" in run("doctor").out


def test_without_a_configuration_nothing_heavy_is_loaded(
    home: Home, loaded: Callable[..., set[str]]
) -> None:
    assert not loaded("doctor") & {"msgspec", "asyncio", "shtab"}


def test_quiet_shows_only_what_is_not_well(home: Home, run: "Callable[..., Done]") -> None:
    home.service("api").write_text("{")

    assert all(not line.startswith("ok") for line in run("doctor", "-q").lines)


def test_a_finding_is_a_line_and_what_to_do_stands_below() -> None:
    shown = list(lines(failure("space", "1 B free\nor less", "make room")))

    assert [line.split() for line in shown] == [
        ["fail", "space", "1", "B", "free"],
        ["or", "less"],
        ["->", "make", "room"],
    ]
    assert len(list(lines(well("space", "85 GB free")))) == 1


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        ([well("a", "b")], "all is well"),
        ([well("a", "b"), warning("a", "b", "c")], "0 to mend, 1 to know"),
        ([failure("a", "b", "c"), warning("a", "b", "c")], "1 to mend, 1 to know"),
    ],
)
def test_the_end_says_how_much_there_is_to_do(findings: list[Finding], said: str) -> None:
    assert summary(findings) == said


def test_a_running_supervisor_is_named(machine: "Machine") -> None:
    machine.config('[service.api]\ncommand = ["sleep", "6001"]\n')
    machine.up()
    pid = machine.supervisor()

    assert f"pid {pid}" in machine.holdfast("doctor").stdout


def test_services_that_nobody_watches_over_are_a_failure(machine: "Machine") -> None:
    machine.config('[service.api]\ncommand = ["sleep", "6001"]\n')
    machine.up()
    machine.kill_both()
    done = machine.holdfast("doctor", expect=1)

    assert "nobody watches over api" in done.stdout
    machine.up()
