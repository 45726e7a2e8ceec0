"""Beats over the deaths of supervisors: what was said arrives, what was not said is nobody's fault but the service's."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)

if TYPE_CHECKING:
    from tests.conftest import Machine

BEATS = """
# Says in the words of sd_notify what stands in `say`, and is silent otherwise.
import os, socket, time
to = os.environ["NOTIFY_SOCKET"]
open("socket." + os.environ["HOLDFAST_GENERATION"], "w").write(to)
while True:
    if os.path.exists("say"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(open("say", "rb").read(), to)
        os.unlink("say")
        print("said", flush=True)
    time.sleep(0.01)
"""

ALWAYS = """
import itertools, os, socket, time
sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sender.setblocking(False)
for number in itertools.count():
    try:
        sender.sendto(b"WATCHDOG=1", os.environ["NOTIFY_SOCKET"])
    except OSError:
        pass
    time.sleep(0.05)
"""

LEASE_S = 3.0
"""Seconds: a machine that gives a service no time for two of them shall not pass for its silence."""

RESTARTS = 'restart = { delay = "20ms", min_gap = "0s", limit = "none" }'


def service(script: str, lease: str, more: str = "") -> str:
    return f"""
        [service.a]
        command = [{sys.executable!r}, "-I", "-S", "{script}"]
        cwd = "."
        heartbeat = {{ every = "100ms", lease = "{lease}" }}
        stop = {{ timeout = "1s" }}
        {RESTARTS}
        {more}
    """


def say(machine: "Machine", words: str) -> None:
    """Have the service send one datagram, and return once it has."""
    path = machine.root / "say"
    path.with_suffix(".new").write_text(words)
    path.with_suffix(".new").rename(path)
    machine.await_(lambda: not path.exists())


def beat(machine: "Machine") -> dict[str, Any]:
    return machine.row("a").get("beat") or {}


def kinds(machine: "Machine") -> list[str]:
    return [event["kind"] for event in machine.events() if event["subject"] == "a"]


@pytest.fixture
def speaking(machine: "Machine") -> "Machine":
    """Start a service that beats when it is told to."""
    (machine.root / "beats.py").write_text(BEATS)
    machine.config(service("beats.py", "1h"))
    machine.up()
    return machine


def test_a_beat_sent_while_no_supervisor_lives_arrives(speaking: "Machine") -> None:
    pid, supervisor = speaking.pid("a"), speaking.supervisor()
    speaking.kill(supervisor, 19)
    say(speaking, "WATCHDOG=1\nSTATUS=said to nobody")
    speaking.kill(supervisor)
    speaking.adopt("a")
    speaking.await_(lambda: beat(speaking).get("text") == "said to nobody")
    assert (speaking.pid("a"), speaking.row("a")["health"]) == (pid, "ok")
    assert "heartbeat.suspended" not in kinds(speaking)


@pytest.mark.timeout(120)
def test_a_supervisor_stopped_for_five_leases_blames_nobody(machine: "Machine") -> None:
    (machine.root / "always.py").write_text(ALWAYS)
    machine.config(service("always.py", f"{LEASE_S}s"))
    machine.up()
    pid, supervisor = machine.pid("a"), machine.supervisor()
    machine.await_(lambda: beat(machine).get("beat_at"))
    machine.kill(supervisor, 19)
    let_go_by(5 * LEASE_S)
    machine.kill(supervisor, 18)
    seen = beat(machine)["beat_at"]
    machine.await_(lambda: beat(machine)["beat_at"] > seen)
    let_go_by(1.5 * LEASE_S)
    row = machine.row("a")
    assert (machine.supervisor(), row["pid"], row["restarts"]) == (supervisor, pid, 0)
    assert "heartbeat.expired" not in kinds(machine)


def let_go_by(seconds: float) -> None:
    """Let time go by, as a program of its own counts it."""
    subprocess.run(["sleep", str(seconds)], check=True)


def test_silence_ends_in_a_restart_for_the_lease_and_the_adopted_is_judged_alike(
    machine: "Machine",
) -> None:
    (machine.root / "beats.py").write_text(BEATS)
    machine.config(service("beats.py", "2s"))
    machine.begin()
    machine.await_((machine.root / "socket.1").exists)
    machine.await_state("a", "running")
    machine.kill_supervisor()
    machine.await_((machine.root / "socket.2").exists)
    assert machine.history("a")[0]["reason"] == "lease"
    assert machine.await_(lambda: len(machine.copies("a")) == 1)


def test_three_errors_in_a_row_make_a_service_bad_and_one_good_beat_heals_it(
    speaking: "Machine",
) -> None:
    pid = speaking.pid("a")
    for _ in range(2):
        say(speaking, "WATCHDOG=1\nX_HOLDFAST_STATUS=error\nX_HOLDFAST_ERROR=no route to db")
    speaking.await_(lambda: beat(speaking).get("error") == "no route to db")
    assert speaking.row("a")["health"] != "bad"
    speaking.kill_supervisor()
    speaking.adopt("a")
    for _ in range(3):
        say(speaking, "WATCHDOG=1\nX_HOLDFAST_STATUS=error\nX_HOLDFAST_ERROR=no route to db")
    speaking.await_(lambda: speaking.row("a")["health"] == "bad")
    (event,) = [one for one in speaking.events() if one["kind"] == "service.bad"]
    assert event["severity"] == "critical"
    say(speaking, "WATCHDOG=1")
    speaking.await_(lambda: speaking.row("a")["health"] == "ok")
    assert speaking.pid("a") == pid


def test_beats_of_strangers_of_the_future_and_of_an_earlier_start_are_refused(
    speaking: "Machine",
) -> None:
    speaking.config(
        "\n".join(
            line for line in service("beats.py", "1h").splitlines() if "heartbeat" not in line
        )
    )
    speaking.up()
    first = (speaking.root / "socket.1").read_text()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"WATCHDOG=1\nSTATUS=of a stranger", first)
        speaking.await_(lambda: "heartbeat.refused" in kinds(speaking))
        assert beat(speaking).get("text") is None
        speaking.holdfast("restart", "a")
        with pytest.raises(OSError, match=r"No such file|refused"):
            stranger.sendto(b"WATCHDOG=1", first)
    stamp = {"timestamp": 4_000_000_000, "generation": 2, "status": "healthy"}
    old = {"timestamp": 1_000_000_000, "generation": 1, "status": "healthy"}
    assert beat(speaking) == {}  # from this look on a file is of this start
    for count, content in ((2, stamp), (3, old)):
        write(speaking.home / "heartbeats" / "a.json", content)
        await_refusals(speaking, count)
    assert beat(speaking).get("beat_at") is None


def await_refusals(machine: "Machine", count: int) -> None:
    """Wait until so many reasons to refuse were found; without a lease it is the question that has a look taken."""
    machine.await_(lambda: beat(machine) or kinds(machine).count("heartbeat.refused") == count)


def write(path: Path, content: dict[str, Any]) -> None:
    fresh = path.with_suffix(".fresh")
    fresh.write_text(json.dumps(content))
    fresh.rename(path)


AS_NOBODY = """
test "$(id -u)" = 65534 || exit 9
systemd-notify --ready --status="by socket" || exit 8
echo nobody speaks
own=${NOTIFY_SOCKET%/*}/heartbeat
number=0
while :; do
    number=$((number + 1))
    printf '{"timestamp": %s, "progress": %s, "status": "syncing"}' "$(date +%s.%N)" "$number" > "$own/fresh"
    mv "$own/fresh" "$own/a.json"
    sleep 0.1
done
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start programs of another user")
@pytest.mark.skipif(shutil.which("systemd-notify") is None, reason="systemd-notify is missing")
def test_a_service_of_another_user_beats_by_socket_and_file_and_logs_over_kills(
    machine: "Machine",
) -> None:
    machine.runtime.chmod(0o711)
    script = AS_NOBODY.replace("$", "$$")
    machine.config(f"""
        [service.a]
        command = ["sh", "-c", {json.dumps(script)}]
        cwd = "/"
        user = "nobody"
        ready = {{ notify = true, timeout = "20s" }}
        heartbeat = {{ every = "1s", lease = "30s" }}
        {RESTARTS}
    """)
    machine.up()
    pid = machine.pid("a")
    for _ in range(2):
        machine.await_(lambda: beat(machine).get("status") == "syncing")
        seen = beat(machine)["progress"]
        machine.kill_supervisor()
        machine.adopt("a")
        await_progress(machine, seen)
        machine.await_state("a", "running")
        row = machine.row("a")
        assert (row["pid"], row["health"]) == (pid, "ok")
    assert machine.log("a") == b"nobody speaks\n"
    machine.await_(lambda: shown(machine).get("status") == "syncing")


def await_progress(machine: "Machine", seen: float) -> None:
    machine.await_(lambda: (beat(machine).get("progress") or 0) > seen)


def shown(machine: "Machine") -> dict[str, Any]:
    path = machine.home / "heartbeats" / "a.json"
    found: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    return found
