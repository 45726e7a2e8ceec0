"""Other people's notify clients inside a service: systemd-notify, the sdnotify package, a C program."""

import contextlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if sys.platform != "linux":
    pytest.skip("notify sockets with credentials need Linux", allow_module_level=True)

from holdfast import statefile
from holdfast.errors import LockHeld, StateError
from holdfast.home import Home

if TYPE_CHECKING:
    from tests.conftest import Machine

needs_systemd_notify = pytest.mark.skipif(
    shutil.which("systemd-notify") is None, reason="systemd-notify is not installed"
)

RESTARTS = 'restart = { delay = "20ms", min_gap = "0s", limit = "none" }'

SHELL = """
# Each file that appears asks for one thing to be done; it is removed once that was done.
: > born.$HOLDFAST_GENERATION
while :; do
    for word in ready beat text trigger extend child main end; do
        [ -e "$word" ] || continue
        case "$word" in
            ready) systemd-notify --ready --status="$(cat ready)" ;;
            beat) systemd-notify WATCHDOG=1 ;;
            text) systemd-notify --status="$(cat text)" ;;
            trigger) systemd-notify WATCHDOG=trigger ;;
            extend) systemd-notify EXTEND_TIMEOUT_USEC=60000000 ;;
            child) sleep 7301 & echo $! > child.pid ;;
            main) systemd-notify --pid="$(cat child.pid)" ;;
            end) rm end; exit 0 ;;
        esac
        rm "$word"
    done
    sleep 0.02
done
"""

SDNOTIFY = """
import os, time
import sdnotify
notifier = sdnotify.SystemdNotifier()
notifier.notify("READY=1")
number = 0
while not os.path.exists("quiet"):
    number += 1
    notifier.notify(f"WATCHDOG=1\\nSTATUS=beat {number}")
    time.sleep(0.02)
print("quiet", flush=True)
time.sleep(3600)
"""

IN_C = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void notify(const char *text) {
    const char *address = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!address || strlen(address) >= sizeof to.sun_path) exit(91);
    strcpy(to.sun_path, address);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof to) < 0) {
        perror("sendto");
        exit(92);
    }
    close(fd);
}

