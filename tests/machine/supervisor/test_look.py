"""One look at a service: its record, its process, its pid file; nothing is changed."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.clock import boot_id
from holdfast.home import Home
from holdfast.machine.process.identity import identify
from holdfast.machine.supervisor.look import look, look_from_disk, read_pid, stale_pid_files
from holdfast.machine.supervisor.records import Records
from holdfast.model.service import Actual, Desired, Health, Identity, ServiceState
from holdfast.model.spec import ServiceSpec
from holdfast.statefile import Durability

ME = os.getpid()
GONE = Identity(pid=ME, start_ticks=1, boot_id=boot_id())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    return home


def state(actual: Actual = Actual.RUNNING, process: Identity | None = None) -> ServiceState:
    return ServiceState(name="api", desired=Desired.UP, actual=actual, process=process)


def alive(actual: Actual = Actual.RUNNING) -> ServiceState:
    return state(actual, identify(ME))


def verdict(home: Home, found: ServiceState, pid_file: str | None = None) -> tuple[str, bool]:
    if pid_file is not None:
        home.pid("api").write_text(pid_file, encoding="ascii")
    judged = look(home, found)
    assert judged.name == "api"
    return judged.verdict, judged.is_fault


def test_a_living_process_with_its_pid_file_is_healthy(home: Home) -> None:
    assert verdict(home, alive(), f"{ME}\n") == ("healthy", False)


@pytest.mark.parametrize("actual", list(Actual))
def test_what_a_person_wants_down_is_no_fault_whatever_it_does(home: Home, actual: Actual) -> None:
    found = ServiceState(name="api", desired=Desired.DOWN, actual=actual, process=GONE)
    assert verdict(home, found, "1\n") == ("not_wanted", False)


@pytest.mark.parametrize("text", [None, "", "words"])
def test_a_missing_pid_file_is_told_and_no_fault(home: Home, text: str | None) -> None:
    assert verdict(home, alive(), text) == ("no_pid_file", False)


def test_a_wrong_pid_file_is_told_and_no_fault(home: Home) -> None:
    assert verdict(home, alive(), "1\n") == ("wrong_pid_file", False)


def test_a_process_that_is_another_now_is_stale(home: Home) -> None:
    assert verdict(home, state(process=GONE), f"{ME}\n") == ("stale_pid", True)


def test_a_pid_file_without_a_process_is_stale(home: Home) -> None:
    assert verdict(home, state(Actual.BACKOFF), f"{ME}\n") == ("stale_pid", True)


@pytest.mark.parametrize("actual", [Actual.STARTING, Actual.STOPPING])
def test_what_is_on_its_way_is_not_there_yet(home: Home, actual: Actual) -> None:
    assert verdict(home, alive(actual), f"{ME}\n") == (actual.value, True)


@pytest.mark.parametrize("actual", [Actual.BACKOFF, Actual.HELD, Actual.FAILED, Actual.DOWN])
def test_what_is_wanted_and_not_there_is_a_fault_with_its_reason(
    home: Home, actual: Actual
) -> None:
    found = look(home, state(actual))
    assert (found.verdict, found.is_fault, found.why) == (
        actual.value,
        True,
        f"it is {actual.value}",
    )


@pytest.mark.parametrize("pid_file", [None, "4194000\n"])
def test_what_finished_as_wanted_is_healthy_even_before_its_pid_file_is_gone(
    home: Home, pid_file: str | None
) -> None:
    assert verdict(home, state(Actual.DONE), pid_file) == ("healthy", False)


def test_a_pid_file_is_a_number_or_nothing(home: Home) -> None:
    for text, expected in (("42\n", 42), (" 42 ", 42), ("", None), ("x", None), ("4 2", None)):
        home.pid("api").write_text(text, encoding="ascii")
        assert read_pid(home, "api") == expected
    home.pid("api").write_bytes(b"\xff")
    assert read_pid(home, "api") is None
    assert read_pid(home, "nobody") is None


def test_only_pid_files_that_name_nobody_of_ours_are_stale(home: Home) -> None:
    for name, text in {
        "right": str(ME),
        "wrong": "1",
        "ended": str(ME),
        "theirs": str(ME),
        "nobody": "4194000",
        "words": "x",
    }.items():
        home.pid(name).write_text(text, encoding="ascii")
    states = {
        "right": alive(),
        "wrong": alive(),
        "ended": state(Actual.DOWN),
        "no_file": alive(),
    }
    assert stale_pid_files(home, states) == ["ended", "nobody", "words", "wrong"]


def test_the_files_alone_give_the_same_verdicts(home: Home) -> None:
    records = Records(home, boot_id())
    for name, found in {"api": alive(), "b": state(Actual.FAILED)}.items():
        spec = ServiceSpec(name=name, command=("x",), cwd="/")
        named = ServiceState(
            name=name, desired=Desired.UP, actual=found.actual, process=found.process
        )
        records.save(spec, named, Durability.ATOMIC)
    home.pid("api").write_text(f"{ME}\n", encoding="ascii")
    before = sorted(home.root.rglob("*"))
    found_all = look_from_disk(home)
    assert not found_all["healthy"]
    assert [one["verdict"] for one in found_all["findings"]] == ["healthy", "failed"]
    assert sorted(home.root.rglob("*")) == before
    records.forget("b")
    assert look_from_disk(home)["healthy"]


@pytest.mark.parametrize("health", [Health.DEGRADED, Health.BAD])
def test_what_runs_and_is_not_well_is_a_fault_with_its_reason(home: Home, health: Health) -> None:
    finding = look(home, replace(alive(), health=health, failure="no beat for 50 s"))
    assert (finding.verdict, finding.why, finding.is_fault) == (
        health.value,
        "no beat for 50 s",
        True,
    )
