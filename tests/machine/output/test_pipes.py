"""Captured output of real processes, in real files."""

import asyncio
import errno
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from holdfast.clock import SystemClock
from holdfast.errors import Refused, UnknownName
from holdfast.model.spec import LogFormat, LogPolicy

if sys.platform == "win32":
    pytest.skip("named pipes in the file system are a POSIX thing", allow_module_level=True)

from holdfast.machine.keeping import Unkept
from holdfast.machine.output.pipes import Outlets, Pipes

TEXT = LogPolicy()
JSON = LogPolicy(format=LogFormat.JSON)
PATIENCE_S = 40.0


class Stage:
    """Pipes on a running loop, and services that write into them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder
        self.losses: list[tuple[str, int, str]] = []
        self.pipes = self.new_pipes()

    def new_pipes(self) -> Pipes:
        return Pipes(asyncio.get_running_loop(), SystemClock(), self._lose, Unkept())

    def _lose(self, name: str, lost: int, reason: str) -> None:
        self.losses.append((name, lost, reason))

    def log(self, name: str = "api") -> Path:
        return self.logs / f"{name}.log"

    def open(self, policy: LogPolicy = TEXT, name: str = "api") -> Outlets:
        return self.pipes.open(name, policy, self.log(name), self.folder, None)

    async def start(
        self, script: str, policy: LogPolicy = TEXT, name: str = "api"
    ) -> asyncio.subprocess.Process:
        outlets = self.open(policy, name)
        try:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-S",
                "-c",
                script,
                stdin=asyncio.subprocess.PIPE,
                stdout=outlets.stdout_fd,
                stderr=outlets.stderr_fd,
            )
        finally:
            outlets.close()

    async def run(self, script: str, policy: LogPolicy = TEXT, name: str = "api") -> None:
        """Run a program to its end, and see its last output home."""
        process = await self.start(script, policy, name)
        await process.communicate(b"x")
        self.pipes.drain(name)

    def objects(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log().read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Callable[[Stage], Awaitable[None]]], None]:
    async def within(scene: Callable[[Stage], Awaitable[None]]) -> None:
        stage = Stage(tmp_path)
        try:
            await asyncio.wait_for(scene(stage), PATIENCE_S)
        finally:
            stage.pipes.close_all()

    return lambda scene: asyncio.run(within(scene))


Play = Callable[[Callable[[Stage], Awaitable[None]]], None]


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for a change of a file, for which there is no event; the patience of the scene is the deadline."""
    while not is_so():  # noqa: ASYNC110 - a file tells nobody that it grew
        await asyncio.sleep(0.005)


def files_of(log: Path) -> list[bytes]:
    """Return the contents of a log and its older files, oldest first."""
    old = sorted(log.parent.glob(log.name + ".*"), key=lambda path: -int(path.suffix[1:]))
    return [path.read_bytes() for path in [*old, log]]


def count_fds() -> int:
    return len(os.listdir("/dev/fd"))


