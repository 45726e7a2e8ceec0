"""`up` and `down` as a person types them: steps, repeats, single names, the foreground and Ctrl-C."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if sys.platform == "win32":
    pytest.skip("these tests use POSIX processes", allow_module_level=True)

if TYPE_CHECKING:
    from tests.conftest import Machine

EXAMPLES = Path(__file__).parents[2] / "examples"

TWO = """
    [service.a]
    command = ["sleep", "5001"]
    [service.b]
    command = ["sleep", "5002"]
"""


def test_the_memory_example_comes_up_in_ten_steps_and_mends_itself(machine: "Machine") -> None:
    machine.file = EXAMPLES / "memory-daemons" / "holdfast.toml"
    said = machine.up().stdout
    assert re.findall(r"^\[(\d+)/10\]", said, re.MULTILINE) == [str(n) for n in range(1, 11)]
    assert "8/8 healthy" in said
    rows = machine.rows()
    assert len(rows) == 8
    assert all(row["state"] == "running" for row in rows.values())

    old = machine.pid("context")
    machine.kill(old)
    new = machine.await_new_pid("context", old)
    machine.await_(lambda: (machine.home / "pids" / "context.pid").read_text().strip() == str(new))
    (row,) = machine.history("context")
    expected = {"reason": "signal", "signal": 9, "exit_code": None, "success": True, "pid": new}
    assert {key: row[key] for key in expected} == expected
    health = [json.loads(line) for line in machine.log("health").splitlines()]
    assert any(
        line["service"] == "context" and line["message"] == "service.restarted" for line in health
    )

    again = machine.up().stdout
    assert "8 already running" in again
    assert machine.pid("context") == new
    machine.holdfast("down")
    assert machine.living() == []


def test_up_is_idempotent_and_touches_nothing_that_runs(machine: "Machine") -> None:
    machine.config(TWO)
    machine.up()
    before = {name: row["pid"] for name, row in machine.rows().items()}
    assert "2 already running" in machine.up().stdout
    assert {name: row["pid"] for name, row in machine.rows().items()} == before


def test_up_of_one_name_starts_that_one_only(machine: "Machine") -> None:
    machine.config(TWO)
    assert "1/1 healthy" in machine.up("a").stdout
    assert (machine.row("a")["state"], machine.row("b")["state"]) == ("running", "down")


def test_up_of_an_unknown_name_is_wrong_use_with_a_suggestion(machine: "Machine") -> None:
    machine.config("""
        [service.backend]
        command = ["sleep", "5003"]
    """)
    done = machine.up("bakend", expect=2)
    assert "'backend'" in done.stderr
    assert machine.living("backend") == []


def test_up_of_services_that_finish_at_once_is_a_success(machine: "Machine") -> None:
    machine.config("""
        [defaults.restart]
        when = "never"
        [service.a]
        command = ["true"]
        [service.b]
        command = ["true"]
    """)
    assert "2/2 healthy" in machine.up().stdout
    assert {row["state"] for row in machine.rows().values()} == {"done"}


def test_up_without_waiting_succeeds_while_services_still_start(machine: "Machine") -> None:
    machine.config(TWO)
    machine.up("--no-wait")


def test_four_at_once_make_one_supervisor_and_one_copy(machine: "Machine") -> None:
    machine.config(TWO)
    together = [machine.beside("up", "-c", str(machine.file)) for _ in range(4)]
    said = [machine.finished(one, expect=None) for one in together]
    assert [one.returncode for one in together] == [0, 0, 0, 0], said
    assert all(machine.copies(name) == [machine.pid(name)] for name in ("a", "b"))
    services = set(machine.living("a") + machine.living("b"))
    assert set(machine.living()) - services == {machine.supervisor(), machine.watchdog()}


def test_up_shows_what_failed_starts_the_rest_and_exits_1(machine: "Machine") -> None:
    machine.config("""
        [startup]
        steps = [
          { name = "Fail", command = ["sh", "-c", "echo no luck >&2; exit 3"] },
          { name = "Missing", command = ["no-such-program"] },
          { name = "Late", command = ["sh", "-c", "echo late"], at = "after" },
        ]
        [service.a]
        command = ["sleep", "5004"]
        [service.broken]
        command = ["no-such-program"]
    """)
    said = machine.up(expect=1).stdout
    assert re.findall(r"^\[(\d)/7\]", said, re.MULTILINE) == list("1234567")
    assert "no luck" in said
    assert "late" in said
    assert "1/2 healthy" in said
    assert machine.row("a")["state"] == "running"


@pytest.mark.parametrize("hup", [False, True])
def test_down_twice_is_no_error(machine: "Machine", hup: bool) -> None:
    machine.config(TWO)
    machine.begin()
    machine.holdfast("down")
    assert machine.living() == []
    assert "nothing is running" in machine.holdfast("down").stdout
    if hup:
        machine.up()
        assert machine.row("a")["state"] == "running"


def test_down_that_keeps_the_services_lets_the_next_up_adopt_them(machine: "Machine") -> None:
    machine.config(TWO)
    machine.up()
    before = {name: row["pid"] for name, row in machine.rows().items()}
    machine.holdfast("down", "--keep-services")
    assert len(machine.living()) == 2
    machine.up()
    after = machine.rows()
    assert {name: row["pid"] for name, row in after.items()} == before
    assert all(row["adopted"] for row in after.values())


def foreground(machine: "Machine") -> "subprocess.Popen[str]":
    running = machine.beside("up", "-c", str(machine.file), "--foreground")
    assert running.stdout is not None
    for line in running.stdout:
        if "In the foreground" in line:
            break
    return running


def test_one_ctrl_c_in_the_foreground_stops_everything(machine: "Machine") -> None:
    machine.config(TWO)
    running = foreground(machine)
    assert machine.row("a")["state"] == "running"
    os.killpg(running.pid, signal.SIGINT)
    machine.finished(running, expect=130)
    assert machine.living() == []


def test_a_second_ctrl_c_in_the_foreground_kills(machine: "Machine") -> None:
    machine.config("""
        [service.a]
        command = ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"]
        stop = { timeout = "1h" }
    """)
    running = foreground(machine)
    os.killpg(running.pid, signal.SIGINT)
    machine.await_state("a", "stopping")
    os.killpg(running.pid, signal.SIGINT)
    machine.finished(running, expect=130)
    assert machine.living() == []


def test_term_in_the_foreground_stops_everything_cleanly(machine: "Machine") -> None:
    machine.config(TWO)
    running = foreground(machine)
    running.terminate()
    machine.finished(running, expect=0)
    assert machine.living() == []


def test_ctrl_c_while_the_foreground_still_starts_ends_everything(machine: "Machine") -> None:
    machine.config(TWO)
    running = machine.beside("up", "-c", str(machine.file), "--foreground")
    machine.await_(lambda: machine.row("a")["pid"])
    os.killpg(running.pid, signal.SIGINT)
    machine.finished(running, expect=130)
    assert machine.living() == []


def test_a_foreground_beside_a_running_supervisor_is_refused(machine: "Machine") -> None:
    machine.config(TWO)
    machine.begin()
    pid = machine.supervisor()
    done = machine.up("--foreground", expect=4)
    assert str(machine.watchdog()) in done.stderr
    assert machine.supervisor() == pid


def test_ctrl_c_during_up_says_130_and_leaves_a_supervisor_that_obeys(machine: "Machine") -> None:
    machine.config(
        """
        [startup]
        steps = [{ name = "Slow", command = ["sh", "-c", "until [ -e go ]; do sleep 0.05; done"], at = "after" }]
    """
        + TWO
    )
    running = machine.beside("up", "-c", str(machine.file))
    machine.await_(lambda: machine.row("a")["pid"])
    os.killpg(running.pid, signal.SIGINT)
    machine.finished(running, expect=130)
    assert machine.row("a")["pid"]
    (machine.root / "go").touch()
    machine.up()


def test_up_holds_none_of_the_callers_descriptors(machine: "Machine") -> None:
    machine.config(TWO)
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    machine.holdfast("up", "-c", str(machine.file), "--no-wait", pass_fds=(writer,), expect=None)
    os.close(writer)
    with os.fdopen(reader, "rb") as rest:
        assert rest.read() == b""
    supervisor = machine.supervisor()
    assert os.getsid(supervisor) == supervisor
    # What is just beginning has its libraries open for a moment.
    fds = f"/proc/{machine.pid('a')}/fd"
    machine.await_(lambda: set(os.listdir(fds)) == {"0", "1", "2"})


def test_an_order_of_the_wrong_kind_leaves_the_running_services_alone(machine: "Machine") -> None:
    machine.config(TWO)
    machine.begin()
    for words in (
        ["nonsense"],
        ["stop"],
        ["stop", "--all", "--nonsense"],
        ["down", "--timeout", "soon"],
        ["down", "--timeout", "-1s"],
        ["down", "--timeout", "\u00b2s"],
        ["down", "--timeout", "nans"],
        ["logs", "-n", "x"],
        ["logs", "--since", "yesterdayish"],
        ["history"],
        ["start", "nobody"],
        ["signal", "HUP"],
        ["history", "nobody"],
        ["logs", "nobody"],
        ["status", "nobody"],
        ["reload", "nobody"],
        ["up", "-c", "/no/such/file.toml"],
    ):
        done = machine.holdfast(*words, expect=2)
        assert done.stderr.strip(), words
    assert all(row["pid"] for row in machine.rows().values())


def test_the_interpreter_of_the_steps_is_told_to_the_configuration(machine: "Machine") -> None:
    machine.config("""
        [service.a]
        command = ["${HOLDFAST_PYTHON}", "-c", "import sys, time; print(sys.executable, flush=True); time.sleep(5005)"]
    """)
    machine.begin()
    machine.await_(lambda: machine.log("a"))
    assert machine.log("a").decode().strip() == sys.executable
