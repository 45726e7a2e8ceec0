"""From a spec to a running process with its output captured."""

import asyncio
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdfast.errors import StartFailed
from holdfast.machine.process.wait import watch_child
from holdfast.model.service import ServiceState
from holdfast.model.spec import Limits, LogFormat, LogPolicy, ServiceSpec

if TYPE_CHECKING:
    from tests.machine.supervisor.conftest import Play, Stage

STATE = ServiceState(name="api", generation=7, instance="api.7.x")


async def ran(stage: "Stage", spec: ServiceSpec) -> list[str]:
    """Run a program to its end and return what it printed."""
    spawned = stage.launcher.launch(spec, STATE)
    ended = stage.loop.create_future()
    death = watch_child(spawned.identity, spawned.pidfd)
    stage.loop.add_reader(death.fileno(), ended.cancel)
    await asyncio.wait([ended])
    stage.loop.remove_reader(death.fileno())
    death.collect()
    death.close()
    return stage.said(spec.name)


def test_a_program_gets_what_its_spec_says(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        code = (
            "import os, resource, sys\n"
            "print(os.getcwd(), os.environ['HOLDFAST_GENERATION'], os.environ['A'])\n"
            "print(oct(os.umask(0)), resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
            "print(os.getsid(0) == os.getpid(), os.path.realpath('/dev/stdin'))\n"
        )
        spec = stage.python(code, env={"A": "b"}, umask=0o027, limits=Limits(nofile=321))
        assert await ran(stage, spec) == [
            f"{stage.folder} 7 b",
            "0o27 321",
            "True /dev/null",
        ]

    play(scene)


def test_output_and_errors_of_a_text_log_keep_their_order(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        code = "import os\nfor n in range(6): os.write(1 + n % 2, b'%d\\n' % n)"
        assert await ran(stage, stage.python(code)) == list("012345")

    play(scene)


def test_a_json_log_knows_the_two_streams_apart(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        spec = stage.python(
            "import os; os.write(1, b'a\\n'); os.write(2, b'b\\n')",
            log=LogPolicy(format=LogFormat.JSON),
        )
        told = "".join(await ran(stage, spec))
        assert '"stdout"' in told
        assert '"stderr"' in told

    play(scene)


@pytest.mark.parametrize(
    "wrong",
    [
        {"command": ("/no/such/program",)},
        {"cwd": "/no/such/folder"},
        {"user": "nobody-of-this-name"},
        {"env_file": "/no/such/file"},
        {"command": ("sleep\0", "1")},
        {"env": {"A": "\0"}},
    ],
    ids=str,
)
def test_what_a_retry_cannot_mend_is_permanent_and_named(
    play: "Play", wrong: dict[str, object]
) -> None:
    async def scene(stage: "Stage") -> None:
        spec = replace(stage.spec(), **wrong)  # type: ignore[arg-type]  # fields by name
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with pytest.raises(StartFailed) as told:
                stage.launcher.launch(spec, STATE)
            assert told.value.permanent
        stage.pipes.close("api")
        assert len(os.listdir("/proc/self/fd")) == before

    play(scene)


def test_output_that_cannot_be_captured_now_may_be_later(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        (stage.runtime / "api").write_text("in the way")
        with pytest.raises(StartFailed, match="its output cannot be captured") as told:
            stage.launcher.launch(stage.spec(), STATE)
        assert not told.value.permanent

    play(scene)


def test_a_runtime_folder_that_went_with_its_session_is_made_anew(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        stage.runtime.rmdir()
        spawned = stage.launcher.launch(stage.spec(), STATE)
        assert (stage.runtime / "api" / "api.out").is_fifo()
        death = watch_child(spawned.identity, spawned.pidfd)
        os.kill(spawned.pid, 9)
        while death.collect() is None:
            await stage.skip(0)
        death.close()

    play(scene)


def test_something_else_in_place_of_the_pipe_is_named_and_left_alone(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        (stage.runtime / "api").mkdir()
        (stage.runtime / "api" / "api.out").write_text("mine")
        with pytest.raises(StartFailed, match=r"api\.out is not a pipe") as told:
            stage.launcher.launch(stage.spec(), STATE)
        assert told.value.permanent
        assert (stage.runtime / "api" / "api.out").read_text() == "mine"

    play(scene)


def test_the_folder_of_a_services_pipes_is_private(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        stage.launcher.reopen(stage.spec())
        assert stat.S_IMODE((stage.runtime / "api").stat().st_mode) == 0o700

    play(scene)


def test_a_pid_file_is_private_and_one_number(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        stage.launcher.write_pid("api", 42)
        assert stage.home.pid("api").read_bytes() == b"42\n"
        assert stat.S_IMODE(stage.home.pid("api").stat().st_mode) == 0o600

    play(scene)


@pytest.mark.parametrize("content", [b"43\n", b"", b"words", b"\xff"])
def test_a_pid_file_that_names_another_process_is_left_alone(play: "Play", content: bytes) -> None:
    async def scene(stage: "Stage") -> None:
        stage.home.pid("api").write_bytes(content)
        stage.launcher.remove_pid("api", 42)
        assert stage.home.pid("api").read_bytes() == content

    play(scene)


def test_a_pid_file_is_removed_once_and_its_absence_is_no_fault(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        stage.launcher.write_pid("api", 42)
        stage.launcher.remove_pid("api", 42)
        stage.launcher.remove_pid("api", 42)
        assert not stage.home.pid("api").exists()

    play(scene)


def test_a_folder_of_pid_files_that_is_none_is_no_fault(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        stage.home.pids.rmdir()
        stage.home.pids.write_text("no folder")
        stage.launcher.write_pid("api", 42)
        stage.launcher.remove_pid("api", 42)

    play(scene)


def test_clearing_removes_the_pipes_and_nothing_of_anybody_else(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        for name in ("api", "db"):
            stage.launcher.reopen(stage.spec(name))
        stage.pipes.close_all()
        theirs = stage.runtime / "db" / "letter"
        theirs.write_text("keep")
        stage.launcher.clear_runtime()
        assert left(stage.runtime) == {"db", "db/letter"}
        theirs.unlink()
        stage.launcher.clear_runtime()
        assert not stage.runtime.exists()

    play(scene)


def left(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
