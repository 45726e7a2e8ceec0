"""Supervisor and watchdog, each the keeper of the other: killed, hung, told to leave, replaced by another version."""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if sys.platform != "linux":
    pytest.skip("the watchdog needs Linux", allow_module_level=True)

from holdfast import statefile
from holdfast.control import ControlClient
from holdfast.errors import LockHeld, StateError
from holdfast.home import Home

if TYPE_CHECKING:
    from tests.conftest import Machine

CONFIG = """
    [watchdog]
    check_every = "200ms"
    stale_after = "1m"
    failures = 3
    [alerts]
    last_resort = { file = "notices.jsonl" }
    [service.a]
    command = ["sleep", "9101"]
    [service.b]
    command = ["sh", "-c", "sleep 9102 & sleep 9103"]
"""

SOON_HUNG = CONFIG.replace('stale_after = "1m"', 'stale_after = "4s"')
"""Watched closely, and yet a supervisor that gets no processor for two seconds is left alone."""

LEAVES_WITHIN = 2.0
"""Seconds in which a watchdog that is told to end is gone."""

TRIES = 5
"""Watchdogs of which one has to leave so quickly: of any single one the machine may have taken its time away."""


def holder(lock: Path) -> int | None:
    """Return who holds the lock of a program."""
    with contextlib.suppress(LockHeld, StateError):
        return statefile.holder(lock)
    return None


def watchdog(machine: "Machine") -> int:
    """Return the pid of the watchdog the supervisor knows."""
    pid: int = machine.await_(lambda: machine.status()["watchdog"]["pid"])
    return pid


def another(machine: "Machine", which: str, old: int) -> int:
    """Wait until another supervisor or watchdog than the old one serves; return its pid."""
    pid: int = machine.await_(
        lambda: (
            (found := machine.status()[which])["state"] == "running"
            and found["pid"] not in (old, None)
            and found["pid"]
        )
    )
    return pid


def pids(machine: "Machine") -> dict[str, int]:
    """Return the processes of the services, as the supervisor and the kernel agree on them."""
    found = {name: row["pid"] for name, row in machine.rows().items()}
    assert all(machine.copies(name) == [pid] for name, pid in found.items())
    return found


def notices(machine: "Machine") -> list[dict[str, Any]]:
    """Return what the last resort was told; the line that is being written is not there yet."""
    path = machine.root / "notices.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


@pytest.fixture
def running(machine: "Machine") -> "Machine":
    """Bring a machine up whose supervisor is watched closely."""
    machine.config(CONFIG)
    machine.up()
    return machine


def test_a_killed_supervisor_is_replaced_at_once_and_that_is_told_by_the_last_resort(
    running: "Machine",
) -> None:
    before, dog, old = pids(running), watchdog(running), running.supervisor()
    running.kill(old)
    another(running, "supervisor", old)
    assert (pids(running), watchdog(running)) == (before, dog)
    told = running.await_(lambda: notices(running))
    assert len(told) == 1
    assert told[0]["severity"] == "critical"
    assert "supervisor" in told[0]["title"]


def test_each_death_of_the_supervisor_is_told_whatever_was_told_a_moment_ago(
    running: "Machine",
) -> None:
    before = pids(running)
    for _ in range(3):
        old = running.supervisor()
        running.kill(old)
        another(running, "supervisor", old)
    running.await_(lambda: len(notices(running)) == 3)
    assert len({one["key"] for one in notices(running)}) == 3
    assert pids(running) == before


def test_a_killed_watchdog_is_replaced_and_the_new_one_guards_the_supervisor(
    running: "Machine",
) -> None:
    before, dog, supervisor = pids(running), watchdog(running), running.supervisor()
    running.kill(dog)
    new = another(running, "watchdog", dog)
    assert running.supervisor() == supervisor
    running.kill(supervisor)
    another(running, "supervisor", supervisor)
    assert (pids(running), watchdog(running)) == (before, new)
    titles = running.await_(lambda: len(found := notices(running)) == 2 and found)
    assert any("watchdog" in one["title"] for one in titles)


def test_the_exit_code_of_an_orphan_is_known_under_each_new_watchdog(machine: "Machine") -> None:
    machine.config("""
        [service.a]
        command = ["sh", "-c", "while ! [ -e end ]; do sleep 0.02; done; exit 37"]
        cwd = "."
        restart = { when = "never" }
    """)
    machine.up()
    dog, old = watchdog(machine), machine.supervisor()
    machine.kill(dog)
    another(machine, "watchdog", dog)
    machine.kill(old)
    another(machine, "supervisor", old)
    (machine.root / "end").touch()
    last = machine.await_state("a", "failed")["last_exit"]
    assert (last["reason"], last["code"]) in {("adopted-exit", 37), ("unknown", None)}