int main(void) {
    const char *lease = getenv("WATCHDOG_USEC");
    if (!lease || atol(lease) != 3000000) return 93;
    notify("READY=1\nSTATUS=written in C");
    while (access("quiet", F_OK)) {
        notify("WATCHDOG=1");
        usleep(20000);
    }
    pause();
}
"""


def do(machine: "Machine", word: str, said: str = "") -> None:
    """Have the shell service do one thing, and wait until it was done."""
    path = machine.root / word
    path.with_suffix(".new").write_text(said)
    path.with_suffix(".new").rename(path)
    machine.await_(lambda: not path.exists())


def beat(machine: "Machine") -> dict[str, Any]:
    """Return what the service says of itself, as the command shows it."""
    told = json.loads(machine.holdfast("status", "a", "--json").stdout)
    found: dict[str, Any] = told["services"][0]["beat"] or {}
    return found


def row_beat(machine: "Machine") -> dict[str, Any]:
    return machine.row("a").get("beat") or {}


def last_reason(machine: "Machine", old: int) -> str:
    """Wait for the process after this one, and return why there is one."""
    machine.await_new_pid("a", old)
    reason: str = machine.history("a")[-1]["reason"]
    return reason


@pytest.fixture
def shell(machine: "Machine") -> "Machine":
    """Start a service that speaks through systemd-notify, and is not ready yet."""
    (machine.root / "service.sh").write_text(SHELL)
    machine.config(f"""
        [service.a]
        command = ["sh", "service.sh"]
        cwd = "."
        ready = {{ notify = true, timeout = "50s" }}
        heartbeat = {{ every = "10s", lease = "40s" }}
        stop = {{ timeout = "2s" }}
        {RESTARTS}
    """)
    machine.begin()
    machine.await_((machine.root / "born.1").exists)
    return machine


@needs_systemd_notify
def test_systemd_notify_makes_a_service_ready_beats_and_shows_its_text(shell: "Machine") -> None:
    assert shell.row("a")["state"] == "starting"
    do(shell, "ready", "Ready to serve: äöü")
    shell.await_state("a", "running")
    shell.await_(lambda: row_beat(shell).get("text") == "Ready to serve: äöü")
    do(shell, "beat")
    shell.await_(lambda: row_beat(shell).get("beat_at"))
    do(shell, "text", "Busy; 3 jobs")
    shell.await_(lambda: row_beat(shell).get("text") == "Busy; 3 jobs")
    assert beat(shell)["text"] == "Busy; 3 jobs"
    assert shell.row("a")["health"] == "ok"
    assert "heartbeat.refused" not in {event["kind"] for event in shell.events()}


@needs_systemd_notify
def test_a_main_process_named_by_systemd_notify_is_the_service_from_then_on(
    shell: "Machine",
) -> None:
    do(shell, "ready")
    shell.await_state("a", "running")
    do(shell, "child")
    child = int((shell.root / "child.pid").read_text())
    do(shell, "main")
    shell.await_(lambda: shell.row("a")["pid"] == child)
    shell.kill_supervisor()
    shell.await_(lambda: shell.row("a")["adopted"] and shell.row("a")["pid"] == child)
    shell.kill(child)
    shell.await_((shell.root / "born.2").exists)
    shell.await_new_pid(
        "a", child
    )  # from here on it is in the record, which the history is read from
    assert shell.history("a")[-1]["pid"] not in (child, None)
    assert len(shell.copies("a")) == 1


@needs_systemd_notify
def test_a_service_that_asks_for_it_is_replaced_at_once(shell: "Machine") -> None:
    do(shell, "ready")
    shell.await_state("a", "running")
    old = shell.pid("a")
    do_not_wait = shell.root / "trigger"
    do_not_wait.touch()
    shell.await_new_pid("a", old)
    do_not_wait.unlink(missing_ok=True)
    assert any(event["kind"] == "heartbeat.triggered" for event in shell.events())
    assert shell.history("a")[-1]["reason"] == "lease"


@needs_systemd_notify
def test_more_time_to_start_is_given_to_who_asks_for_it(machine: "Machine") -> None:
    (machine.root / "service.sh").write_text(SHELL)
    (machine.root / "extend").touch()
    machine.config(f"""
        [service.a]
        command = ["sh", "service.sh"]
        cwd = "."
        ready = {{ notify = true, timeout = "5s" }}
        {RESTARTS}
        [service.clock]
        command = ["sleep", "7302"]
        ready = {{ command = ["sh", "-c", "test -e late"], timeout = "6s" }}
        cwd = "."
        restart = {{ when = "never" }}
    """)
    machine.begin()
    machine.await_(lambda: not (machine.root / "extend").exists())
    machine.await_state("clock", "failed", "backoff")  # a longer time than the other had of itself
    assert machine.row("a")["state"] == "starting"
    assert not (machine.root / "born.2").exists()
    do(machine, "ready")
    machine.await_state("a", "running")


def sdnotify_service(machine: "Machine", lease: str) -> None:
    pytest.importorskip("sdnotify")
    (machine.root / "speaks.py").write_text(SDNOTIFY)
    machine.config(f"""
        [service.a]
        command = [{sys.executable!r}, "speaks.py"]
        cwd = "."
        ready = {{ notify = true }}
        heartbeat = {{ every = "500ms", lease = "{lease}" }}
        stop = {{ timeout = "2s" }}
        {RESTARTS}
    """)
    machine.up()


def test_a_service_that_speaks_through_sdnotify_and_falls_silent_is_restarted_for_its_lease(
    machine: "Machine",
) -> None:
    sdnotify_service(machine, "3s")
    old = machine.pid("a")
    machine.await_(lambda: (row_beat(machine).get("text") or "").startswith("beat "))
    (machine.root / "quiet").touch()
    machine.await_(lambda: machine.log("a").endswith(b"quiet\n"))
    (machine.root / "quiet").unlink()  # the next one shall beat
    assert last_reason(machine, old) == "lease"
    kinds = [event["kind"] for event in machine.events() if event["subject"] == "a"]
    assert "heartbeat.expired" in kinds
    assert kinds.index("service.degraded") < kinds.index("heartbeat.expired")
    assert machine.copies("a") == [machine.await_(lambda: machine.row("a")["pid"])]


def holder(lock: Path) -> int | None:
    with contextlib.suppress(LockHeld, StateError):
        return statefile.holder(lock)
    return None


def number(machine: "Machine") -> int:
    """Return the number of the newest beat."""
    text = row_beat(machine).get("text") or "beat 0"
    return int(text.removeprefix("beat "))


def await_number(machine: "Machine", least: int) -> None:
    machine.await_(lambda: number(machine) > least)


def test_a_service_that_stays_connected_by_sdnotify_still_beats_after_three_supervisors(
    machine: "Machine",
) -> None:
    sdnotify_service(machine, "30s")
    pid = machine.pid("a")
    for _ in range(3):
        before = machine.await_(lambda: number(machine))
        machine.kill_supervisor()
        machine.adopt("a")
        await_number(machine, before + 5)
        assert machine.pid("a") == pid
    row = machine.row("a")
    assert (row["state"], row["health"], row["restarts"]) == ("running", "ok", 0)
    kinds = {event["kind"] for event in machine.events()}
    assert not kinds & {"heartbeat.suspended", "heartbeat.deaf", "heartbeat.refused"}
    assert b"Traceback" not in machine.log("a")


def test_after_the_death_of_both_sdnotify_is_deaf_and_left_alone(machine: "Machine") -> None:
    sdnotify_service(machine, "3s")
    pid = machine.pid("a")
    home = Home(machine.home)
    found = [holder(home.watchdog_lock), holder(home.supervisor_lock)]
    pids = [one for one in found if one is not None]
    for one in pids:
        machine.kill(one, 19)
    for one in pids:
        machine.kill(one)
    machine.await_(lambda: not any(machine.is_alive(one) for one in pids))
    said = machine.up().stdout
    assert "0/1 healthy; degraded until the next beat or look: a" in said
    machine.await_(
        lambda: any(event["kind"] == "heartbeat.suspended" for event in machine.events())
    )
    machine.await_(lambda: machine.row("a")["health"] == "degraded")
    since = time.monotonic()
    machine.await_(lambda: time.monotonic() - since > 9.0)  # three leases of silence
    row = machine.row("a")
    assert (row["pid"], row["health"], row["restarts"]) == (pid, "degraded", 0)
    kinds = {event["kind"] for event in machine.events()}
    assert not kinds & {"heartbeat.expired", "service.recovered"}


def test_a_program_in_c_is_ready_beats_and_is_restarted_when_it_falls_silent(
    machine: "Machine",
) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    source, program = machine.root / "beats.c", machine.root / "beats"
    source.write_text(IN_C)
    subprocess.run([compiler, "-o", str(program), str(source)], check=True)
    machine.config(f"""
        [service.a]
        command = ["./beats"]
        cwd = "."
        ready = {{ notify = true }}
        heartbeat = {{ every = "1s", lease = "3s" }}
        stop = {{ timeout = "20s" }}
        {RESTARTS}
    """)
    machine.up()
    old = machine.pid("a")
    machine.await_(lambda: row_beat(machine).get("beat_at"))
    assert row_beat(machine)["text"] == "written in C"
    (machine.root / "quiet").touch()
    assert last_reason(machine, old) == "lease"
    (machine.root / "quiet").unlink()
    exits = [event for event in machine.events() if event["kind"] == "service.exited"]
    assert {event["signal"] for event in exits} == {6}
