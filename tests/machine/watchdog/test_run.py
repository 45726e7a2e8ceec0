"""The watchdog as a process: what it does when its supervisor dies, hangs, speaks, or when it is told to go itself."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Protocol

import pytest

if sys.platform != "linux":
    pytest.skip("a watchdog needs Linux", allow_module_level=True)

# Soon, and yet more time than a loaded machine takes to start a supervisor, or keeps one from its beats.
QUICK = {"check_every": 0.5, "stale_after": 3.0, "failures": 2}
HOUR = {"check_every": 3600.0, "stale_after": 3600.0, "failures": 3}


class Kennel(Protocol):
    home: Any
    folder: Path
    root: Path

    def settle(self, **settings: float) -> None: ...
    def mood(self, mood: str) -> None: ...
    def start(
        self, *flags: str, env: dict[str, str] | None = None
    ) -> "subprocess.Popen[bytes]": ...
    def ask(self) -> tuple["subprocess.Popen[bytes]", dict[str, Any]]: ...
    def tell(self, *words: object) -> Any: ...
    def report(self) -> dict[str, Any]: ...
    def new_report(self, old: int) -> dict[str, Any]: ...
    def await_(self, look: Any) -> Any: ...
    def status(self) -> dict[str, Any]: ...
    def log(self) -> str: ...
    def living(self) -> list[int]: ...


def puppets(kennel: Kennel) -> list[int]:
    """Return every supervisor that lives, from its first instant on."""
    found = []
    for pid in kennel.living():
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if words[2:] and words[2].endswith(b"puppet.py"):
                found.append(pid)
    return found


def hang(pid: int) -> None:
    """Stop a supervisor, unless it has been taken for hung already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)


def knows_exits_of_others() -> bool:
    major, minor = (int(number) for number in os.uname().release.split(".")[:2])
    return (major, minor) >= (6, 15)


def test_it_starts_a_supervisor_and_answers_once_that_is_ready(kennel: Kennel) -> None:
    watchdog, answer = kennel.ask()
    assert answer == {"ready": True}
    report = kennel.report()
    assert (report["watchdog"], report["ppid"], report["above"]) == (watchdog.pid,) * 2 + (True,)
    assert report["fate"] is None


def test_a_killed_supervisor_is_replaced_and_its_successor_told_how_it_ended(
    kennel: Kennel,
) -> None:
    kennel.ask()
    for count in (1, 2):
        old = kennel.report()["pid"]
        os.kill(old, signal.SIGKILL)
        fate = kennel.new_report(old)["fate"]
        assert (fate["died"], fate["reason"], fate["count"]) == ("signal 9", "killed", count)


def test_what_a_dead_supervisor_gave_it_to_keep_reaches_the_next_one(kennel: Kennel) -> None:
    kennel.ask()
    fifo = kennel.root / "fifo"
    os.mkfifo(fifo)
    old = kennel.report()["pid"]
    kennel.tell("hold", "fd.api", fifo)
    kennel.tell("hold", "gone", os.devnull)
    kennel.tell("drop", "gone")
    kennel.tell("hold", "later", os.devnull)  # and with it what was dropped before
    writer = os.open(fifo, os.O_WRONLY)
    os.write(writer, b"last words")
    os.close(writer)
    os.kill(old, signal.SIGKILL)
    assert sorted(kennel.new_report(old)["held"]) == ["fd.api", "later"]
    assert kennel.tell("read", "fd.api") == "last words"


def test_the_exits_of_orphans_are_told_to_the_next_supervisor(kennel: Kennel) -> None:
    kennel.ask()
    old = kennel.report()["pid"]
    program = "import os, time\nwhile os.getppid() == int('%d'): time.sleep(0.01)\nos._exit(37)"
    child = kennel.tell("spawn", sys.executable, "-c", program % old)
    os.kill(old, signal.SIGKILL)
    kennel.new_report(old)
    rows = kennel.await_(
        lambda: [row for row in kennel.report()["exits"] if row[0] == child and row[2] == 37 << 8]
    )
    assert rows[0][1] > 0
    again = kennel.report()["pid"]
    os.kill(again, signal.SIGKILL)
    assert rows[0] in kennel.new_report(again)["exits"]


def test_a_process_it_is_no_ancestor_of_tells_its_exit_through_its_pidfd(kennel: Kennel) -> None:
    stranger = subprocess.Popen(["sleep", "7002"])
    with open(f"/proc/{stranger.pid}/stat", encoding="ascii") as stat:
        ticks = int(stat.read().rpartition(")")[2].split()[19])
    kennel.ask()
    old = kennel.report()["pid"]
    kennel.tell("pidfd", f"pid.{stranger.pid}.{ticks}", stranger.pid)
    stranger.kill()
    stranger.wait()
    os.kill(old, signal.SIGKILL)
    report = kennel.new_report(old)
    assert report["held"] == []
    if knows_exits_of_others():
        assert [stranger.pid, ticks, signal.SIGKILL] in report["exits"]