def test_a_hung_supervisor_is_replaced_with_its_stack_in_the_log_and_the_services_untouched(
    machine: "Machine",
) -> None:
    running = machine
    running.config(SOON_HUNG)
    running.up()
    before, old = pids(running), running.supervisor()
    running.may_fault = True  # the stack of the hung one stands in the log on purpose
    running.kill(old, signal.SIGSTOP)
    running.await_(lambda: not running.is_alive(old))
    another(running, "supervisor", old)
    assert pids(running) == before
    own = running.own_log()
    assert "Fatal Python error: Aborted" in own
    assert "asyncio" in own
    (told,) = running.await_(lambda: notices(running))
    assert "hung" in json.dumps(told)


def test_a_watchdog_told_to_end_is_gone_within_two_seconds_and_touches_nothing(
    running: "Machine",
) -> None:
    before, supervisor = pids(running), running.supervisor()
    home = Home(running.home)
    seen = Watched(home.watchdog_status, home.heartbeat("watchdog"))
    with seen:
        dog, new, is_in_time = told_to_end(running)
        for _ in range(TRIES - 1):
            if not is_in_time:
                dog, new, is_in_time = told_to_end(running)
    assert is_in_time
    assert seen.torn == []
    assert {"status": "stopped", "pid": dog} in [
        {key: one[key] for key in ("status", "pid")} for one in seen.of(home.watchdog_status)
    ]
    assert (pids(running), running.supervisor()) == (before, supervisor)
    assert json.loads(home.heartbeat("watchdog").read_bytes())["pid"] == new
    assert home.pid("watchdog").read_text().strip() == str(new)


def told_to_end(machine: "Machine") -> tuple[int, int, bool]:
    """Tell the watchdog to end; return its pid, that of the next one, and whether it was gone in time."""
    dog = watchdog(machine)
    pidfd = os.pidfd_open(dog)
    try:
        machine.kill(dog, signal.SIGTERM)
        is_in_time = bool(select.select([pidfd], [], [], LEAVES_WITHIN)[0])
    finally:
        os.close(pidfd)
    return dog, another(machine, "watchdog", dog), is_in_time


class Watched:
    """Reads files over and over; keeps each different content, and what was no whole content."""

    def __init__(self, *paths: Path) -> None:
        self.paths = paths
        self.torn: list[bytes] = []
        self._seen: dict[Path, list[bytes]] = {path: [] for path in paths}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> "Watched":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._is_over.set()
        self._thread.join()

    def of(self, path: Path) -> Iterator[dict[str, Any]]:
        """Yield every content that was seen of a file."""
        for raw in self._seen[path]:
            if raw not in self.torn:
                yield json.loads(raw)

    def _read(self) -> None:
        while not self._is_over.wait(0.0005):
            for path in self.paths:
                with contextlib.suppress(FileNotFoundError):
                    self._note(path, path.read_bytes())

    def _note(self, path: Path, raw: bytes) -> None:
        if raw in self._seen[path][-1:]:
            return
        self._seen[path].append(raw)
        try:
            json.loads(raw)
        except ValueError:
            self.torn.append(raw)


def test_readers_of_the_watchdogs_files_never_see_half_of_one_while_both_are_killed(
    running: "Machine",
) -> None:
    home = Home(running.home)
    files = (home.heartbeat("watchdog"), home.heartbeat("supervisor"), home.watchdog_status)
    before = pids(running)
    with Watched(*files) as seen:
        for round_ in range(6):
            name = ("watchdog", "supervisor")[round_ % 2]
            old = watchdog(running) if name == "watchdog" else running.supervisor()
            running.kill(old)
            another(running, name, old)
    assert seen.torn == []
    assert pids(running) == before
    for beat in seen.of(files[0]):
        named = {"timestamp", "pid", "status", "interval", "expires_at", "generation", "boot_id"}
        assert named | {"error"} <= beat.keys()
        assert beat["status"] == "running"
        assert beat["timestamp"] < beat["expires_at"]
    for status in seen.of(files[2]):
        assert status.keys() >= {"status", "daemon_count", "last_check", "pid"}
        assert status["status"] in {"healthy", "warning", "error", "stopped"}
    last = running.await_(
        lambda: (found := json.loads(files[2].read_bytes()))["status"] == "healthy" and found
    )
    assert (last["pid"], last["daemon_count"]) == (watchdog(running), 2)


