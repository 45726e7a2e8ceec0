"""`holdfast health` and `holdfast check`: how well everything is, by looking only."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdfast.machine.process.wait import reap_strangers
from holdfast.model.service import Actual, Desired, Health

if TYPE_CHECKING:
    from tests.cli.conftest import Done

    Run = Callable[..., Done]

CONFIG = """
[service.a]
command = ["sleep", "8005"]
[service.bad]
command = ["/no/such/program"]
"""


@pytest.fixture
def up(run: "Run", tmp_path: Path) -> Iterator[None]:
    """Bring a real supervisor up with one service that is well and one that is not."""
    (tmp_path / "holdfast.toml").write_text(CONFIG, encoding="utf-8")
    assert run("up", "--no-hub").code == 1
    yield
    run("down", "--timeout", "5s")
    reap_strangers(frozenset())


def test_what_is_not_well_is_named_and_is_the_exit_code(run: "Run", up: None) -> None:
    done = run("health")
    assert done.code == 1
    assert done.lines[0] == "1/2 healthy (50 %)"
    assert done.lines[1].startswith("  bad: failed: '/no/such/program'")
    assert run("health", "--score").out == "50\n"
    assert run("health", "--json").json == {"score": 50.0, "healthy": 1, "total": 2}
    looked = run("check", "--once")
    assert looked.code == 1
    assert [line.split()[:2] for line in looked.lines] == [
        ["SERVICE", "VERDICT"],
        ["a", "healthy"],
        ["bad", "failed"],
    ]
    assert run("check", "-q").out == ""
    run("stop", "bad")
    assert run("health").code == 0
    assert run("check").code == 0
    assert run("check", "--json").json["healthy"]


def test_from_the_files_alone_the_exit_code_says_that_nobody_runs(
    run: "Run", record: Callable[..., None]
) -> None:
    record("a", desired=Desired.UP, actual=Actual.DONE, health=Health.OK)
    assert run("health").code == 3
    assert run("health").out == "1/1 healthy (100 %)\n"
    done = run("check")
    assert done.code == 3
    assert done.lines[1].split()[:2] == ["a", "healthy"]
    record("b", desired=Desired.UP, actual=Actual.FAILED, failure="no such file")
    assert run("check", "--json").json["findings"][1]["why"] == "no such file"
    assert run("health").lines[1] == "  b: failed: no such file"


def test_looking_changes_nothing(run: "Run", record: Callable[..., None], tmp_path: Path) -> None:
    record("a", desired=Desired.UP, actual=Actual.FAILED)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    run("health")
    run("check")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