def test_a_supervisor_that_was_never_ready_is_not_tried_again_when_a_person_waits(
    kennel: Kennel,
) -> None:
    kennel.mood("refuse")
    watchdog, answer = kennel.ask()
    assert answer == {"error": "no room", "held": False}
    assert watchdog.wait() == 1
    kennel.mood("silent")
    watchdog, answer = kennel.ask()
    assert "see " in answer["error"]
    assert "supervisor.log" in answer["error"]
    assert watchdog.wait() == 1


def test_a_supervisor_that_cannot_start_is_tried_again_and_again_when_nobody_waits(
    kennel: Kennel,
) -> None:
    kennel.mood("silent")
    kennel.start()
    kennel.await_(lambda: kennel.log().count("supervisor.ended") >= 3)
    kennel.await_(lambda: kennel.status()["status"] == "error")
    kennel.mood("")
    kennel.await_(lambda: kennel.status()["status"] == "healthy")


def test_a_stopped_supervisor_writes_its_stacks_and_is_replaced(kennel: Kennel) -> None:
    kennel.settle(**QUICK)
    kennel.ask()
    old = kennel.await_(kennel.report)["pid"]
    hang(old)
    fate = kennel.new_report(old)["fate"]
    assert (fate["died"], fate["reason"]) == ("signal 6", "hung")
    assert "Fatal Python error: Aborted" in kennel.log()


def test_a_supervisor_that_beats_is_left_alone(kennel: Kennel) -> None:
    kennel.settle(check_every=0.05, stale_after=20.0, failures=1)
    kennel.ask()
    pid = kennel.report()["pid"]
    first = kennel.await_(kennel.status)["last_check"]
    kennel.await_(lambda: kennel.status()["last_check"] > first + 1.0)
    assert kennel.report()["pid"] == pid
    assert kennel.status()["daemon_count"] == 7


def test_it_shows_in_every_round_that_it_lives_itself(kennel: Kennel) -> None:
    kennel.settle(check_every=0.2, stale_after=20.0, failures=3)
    kennel.ask()
    seen: list[float] = []

    def look() -> bool:
        beat = json.loads(kennel.home.heartbeat("watchdog").read_bytes())
        assert (beat["status"], beat["pid"]) == ("running", kennel.status()["pid"])
        if beat["timestamp"] not in seen:
            seen.append(beat["timestamp"])
        return len(seen) >= 6

    kennel.await_(look)
    assert seen == sorted(seen)


def test_a_beat_by_message_counts_when_no_disk_takes_the_file(kennel: Kennel) -> None:
    kennel.mood("by message")
    kennel.settle(check_every=0.1, stale_after=3.0, failures=1)
    kennel.ask()
    pid = kennel.report()["pid"]
    first = kennel.await_(kennel.status)["last_check"]
    kennel.await_(lambda: kennel.status()["last_check"] > first + 4.0)
    assert kennel.report()["pid"] == pid


def test_a_supervisor_without_beats_is_replaced(kennel: Kennel) -> None:
    kennel.mood("no beat")
    kennel.settle(**QUICK)
    kennel.ask()
    old = kennel.await_(kennel.report)["pid"]
    kennel.mood("")
    assert kennel.new_report(old)["fate"]["reason"] == "hung"


def test_settings_are_obeyed_while_it_runs(kennel: Kennel) -> None:
    kennel.settle(**HOUR)
    kennel.ask()
    old = kennel.report()["pid"]
    kennel.tell("settings", json.dumps(QUICK))
    hang(old)
    assert kennel.new_report(old)["fate"]["reason"] == "hung"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_and_the_supervisor_lives_on(
    kennel: Kennel, number: signal.Signals
) -> None:
    kennel.settle(**HOUR)
    watchdog, _ = kennel.ask()
    pid = kennel.report()["pid"]
    beat = kennel.home.heartbeat("watchdog")
    kennel.await_(beat.exists)
    assert kennel.home.pid("watchdog").read_text() == f"{watchdog.pid}\n"
    watchdog.send_signal(number)
    assert watchdog.wait(timeout=30) == 0
    assert kennel.await_(lambda: kennel.report()["lost"]) == [True]
    assert kennel.report()["pid"] == pid
    assert kennel.status()["status"] == "stopped"
    assert not beat.exists()
    assert not kennel.home.pid("watchdog").exists()
    assert not kennel.home.watchdog_socket.exists()


def test_it_takes_away_no_file_that_names_another(kennel: Kennel) -> None:
    watchdog, _ = kennel.ask()
    kennel.home.pid("watchdog").write_text("99999\n")
    watchdog.terminate()
    watchdog.wait()
    assert kennel.home.pid("watchdog").read_text() == "99999\n"


def test_a_second_watchdog_is_refused(kennel: Kennel) -> None:
    kennel.ask()
    assert kennel.start().wait() == 4
    assert "watchdog.lock is held" in kennel.log()