def test_both_killed_leave_the_services_and_up_takes_them_over(running: "Machine") -> None:
    before, dog, supervisor = pids(running), watchdog(running), running.supervisor()
    for pid in (dog, supervisor):
        running.kill(pid, signal.SIGSTOP)  # so that neither can start the other between the two
    for pid in (dog, supervisor):
        running.kill(pid)
    running.await_(lambda: not any(running.is_alive(pid) for pid in (dog, supervisor)))
    assert running.living() != []
    told = json.loads(running.holdfast("status", "--json", expect=3).stdout)
    assert (told["supervisor"]["state"], told["watchdog"]["state"]) == ("gone", "gone")
    assert {row["name"]: row["pid"] for row in told["services"]} == before
    running.up()
    assert pids(running) == before


def test_callers_that_wait_over_the_death_of_the_supervisor_get_an_answer(
    running: "Machine",
) -> None:
    """The listener outlives its supervisor: who calls while none lives is answered by the next."""
    for _ in range(5):
        old = running.supervisor()
        running.kill(old, signal.SIGSTOP)
        with ControlClient(Home(running.home).control_socket, timeout=30) as control:
            running.kill(old)
            assert control.call("ping")["pid"] not in (old, None)


def test_an_order_is_answered_or_its_caller_told_when_the_supervisor_dies_over_it(
    running: "Machine",
) -> None:
    before = running.pid("a")
    ordered = running.beside("restart", "a")
    running.kill(running.supervisor())
    said = running.finished(ordered, expect=(0, 3))
    assert said.strip()
    new = running.await_(lambda: (row := running.row("a"))["state"] == "running" and row["pid"])
    assert running.copies("a") == [new]
    assert new == before or ordered.returncode in (0, 3)


def test_up_of_another_version_replaces_both_and_keeps_the_services(running: "Machine") -> None:
    before, dog, supervisor = pids(running), watchdog(running), running.supervisor()
    code = """
        import sys, holdfast
        holdfast.__version__ = "999.0"
        from holdfast.cli.main import main
        sys.argv = ["holdfast", "up", "--no-hub", "-c", sys.argv[1]]
        sys.exit(main())
    """
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(map(str.strip, code.splitlines())), str(running.file)],
        env=running.env,
        cwd=running.root,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, "in place of version" in done.stdout) == (0, True), done
    assert pids(running) == before
    assert running.supervisor() != supervisor
    assert watchdog(running) != dog
    for pid in (dog, supervisor):
        assert not running.is_alive(pid)


def test_down_with_services_kept_ends_both_and_up_knows_the_services_again(
    running: "Machine",
) -> None:
    before, dog, supervisor = pids(running), watchdog(running), running.supervisor()
    running.holdfast("down", "--keep-services")
    assert not running.is_alive(dog)
    assert not running.is_alive(supervisor)
    status = json.loads(Home(running.home).watchdog_status.read_bytes())
    assert (status["status"], status["pid"]) == ("stopped", dog)
    assert not Home(running.home).heartbeat("watchdog").exists()
    running.up()
    assert pids(running) == before


def test_a_stopped_watchdog_keeps_nobody_from_working(running: "Machine") -> None:
    dog, before = watchdog(running), pids(running)
    running.kill(dog, signal.SIGSTOP)
    try:
        running.holdfast("restart", "a")
        running.holdfast("stop", "b")
        running.holdfast("start", "b")
        after = pids(running)
        assert after.keys() == before.keys()
        assert not {*after.values()} & {*before.values()}
    finally:
        running.kill(dog, signal.SIGCONT)
    old = running.supervisor()
    running.kill(old)
    another(running, "supervisor", old)
    assert pids(running) == after


def test_a_second_watchdog_is_refused_and_one_that_takes_over_replaces_the_first(
    running: "Machine",
) -> None:
    before, dog, supervisor = pids(running), watchdog(running), running.supervisor()
    command = [sys.executable, "-P", "-m", "holdfast.assemble", "watchdog"]
    refused = subprocess.run(
        command, env=running.env, cwd=running.root, capture_output=True, timeout=50, check=False
    )
    assert refused.returncode == 4
    taking = subprocess.Popen(
        [*command, "--take-over"],
        env=running.env,
        cwd=running.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert another(running, "watchdog", dog) == taking.pid
        running.await_(lambda: not running.is_alive(dog))
        assert (running.supervisor(), pids(running)) == (supervisor, before)
        running.kill(supervisor)
        another(running, "supervisor", supervisor)
        assert (watchdog(running), pids(running)) == (taking.pid, before)
        running.holdfast("down")
    finally:
        taking.wait(timeout=30)
    assert taking.returncode == 0


def test_a_runtime_folder_that_goes_with_its_session_costs_no_service_anything(
    running: "Machine",
) -> None:
    running.may_fault = True  # it says that its folder is gone
    before, old = pids(running), running.supervisor()
    for folder in running.runtime.iterdir():
        shutil.rmtree(folder)
    running.await_(lambda: running.supervisor() != old)
    assert pids(running) == before
    name = next(iter(before))
    running.kill(before[name])
    running.await_new_pid(name, before[name])
