"""`holdfast reload`: the configuration as it is now, and nothing touched that did not change."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdfast.machine.process.wait import reap_strangers

if TYPE_CHECKING:
    from tests.cli.conftest import Done

    Run = Callable[..., Done]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], None]:
    def write(text: str) -> None:
        (tmp_path / "holdfast.toml").write_text(text, encoding="utf-8")

    return write


@pytest.fixture
def up(run: "Run", write: Callable[[str], None]) -> Iterator[None]:
    """Bring a real supervisor up with two services, and down again."""
    write(service("a") + service("b"))
    assert run("up", "--no-hub", "--no-wait").code == 0
    yield
    run("down", "--timeout", "5s")
    reap_strangers(frozenset())


def service(name: str, seconds: int = 8006, more: str = "") -> str:
    return f'[service.{name}]\ncommand = ["sleep", "{seconds}"]\n{more}\n'


def pids(run: "Run") -> dict[str, int]:
    return {row["name"]: row["pid"] for row in run("status", "--json").json["services"]}


def test_only_what_differs_is_touched_and_told(
    run: "Run", up: None, write: Callable[[str], None]
) -> None:
    before = pids(run)
    same = run("reload")
    assert (same.code, same.out) == (0, "nothing changed in 2 services\n")
    write(service("a", more='group = "web"') + service("c"))
    dry = run("reload", "--dry-run")
    assert dry.lines == [
        "would be added: c",
        "would be removed: b",
        "would be changed, not restarted: a",
    ]
    assert pids(run) == before
    done = run("reload")
    assert done.lines == ["added: c", "removed: b", "changed, not restarted: a"]
    after = pids(run)
    assert list(after) == ["a", "c"]
    assert after["a"] == before["a"]
    write(service("a", 8007) + service("c"))
    told = run("reload", "--json").json
    assert (told["restarted"], told["unchanged"]) == (["a"], ["c"])


def test_a_wrong_file_changes_nothing(run: "Run", up: None, write: Callable[[str], None]) -> None:
    before = pids(run)
    write(service("a", 8008) + "[service.b]\n")
    done = run("reload")
    assert done.code == 2
    assert "nothing was changed" in done.err
    assert pids(run) == before


def test_with_names_services_are_told_to_read_their_own_configuration(
    run: "Run", up: None, write: Callable[[str], None]
) -> None:
    write(service("a", more='reload_signal = "URG"') + service("b", more='reload_signal = "URG"'))
    assert run("reload", "-q").out == ""
    before = pids(run)
    assert run("reload", "a").out == f"a signalled (pid {before['a']})\n"
    assert run("reload", "--all").code == 0
    assert pids(run) == before


def test_where_nobody_runs_the_exit_code_says_so(run: "Run", write: Callable[[str], None]) -> None:
    write(service("a"))
    assert run("reload").code == 3


def test_settings_that_concern_no_service_are_told_too(
    run: "Run", up: None, write: Callable[[str], None]
) -> None:
    write('[supervisor]\nlook_every = "100s"\n' + service("a") + service("b"))

    assert run("reload", "--dry-run").lines == ["would be in force: [supervisor]"]
    assert run("reload").lines == ["in force: [supervisor]"]
    assert run("reload").lines == ["nothing changed in 2 services"]