def test_a_second_watchdog_takes_over_and_the_supervisor_stays(kennel: Kennel) -> None:
    first, _ = kennel.ask()
    pid = kennel.report()["pid"]
    kennel.tell("hold", "null", os.devnull)
    second = kennel.start("--take-over")
    assert first.wait() == 0
    kennel.await_(lambda: kennel.report()["lost"] == [True])
    kennel.await_(lambda: kennel.tell("call"))
    kennel.await_(lambda: kennel.report()["watchdog"] == second.pid)
    report = kennel.report()
    assert (report["pid"], report["above"]) == (pid, False)
    os.kill(pid, signal.SIGKILL)
    report = kennel.new_report(pid)
    assert (report["held"], report["ppid"]) == (["null"], second.pid)


def test_a_living_supervisor_is_found_by_a_new_watchdog(kennel: Kennel) -> None:
    first, _ = kennel.ask()
    old = kennel.report()["pid"]
    first.kill()
    first.wait()
    kennel.await_(lambda: kennel.report()["lost"] == [False])
    second, answer = kennel.ask()
    assert (answer["held"], answer["stays"]) == (True, True)
    os.kill(old, signal.SIGKILL)
    assert kennel.new_report(old)["ppid"] == second.pid


def test_an_end_by_order_ends_the_watchdog_too(kennel: Kennel) -> None:
    watchdog, _ = kennel.ask()
    kennel.tell("ending")
    os.kill(kennel.report()["pid"], signal.SIGKILL)
    assert watchdog.wait() == 0
    assert kennel.living() == []


def test_a_supervisor_that_ends_well_is_not_replaced(kennel: Kennel) -> None:
    watchdog, _ = kennel.ask()
    with contextlib.suppress(ValueError):
        kennel.tell("exit", 0)
    assert watchdog.wait() == 0


def count_null(pid: int) -> int:
    """Return how often a process has open what the puppet gives away: no other descriptor is counted."""
    folder, count = f"/proc/{pid}/fd", 0
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # it opens and closes while it is looked at
            count += os.readlink(f"{folder}/{name}") == os.devnull
    return count


def test_a_stopped_watchdog_never_blocks_its_supervisor_and_gets_all_later(
    kennel: Kennel,
) -> None:
    watchdog, _ = kennel.ask()
    own = count_null(watchdog.pid)
    watchdog.send_signal(signal.SIGSTOP)
    kennel.tell("many", 3000)
    old = kennel.report()["pid"]
    watchdog.send_signal(signal.SIGCONT)
    kennel.await_(lambda: count_null(watchdog.pid) == own + 3000)
    os.kill(old, signal.SIGKILL)
    assert len(kennel.new_report(old)["held"]) == 3000


def test_a_runtime_folder_that_vanished_stands_again_for_the_next_supervisor(
    kennel: Kennel,
) -> None:
    kennel.ask()
    old = kennel.report()["pid"]
    shutil.rmtree(kennel.folder)
    os.kill(old, signal.SIGKILL)
    assert kennel.new_report(old)["watchdog"] is not None


def test_systemd_is_told_that_it_is_ready_lives_and_stops(kennel: Kennel) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(kennel.folder / "notify"))
        systemd.settimeout(30)
        # A word a second: the queue is short, and what finds it full is lost.
        env = {"NOTIFY_SOCKET": str(kennel.folder / "notify"), "WATCHDOG_USEC": "2000000"}
        watchdog = kennel.start(env=env)
        wanted = {b"READY=1", b"WATCHDOG=1", b"STATUS=supervisor: healthy, services: 0"}
        said: set[bytes] = set()
        while not wanted <= said:
            said.add(systemd.recv(1000))
        watchdog.terminate()
        while systemd.recv(1000) != b"STOPPING=1":
            pass
        watchdog.wait()


def test_a_full_disk_does_not_end_it(kennel: Kennel) -> None:
    watchdog, _ = kennel.ask()
    for name in ("heartbeats", "logs", "pids"):
        folder = kennel.home.root / name
        folder.rename(folder.with_suffix(".away"))
    old = kennel.report()["pid"]
    os.kill(old, signal.SIGKILL)
    assert watchdog.poll() is None
    for name in ("heartbeats", "logs", "pids"):
        folder = kennel.home.root / name
        folder.with_suffix(".away").rename(folder)
    kennel.new_report(old)
    assert watchdog.poll() is None


def test_it_survives_deaths_at_any_instant(kennel: Kennel) -> None:
    watchdog, _ = kennel.ask()
    killed: set[int] = set()
    while len(killed) < 10:
        pid = kennel.await_(
            lambda: next((pid for pid in puppets(kennel) if pid not in killed), None)
        )
        time.sleep(0.03 * len(killed))
        killed.add(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    kennel.await_(lambda: kennel.report()["pid"] not in killed)
    assert watchdog.poll() is None
    assert kennel.report()["fate"] is not None
