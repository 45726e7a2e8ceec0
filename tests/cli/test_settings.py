"""Which configuration a command reads."""

import sys
from pathlib import Path

import pytest

from holdfast.cli import settings
from holdfast.errors import ConfigError, Problem
from holdfast.home import Home


def write(path: Path, name: str = "api") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'[service.{name}]\ncommand = ["sleep", "1"]\n', encoding="utf-8")
    return str(path)


def names(explicit: str | None) -> list[str]:
    return [spec.name for spec in settings.load_remembered(explicit).services]


def remember(home: Home, path: str) -> None:
    home.config_pointer.write_text(f'{{"config": "{path}"}}', encoding="utf-8")


def test_the_file_named_comes_first_then_the_remembered_one_then_the_usual_places(
    home: Home, tmp_path: Path
) -> None:
    write(tmp_path / "holdfast.toml", "usual")
    named = write(tmp_path / "a" / "named.toml", "named")
    assert names(None) == ["usual"]
    remember(home, write(tmp_path / "b" / "remembered.toml", "remembered"))
    assert names(None) == ["remembered"]
    assert names(named) == ["named"]


def test_a_remembered_file_that_is_gone_is_told_and_no_other_is_taken(
    home: Home, tmp_path: Path
) -> None:
    write(tmp_path / "holdfast.toml", "usual")
    remember(home, f"{tmp_path}/gone.toml")
    with pytest.raises(ConfigError, match=r"gone\.toml"):
        names(None)


def test_a_broken_memory_is_none(home: Home, tmp_path: Path) -> None:
    write(tmp_path / "holdfast.toml", "usual")
    home.config_pointer.write_text("{", encoding="utf-8")
    assert names(None) == ["usual"]


def test_a_file_in_the_usual_place_is_found(home: Home, tmp_path: Path) -> None:
    path = write(tmp_path / "holdfast.toml")
    assert settings.find(None).absolute() == Path(path)
    assert settings.find(path) == Path(path)
    assert settings.load(None).path == Path(path)


def test_where_there_is_none_it_says_where_it_looked(home: Home) -> None:
    with pytest.raises(ConfigError, match=r"holdfast\.toml"):
        settings.find(None)


def test_values_may_name_the_environment_and_the_interpreter(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECONDS", "7")
    path = tmp_path / "holdfast.toml"
    path.write_text(
        '[service.api]\ncommand = ["${HOLDFAST_PYTHON}", "-c", "${SECONDS}"]\n', encoding="utf-8"
    )
    assert settings.load(str(path)).services[0].command == (sys.executable, "-c", "7")
    assert settings.environment()["SECONDS"] == "7"


def test_a_person_may_choose_another_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_PYTHON", "/opt/python")
    assert settings.environment()["HOLDFAST_PYTHON"] == "/opt/python"


def test_all_problems_are_told_one_a_line() -> None:
    problems = tuple(Problem(place=f"a.toml:{line}", what="wrong") for line in (1, 2))
    assert settings.as_text(ConfigError(problems)).splitlines() == [
        "the configuration has 2 problems; nothing was changed",
        "  a.toml:1: wrong",
        "  a.toml:2: wrong",
    ]
    assert "has 1 problem;" in settings.as_text(ConfigError(problems[:1]))
