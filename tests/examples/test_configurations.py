"""The configurations of the examples are valid, and name programs that exist."""

import sys
from pathlib import Path

import pytest

from holdfast.config.load import load
from holdfast.config.settings import Settings
from holdfast.model.spec import Condition


def settings_of(folder: Path, **environment: str) -> Settings:
    return load(folder / "holdfast.toml", {"HOLDFAST_PYTHON": sys.executable, **environment})


@pytest.mark.parametrize("name", ["memory-daemons", "web-stack"])
def test_every_command_is_this_python_and_a_program_that_exists(examples: Path, name: str) -> None:
    settings = settings_of(examples / name)

    assert settings.services
    for service in settings.services:
        python, program = service.command
        assert python == sys.executable
        assert (Path(service.cwd) / program).is_file()


def test_the_memory_example_has_the_eight_daemons(examples: Path) -> None:
    settings = settings_of(examples / "memory-daemons")

    assert {service.name for service in settings.services} == {
        "context",
        "session-auto-save",
        "preference-auto-tracker",
        "skill-auto-suggester",
        "commit",
        "session-pruning",
        "pattern-detection",
        "failure-prevention",
    }


def test_the_memory_example_configures_the_steps_that_make_ten_with_the_built_in_ones(
    examples: Path,
) -> None:
    settings = settings_of(examples / "memory-daemons")

    assert [(step.name, step.at.value) for step in settings.steps] == [
        ("Initialize context optimization", "before"),
        ("Load session state", "before"),
        ("Migrate local configuration", "before"),
        ("Register skills", "before"),
        ("Check incomplete work", "before"),
        ("Load project context", "after"),
    ]
    for step in settings.steps:
        _, flag, module = step.command
        assert flag == "-m"
        assert (examples / "memory-daemons" / f"{module.replace('.', '/')}.py").is_file()


def test_the_web_stack_starts_from_the_database_upwards(examples: Path) -> None:
    settings = settings_of(examples / "web-stack")

    needs = {service.name: service.needs for service in settings.services}
    assert [need.name for need in needs["worker"]] == ["api"]
    assert [need.name for need in needs["api"]] == ["db"]
    assert needs["db"] == ()
    assert {need.condition for all_ in needs.values() for need in all_} == {Condition.READY}


def test_the_ports_of_the_web_stack_come_from_the_environment(examples: Path) -> None:
    settings = settings_of(examples / "web-stack", DB_PORT="9901", API_PORT="9902")

    services = {service.name: service for service in settings.services}
    assert services["db"].env["DB_PORT"] == services["api"].env["DB_PORT"] == "9901"
    assert services["api"].env["API_PORT"] == services["worker"].env["API_PORT"] == "9902"
    assert services["db"].ready is not None
    assert services["db"].ready.target == ("127.0.0.1:9901",)
    assert services["api"].ready is not None
    assert services["api"].ready.target == ("http://127.0.0.1:9902/healthz",)
