"""What a service finds in its environment, and what never gets there."""

import getpass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import StartFailed
from holdfast.machine.supervisor.environment import (
    DEFAULT_PATH,
    environment_of,
    own_environment,
    read_env_file,
)
from holdfast.model.spec import ServiceSpec

OWN = {
    "PATH": "/bin",
    "HOME": "/root",
    "LANG": "C",
    "TZ": "UTC",
    "SECRET": "of the supervisor",
    "HOLDFAST_SERVICE": "outer",
}


def env(own: dict[str, str] | None = None, **more: object) -> dict[str, str]:
    spec = ServiceSpec(**{"name": "api", "command": ("x",), "cwd": "/", **more})  # type: ignore[arg-type]  # fields by name
    return environment_of(
        spec, OWN if own is None else own, generation=3, instance="api.3.a", home=Path("/h")
    )


def test_nothing_leaks_in_that_nobody_asked_for() -> None:
    assert env() == {
        "PATH": "/bin",
        "HOME": "/root",
        "LANG": "C",
        "TZ": "UTC",
        "HOLDFAST_HOME": "/h",
        "HOLDFAST_SERVICE": "api",
        "HOLDFAST_GENERATION": "3",
        "HOLDFAST_INSTANCE": "api.3.a",
    }


def test_what_is_asked_for_is_inherited_where_it_exists() -> None:
    found = env(inherit_env=("SECRET", "MISSING"))
    assert found["SECRET"] == "of the supervisor"
    assert "MISSING" not in found


@pytest.mark.parametrize("own", [{}, {"PATH": ""}])
def test_there_is_always_a_path(own: dict[str, str]) -> None:
    assert env(own)["PATH"] in (DEFAULT_PATH, own.get("PATH"))
    assert env({})["PATH"] == DEFAULT_PATH


def test_later_sources_win_and_nobody_passes_for_another_service(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("LANG=file\nTZ=file\nHOLDFAST_INSTANCE=forged\n", encoding="utf-8")
    found = env(env_file=str(file), env={"TZ": "env", "HOLDFAST_SERVICE": "forged"})
    assert (found["LANG"], found["TZ"]) == ("file", "env")
    assert (found["HOLDFAST_SERVICE"], found["HOLDFAST_INSTANCE"]) == ("api", "api.3.a")


def test_another_user_brings_its_own_home_and_name() -> None:
    pwd = pytest.importorskip("pwd")
    me = pwd.getpwnam(getpass.getuser())
    by_name, by_number = env(user=me.pw_name), env(user=str(me.pw_uid))
    assert by_name == by_number
    assert (by_name["USER"], by_name["HOME"]) == (me.pw_name, me.pw_dir)


@pytest.mark.parametrize("user", ["nobody-of-this-name", "999999999", "9" * 30, "²"])
def test_an_unknown_user_is_a_fault_that_no_retry_mends(user: str) -> None:
    pytest.importorskip("pwd")
    with pytest.raises(StartFailed, match="does not exist") as told:
        env(user=user)
    assert told.value.permanent


def test_an_env_file_is_read_as_people_write_it(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text(
        '# comment\n\nA=1\n  B = two words  \nexport C=\'sin gle\'\nD="dou\\"ble"\nE=\nF=a=b#c\nG=$A\r\n',
        encoding="utf-8",
    )
    assert read_env_file(file) == {
        "A": "1",
        "B": "two words",
        "C": "sin gle",
        "D": 'dou"ble',
        "E": "",
        "F": "a=b#c",
        "G": "$A",
    }


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("A=1\nnonsense\n", ":2: expected KEY=VALUE, found 'nonsense'"),
        ("=1\n", ":1: expected KEY=VALUE"),
        ("A-B=1\n", ":1: expected KEY=VALUE"),
        ("A='open\n", ":1: No closing quotation; close the quote"),
    ],
)
def test_a_bad_line_is_named_with_its_place(tmp_path: Path, text: str, what: str) -> None:
    file = tmp_path / "env"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(StartFailed) as told:
        read_env_file(file)
    assert what in str(told.value)
    assert told.value.permanent


@pytest.mark.parametrize("content", [None, b"A=\xff\n"])
def test_an_env_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "env"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(StartFailed, match="cannot be read"):
        read_env_file(file)


@given(st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True), st.text()))
def test_what_a_service_is_told_about_itself_is_always_true(extra: dict[str, str]) -> None:
    found = env(env=extra)
    assert found["HOLDFAST_INSTANCE"] == "api.3.a"
    assert extra.keys() <= found.keys()


def test_the_supervisors_own_environment_is_the_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_TEST_OWN", "x")
    assert own_environment()["HOLDFAST_TEST_OWN"] == "x"