def test_output_stands_in_the_log_in_the_order_it_was_written(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.run("import os\nfor n in range(9): os.write(1 + n % 2, b'%d\\n' % n)")

        assert stage.log().read_text() == "".join(f"{n}\n" for n in range(9))

    play(scene)


def test_output_arrives_while_the_service_runs(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        process = await stage.start("import os\nos.write(1, b'up\\n')\nos.read(0, 1)")

        await until(lambda: stage.log().exists() and stage.log().read_bytes() == b"up\n")

        await process.communicate(b"x")

    play(scene)


def test_fifty_thousand_lines_as_fast_as_can_be_all_arrive_unsplit(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.run(
            "import os\nfor n in range(50_000): os.write(1, b'line %d of many\\n' % n)",
            LogPolicy(max_size=100_000, keep=100),
        )

        files = files_of(stage.log())
        assert b"".join(files) == b"".join(b"line %d of many\n" % n for n in range(50_000))
        assert all(content.endswith(b"\n") for content in files)
        assert all(len(content) < 100_050 for content in files)

    play(scene)


def test_what_is_no_text_passes_as_it_is(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.run("import os\nos.write(1, bytes(range(256)) * 4)")

        assert stage.log().read_bytes() == bytes(range(256)) * 4

    play(scene)


def test_ten_megabytes_without_a_line_end_harm_nothing(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.run(
            "import sys\nsys.stdout.write('x' * 10_000_000)",
            LogPolicy(max_size=1_000_000, keep=20),
        )

        assert b"".join(files_of(stage.log())) == b"x" * 10_000_000

    play(scene)


def test_json_says_which_stream_a_line_came_from(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.run(
            "import os\nos.write(1, 'schön\\n\\n'.encode())\nos.write(2, b'\\xff\\0\\nno end')",
            JSON,
        )

        told = {"stdout": [], "stderr": []}  # type: dict[str, list[dict[str, object]]]
        for one in stage.objects():
            assert isinstance(one.pop("at"), str)
            told[str(one.pop("stream"))].append(one)
        assert told["stdout"] == [{"line": "schön"}, {"line": ""}]
        assert told["stderr"] == [{"line": "\\xff\x00"}, {"line": "no end", "partial": True}]

    play(scene)


def test_fifty_thousand_json_lines_all_arrive_in_order(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.run(
            "import os\nfor n in range(50_000): os.write(1 + n % 2, b'%d\\n' % n)",
            LogPolicy(max_size=500_000, keep=100, format=LogFormat.JSON),
        )

        told = {"stdout": [], "stderr": []}  # type: dict[str, list[int]]
        for content in files_of(stage.log()):
            for line in content.decode().splitlines():
                one = json.loads(line)
                told[one["stream"]].append(int(one["line"]))
        assert told["stdout"] == list(range(0, 50_000, 2))
        assert told["stderr"] == list(range(1, 50_000, 2))

    play(scene)


def test_ten_megabytes_of_json_without_a_line_end_come_in_parts(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.run("import sys\nsys.stdout.write('ä' * 5_000_000 + '\\nnext\\n')", JSON)

        content = [
            json.loads(line) for part in files_of(stage.log()) for line in part.splitlines()
        ]
        *parts, last = content
        assert last["line"] == "next"
        assert "".join(one["line"] for one in parts) == "ä" * 5_000_000
        assert all(one["partial"] for one in parts[:-1])
        assert "partial" not in parts[-1]

    play(scene)


def test_a_prompt_without_line_end_is_shown_while_the_service_runs(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        process = await stage.start("import os\nos.write(1, b'name? ')\nos.read(0, 1)", JSON)

        await until(lambda: stage.log().exists() and stage.log().stat().st_size > 0)

        (one,) = stage.objects()
        assert (one["line"], one["partial"]) == ("name? ", True)
        await process.communicate(b"x")

    play(scene)


@pytest.mark.parametrize("policy", [TEXT, JSON])
def test_a_service_outlives_its_supervisor_and_keeps_its_voice(
    play: Play, policy: LogPolicy
) -> None:
    def both_stand_in(log: bytes) -> bool:
        return b"alone" in log and b"told" in log

    async def scene(stage: Stage) -> None:
        process = await stage.start(
            "import os\nos.read(0, 1)\nos.write(1, b'alone\\n')\nos.write(2, b'told\\n')\nos.read(0, 1)",
            policy,
        )
        stage.pipes.close_all()
        assert process.stdin is not None
        process.stdin.write(b"x")

        stage.pipes = stage.new_pipes()
        stage.open(policy).close()

        await until(lambda: stage.log().exists() and both_stand_in(stage.log().read_bytes()))
        assert process.returncode is None
        await process.communicate(b"x")

    play(scene)


def test_a_running_program_of_the_other_format_is_still_heard(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        process = await stage.start(
            "import os\nos.read(0, 1)\nos.write(1, b'out\\n')\nos.write(2, b'err\\n')", JSON
        )

        stage.open(TEXT).close()
        await process.communicate(b"x")
        stage.pipes.drain("api")

        assert sorted(stage.log().read_text().splitlines()) == ["err", "out"]

    play(scene)


def test_a_pipe_nobody_needs_any_more_is_removed(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.run("", JSON)
        assert (stage.folder / "api.err").exists()

        stage.open(TEXT).close()

        assert not (stage.folder / "api.err").exists()

    play(scene)


def test_a_program_started_again_goes_on_in_the_same_log(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.run("print('first')")
        await stage.run("print('second')")

        assert stage.log().read_text() == "first\nsecond\n"

    play(scene)


def test_a_new_policy_holds_at_once(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        outlets = stage.open(LogPolicy(max_size=1000))
        stage.pipes.change("api", LogPolicy(max_size=4, keep=1))

        for line in (b"one\n", b"two\n", b"six\n"):
            os.write(outlets.stdout_fd, line)
            stage.pipes.drain("api")

        outlets.close()
        assert files_of(stage.log()) == [b"two\n", b"six\n"]

    play(scene)


def test_a_log_is_rotated_on_request(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.run("print('first')")
        stage.pipes.rotate("api")
        await stage.run("print('second')")

        assert files_of(stage.log()) == [b"first\n", b"second\n"]

    play(scene)


def test_an_unknown_name_is_said_where_it_matters(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        with pytest.raises(UnknownName, match="'nobody' is not captured"):
            stage.pipes.change("nobody", TEXT)
        with pytest.raises(UnknownName, match="'nobody' is not captured"):
            stage.pipes.rotate("nobody")

        stage.pipes.drain("nobody")
        stage.pipes.close("nobody")

    play(scene)


@pytest.mark.parametrize("policy", [TEXT, JSON])
def test_closing_leaves_no_descriptor(play: Play, policy: LogPolicy) -> None:
    async def scene(stage: Stage) -> None:
        stage.pipes.close_all()
        before = count_fds()
        stage.pipes = stage.new_pipes()
        for number in range(5):
            outlets = stage.open(policy, f"api-{number}")
            os.write(outlets.stderr_fd, b"line\n" * 100)
            outlets.close()

        stage.pipes.close_all()

        assert count_fds() == before
        stage.pipes = stage.new_pipes()

    play(scene)


@pytest.mark.parametrize(("policy", "each"), [(TEXT, 1), (JSON, 2)])
def test_a_service_at_rest_costs_one_descriptor_a_pipe(
    play: Play, policy: LogPolicy, each: int
) -> None:
    async def scene(stage: Stage) -> None:
        stage.open(policy, "first").close()
        shared = 2  # the pipe in which one looks ahead; made when first needed
        before = count_fds()
        for number in range(20):
            outlets = stage.open(policy, f"api-{number}")
            os.write(outlets.stdout_fd, b"line\n")
            outlets.close()

        await until(lambda: all(stage.log(f"api-{n}").exists() for n in range(20)))
        await until(lambda: count_fds() - before <= 20 * each + shared)

    play(scene)


def test_when_a_pipe_cannot_be_had_nothing_stays_open(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        (stage.folder / "api.err").write_text("not a pipe")
        before = count_fds()

        with pytest.raises(Refused, match="is not a pipe"):
            stage.open(JSON)

        assert count_fds() == before

    play(scene)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs takes root on Linux")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode != 0:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.decode()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


FULL = os.strerror(errno.ENOSPC)


@pytest.mark.parametrize("policy", [TEXT, JSON])
def test_a_full_disk_drops_counts_and_marks_the_gap(
    play: Play, small_disk: Path, policy: LogPolicy
) -> None:
    async def scene(stage: Stage) -> None:
        stage.logs = small_disk
        said_all = stage.folder / "said-all"
        ballast = small_disk / "ballast"
        ballast.write_bytes(b"x" * 40_000)
        process = await stage.start(
            "import os\n"
            "for n in range(10_000): os.write(1, b'line %05d of many\\n' % n)\n"
            f"open({str(said_all)!r}, 'w')\n"
            "os.read(0, 1)\n"
            "os.write(1, b'back again\\n')",
            policy,
        )
        # The service gets through all it has to say although the disk took little of it.
        await until(said_all.exists)
        stage.pipes.drain("api")
        assert stage.losses == [("api", 0, FULL)]

        ballast.unlink()
        await until(lambda: len(stage.losses) == 2)
        await process.communicate(b"x")
        stage.pipes.drain("api")

        name, lost, reason = stage.losses[1]
        assert (name, reason) == ("api", FULL)
        mark = f"[holdfast: {lost} bytes of output lost: {FULL}]"
        lines = (
            stage.log().read_text().splitlines()
            if policy is TEXT
            else [str(one["line"]) for one in stage.objects()]
        )
        assert lines[-2:] == [mark, "back again"]
        written = lines[:-2]
        kept = sum(len(line) + 1 for line in written)
        assert lost + kept in {10_000 * 19, 10_000 * 19 + 1}  # the mark ends a line that was cut
        assert written[:-1] == [f"line {n:05d} of many" for n in range(len(written) - 1)]

    play(scene)


def test_a_folder_that_is_not_there_counts_as_lost_and_stops_no_service(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        stage.logs = stage.folder / "gone"
        await stage.run("print('x' * 200_000)")
        assert stage.losses == [("api", 0, os.strerror(errno.ENOENT))]

        stage.pipes.close("api")

        assert stage.losses[1:] == [("api", 200_001, os.strerror(errno.ENOENT))]

    play(scene)
