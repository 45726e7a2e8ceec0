"""What people and programs get wrong: one clear message, the right exit code, nothing half done, no traceback."""

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdfast.home import Home

if sys.platform == "win32":
    pytest.skip("these tests use POSIX processes", allow_module_level=True)

if TYPE_CHECKING:
    from tests.conftest import Machine

RUNNING = """
    [service.good]
    command = ["sleep", "6001"]
"""


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('comand = ["sleep", "1"]', "command"),
        ('command = ["sleep", "1"]\nrestart = { limit = "often" }', "limit"),
        ('command = ["sleep", "1"]\nneeds = ["godo"]', "good"),
        ('command = ["sleep", "1"]\nstop = { timeout = 10 }', "timeout"),
        ('command = ""', "command"),
        ("command = []", "command"),
        ("command = 5", "command"),
        ("", "command"),
        ('command = ["a\\u0000b"]', "command"),
        ('command = ["sleep", "1"]\nenv = { "A=B" = "1" }', "env"),
        ('command = ["sleep", "1"]\nenv = { A = "x\\u0000y" }', "env"),
        ('command = ["sleep", "1"]\numask = "999"', "umask"),
        ('command = ["sleep", "1"]\ninstances = 0', "instances"),
        ('command = ["sleep", "1"]\nneeds = ["typo"]', "needs"),
        ("command = [", "TOML"),
    ],
)
def test_a_fault_in_the_file_changes_nothing_and_names_its_place(
    machine: "Machine", lines: str, told: str
) -> None:
    machine.config(f"[service.typo]\n{lines}\n")
    with machine.file.open("a", encoding="utf-8") as file:
        file.write('[service.good]\ncommand = ["sleep", "6001"]\n')
    done = machine.up(expect=2)
    assert told in done.stderr
    assert "holdfast.toml" in done.stderr
    assert machine.living() == []


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('command = ["no-such-program"]', "no-such-program"),
        ('command = ["./not-executable"]', "not-executable"),
        ('command = ["./no-interpreter"]', "no-interpreter"),
        ('command = ["./a-folder"]', "a-folder"),
        ('command = ["sleep", "1"]\ncwd = "no/such/folder"', "no/such/folder"),
        ('command = ["sleep", "1"]\ncwd = "not-executable"', "not-executable"),
        ('command = ["sleep", "1"]\nuser = "nobody-at-all"', "nobody-at-all"),
        ('command = ["sleep", "1"]\nenv_file = "no.env"', "no.env"),
        ('command = ["sleep", "1"]\nenv_file = "bad.env"', "bad.env"),
        ('command = ["sleep", "1"]\nenv_file = "a-folder"', "a-folder"),
        ("command = ['true', '" + "x" * 200_000 + "']", "long"),
    ],
    ids=lambda value: value[:40],
)
def test_what_cannot_be_executed_fails_at_once_with_the_reason_and_the_rest_runs(
    machine: "Machine", lines: str, told: str
) -> None:
    (machine.root / "not-executable").write_text("#!/bin/sh\n")
    (machine.root / "no-interpreter").write_text("#!/no/such/interpreter\n")
    (machine.root / "no-interpreter").chmod(0o755)
    (machine.root / "a-folder").mkdir()
    (machine.root / "bad.env").write_text("A=1\nthis is no assignment\n")
    machine.config(f"[service.bad]\n{lines}\n")
    with machine.file.open("a", encoding="utf-8") as file:
        file.write('[service.good]\ncommand = ["sleep", "6001"]\n')
    done = machine.holdfast("up", "-c", str(machine.file), expect=None)
    if done.returncode == 2:
        assert told in done.stderr
        return
    assert done.returncode == 1
    assert told in done.stdout
    rows = machine.rows()
    assert (rows["bad"]["state"], rows["good"]["state"]) == ("failed", "running")
    assert told in rows["bad"]["why"]
    assert (rows["bad"]["restarts"], rows["bad"]["next_start_at"]) == (0, None)


@pytest.mark.parametrize("kind", ["missing", "folder", "binary", "link to itself"])
def test_a_file_that_cannot_be_read_is_wrong_use(machine: "Machine", kind: str) -> None:
    match kind:
        case "folder":
            machine.file.mkdir()
        case "binary":
            machine.file.write_bytes(b"\xff\xfe[service.a]\0")
        case "link to itself":
            machine.file.symlink_to("holdfast.toml")
        case _:
            pass
    done = machine.up(expect=2)
    assert "holdfast.toml" in done.stderr
    assert not machine.home.exists() or machine.living() == []


def test_an_empty_file_brings_up_nothing_and_says_so(machine: "Machine") -> None:
    machine.config("")
    assert "0/0 healthy" in machine.up().stdout
    machine.holdfast("status")
    machine.holdfast("health")
    machine.holdfast("down")


def test_a_file_with_a_mark_and_windows_line_ends_is_read(machine: "Machine") -> None:
    machine.file.write_bytes(b'[service.a]\r\ncommand = ["sleep", "6002"]\r\n')
    machine.begin()
    assert machine.pid("a")


def test_an_unknown_name_is_told_with_the_nearest_one(machine: "Machine") -> None:
    machine.config(RUNNING)
    machine.begin()
    for order in (["stop"], ["start"], ["restart"], ["reload"], ["signal", "HUP"], ["status"]):
        done = machine.holdfast(*order, "god", expect=2)
        assert "'good'" in done.stderr, order
    assert machine.row("good")["pid"]


def test_without_a_supervisor_orders_say_so_and_looks_show_the_same_shape(
    machine: "Machine",
) -> None:
    for words in (["stop", "a"], ["start", "a"], ["restart", "--all"], ["signal", "HUP", "a"]):
        assert "holdfast up" in machine.holdfast(*words, expect=3).stderr
    for words in (["status"], ["status", "--json"], ["health"], ["check", "--once"]):
        machine.holdfast(*words, expect=3)
    machine.holdfast("down")
    assert not machine.home.exists(), "a look must change nothing"

    machine.config(RUNNING)
    machine.begin()
    alive = machine.status()
    machine.holdfast("down")
    before = {path: path.stat().st_mtime_ns for path in machine.home.rglob("*")}
    import json

    dead = json.loads(machine.holdfast("status", "--json", expect=3).stdout)
    assert dead.keys() == alive.keys()
    assert dead["services"][0].keys() == alive["services"][0].keys()
    assert {path: path.stat().st_mtime_ns for path in machine.home.rglob("*")} == before


def test_a_lock_held_by_somebody_else_is_refused(machine: "Machine") -> None:
    machine.config(RUNNING)
    machine.home.mkdir(mode=0o700)
    with (machine.home / "supervisor.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = machine.up(expect=4)
        assert "lock" in (done.stdout + done.stderr)
        machine.holdfast("status", expect=3)
        machine.holdfast("down", expect=None)
    machine.begin()
    assert machine.pid("good")


@pytest.mark.parametrize("place", ["home", "home/logs", "home/services", "home/supervisor.lock"])
def test_a_file_or_folder_in_the_way_gives_one_clear_message(
    machine: "Machine", place: str
) -> None:
    machine.config(RUNNING)
    there = machine.root / place
    if place.endswith("lock"):
        there.mkdir(parents=True)
    else:
        there.parent.mkdir(exist_ok=True)
        there.write_text("in the way")
    done = machine.holdfast("up", "-c", str(machine.file), expect=(1, 4, 7))
    assert str(machine.home) in done.stdout + done.stderr
    assert "see " not in done.stderr or "supervisor.log" not in done.stderr
    machine.holdfast("status", expect=3)
    machine.holdfast("down", expect=None)
    assert machine.living() == []
    if there.is_dir():
        there.rmdir()
    else:
        there.unlink()
    if place == "home":
        return
    machine.may_fault = True
    machine.begin()


def test_a_log_in_the_way_gives_one_clear_message(machine: "Machine") -> None:
    machine.config(RUNNING)
    (machine.home / "logs" / "supervisor.log").mkdir(parents=True)
    done = machine.holdfast("up", "-c", str(machine.file), expect=(0, 1, 4, 7))
    assert done.returncode == 0 or "supervisor.log" in done.stdout + done.stderr
    machine.holdfast("down")
    (machine.home / "logs" / "supervisor.log").rmdir()


POWERLESS = (
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search,-fowner,-chown,-kill",
    "--inh-caps=-dac_override,-dac_read_search,-fowner,-chown,-kill",
)
"""Makes root as powerless before the files of others as anybody else."""

needs_setpriv = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="only root can give power away, by setpriv",
)


def powerless(
    machine: "Machine", *words: str, env: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [*POWERLESS, sys.executable, "-m", "holdfast", *words],
        env={**machine.env, **(env or {})},
        cwd=machine.root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr, f"{words}: {done.stdout}{done.stderr}"
    return done


@needs_setpriv
@pytest.mark.parametrize("place", [".", "home"])
@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_home_that_may_not_be_written_gives_one_clear_message(
    machine: "Machine", mode: int, place: str
) -> None:
    machine.config(RUNNING)
    closed = machine.root / "closed"
    closed.mkdir()
    os.chown(closed, 65534, 65534)
    closed.chmod(mode)
    home = closed / place
    env = {"HOLDFAST_HOME": str(home)}
    done = powerless(machine, "up", "-c", str(machine.file), env=env)
    assert done.returncode in (1, 4)
    assert str(home) in done.stdout + done.stderr
    for words in (["status"], ["health"], ["check"], ["stop", "good"]):
        assert powerless(machine, *words, env=env).returncode != 0, words
    for words in (["events"], ["logs"], ["down"], ["doctor"]):
        powerless(machine, *words, env=env)


@needs_setpriv
def test_a_home_of_another_user_shows_and_obeys_nothing(machine: "Machine") -> None:
    machine.config(RUNNING)
    machine.begin()
    pid = machine.pid("good")
    runtime = Home(machine.home).control_socket.parent
    theirs = [machine.home, *machine.home.rglob("*"), *runtime.rglob("*")]
    give(theirs, 65534)
    try:
        for words in (["status"], ["stop", "good"], ["down"], ["logs", "good"], ["up"]):
            assert powerless(machine, *words).returncode != 0, words
    finally:
        give(theirs, 0)
    assert machine.pid("good") == pid


def give(paths: Iterable[Path], owner: int) -> None:
    for path in paths:
        # A living supervisor writes by temps, which are soon renamed.
        with contextlib.suppress(FileNotFoundError):
            os.chown(path, owner, owner, follow_symlinks=False)


@needs_setpriv
def test_an_unreadable_file_is_wrong_use(machine: "Machine") -> None:
    machine.config(RUNNING)
    os.chown(machine.file, 65534, 65534)
    machine.file.chmod(0)
    done = powerless(machine, "up", "-c", str(machine.file))
    assert (done.returncode, "holdfast.toml" in done.stderr) == (2, True)
    assert not machine.home.exists() or machine.living() == []


def test_a_runtime_folder_too_long_for_a_socket_is_told_plainly_and_not_remembered(
    machine: "Machine",
) -> None:
    machine.config(RUNNING)
    deep = machine.root / ("d" * 100)
    deep.mkdir()
    long = {"XDG_RUNTIME_DIR": str(deep)}
    done = machine.holdfast("up", "-c", str(machine.file), env=long, expect=None)
    if done.returncode != 0:  # else it found a shorter folder by itself
        assert done.returncode in (1, 4)
        assert str(deep) in done.stdout + done.stderr
    machine.begin()
    assert machine.pid("good")


def test_a_very_long_home_works(machine: "Machine") -> None:
    machine.home = machine.root / ("h" * 200) / ("e" * 200)
    machine.env["HOLDFAST_HOME"] = str(machine.home)
    machine.config(RUNNING)
    machine.begin()
    assert machine.pid("good")


def test_a_home_with_odd_characters_works(machine: "Machine") -> None:
    machine.home = machine.root / "ho me\n\u00e9 'x\"%"
    machine.env["HOLDFAST_HOME"] = str(machine.home)
    machine.config(RUNNING)
    machine.begin()
    assert machine.pid("good")
    machine.holdfast("stop", "good")
    machine.holdfast("start", "good")


@pytest.mark.parametrize("terminal", ["closed", "full", "ascii"])
def test_commands_survive_a_closed_a_full_and_an_ascii_terminal(
    machine: "Machine", terminal: str
) -> None:
    machine.config("""
        [service.good]
        command = ["sh", "-c", "printf 'caf\\u00e9 \\\\377\\n'; exec sleep 6003"]
    """)
    machine.begin()
    machine.await_(lambda: machine.log("good"))
    words = (
        ["status"],
        ["status", "--json"],
        ["logs", "good"],
        ["events"],
        ["health"],
        ["doctor"],
    )
    for one in words:
        match terminal:
            case "ascii":
                machine.holdfast(*one, env={"PYTHONIOENCODING": "ascii"}, expect=(0, 1))
            case "full":
                with open("/dev/full", "w", encoding="utf-8") as full:
                    machine.holdfast(*one, stdout=full, expect=None)
            case _:
                machine.holdfast(*one, stdout=None, preexec_fn=lambda: os.close(1), expect=None)


def test_commands_work_in_a_folder_that_was_deleted(machine: "Machine") -> None:
    machine.config(RUNNING)
    machine.begin()
    gone = machine.root / "gone"
    code = f"import os, sys; os.mkdir({str(gone)!r}); os.chdir({str(gone)!r}); os.rmdir({str(gone)!r}); os.execv(sys.executable, ['python', '-P', '-m', 'holdfast', *sys.argv[1:]])"
    for words in (["status"], ["up", "--no-wait"], ["restart", "good"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            env=machine.env,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        assert done.returncode in (0, 1), done.stderr


def conversation(machine: "Machine") -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(Home(machine.home).control_socket))
    connection.settimeout(30)
    return connection


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\x00\xfe\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"[]\n",
        b"1\n",
        b"null\n",
        b"\n",
        b"{}\n",
        b'{"jsonrpc":"2.0","id":1}\n',
        b'{"jsonrpc":"2.0","id":1,"method":[]}\n',
        b'{"jsonrpc":"2.0","id":1,"method":"status","params":[1]}\n',
        b'{"jsonrpc":"2.0","id":1,"method":"status","params":"x"}\n',
        b'{"jsonrpc":"2.0","id":1,"method":"stop","params":{"select":"good"}}\n',
        b'{"jsonrpc":"2.0","id":1,"method":"stop","params":{"select":[["good"]]}}\n',
        b'{"jsonrpc":"2.0","id":1,"method":"signal","params":{"select":["good"],"signal":9}}\n',
        b'{"jsonrpc":"2.0","id":1,"method":"apply","params":{"specs":[{"name":"../x"}]}}\n',
        b'{"jsonrpc":"2.0","id":1,"method":"apply","params":{}}\n',
        b"[" * 100_000 + b"\n",
        b'{"jsonrpc":"2.0","id":1,"method":"st\\ud800op"}\n',
    ],
    ids=lambda value: repr(value[:60]),
)
def test_garbage_on_the_control_socket_is_answered_with_an_error(
    socketed: "Machine", garbage: bytes
) -> None:
    with conversation(socketed) as connection, connection.makefile("rb") as answers:
        connection.sendall(garbage)
        assert b'"error"' in answers.readline()
    assert socketed.row("good")["state"] in ("starting", "running")
    assert "Traceback" not in socketed.own_log()


@pytest.fixture
def socketed(machine: "Machine") -> "Machine":
    machine.config(RUNNING)
    machine.begin()
    return machine


@pytest.mark.parametrize(
    "params",
    ['{"timeout":"x"}', '{"timeout":[]}', '{"timeout":{}}'],
)
def test_a_malformed_order_to_end_is_refused_whole(socketed: "Machine", params: str) -> None:
    with conversation(socketed) as connection, connection.makefile("rb") as answers:
        order = '{"jsonrpc":"2.0","id":1,"method":"shutdown","params":' + params + "}\n"
        connection.sendall(order.encode())
        assert b'"error"' in answers.readline()
    assert socketed.status()["supervisor"]["state"] == "running"
    pid = socketed.pid("good")
    socketed.kill(pid)
    assert socketed.await_new_pid("good", pid)


def test_lines_without_end_and_idle_callers_cost_the_others_nothing(socketed: "Machine") -> None:
    with contextlib.ExitStack() as open_ones:
        idle = [open_ones.enter_context(conversation(socketed)) for _ in range(200)]
        for one in idle[::2]:
            one.sendall(b'{"jsonrpc":"2.0","id":1,"me')
        for one in idle[1::4]:
            one.close()
        with conversation(socketed) as endless, contextlib.suppress(OSError):
            for _ in range(40):
                endless.sendall(b"x" * 1_000_000)
        assert socketed.holdfast("status").stdout
        with conversation(socketed) as hasty:
            hasty.sendall(b'{"jsonrpc":"2.0","id":1,"method":"status"}\n' * 500)
        assert socketed.holdfast("status").stdout
    socketed.holdfast("restart", "good")


def test_the_control_socket_obeys_only_its_owner(socketed: "Machine") -> None:
    path = Home(socketed.home).control_socket
    assert path.stat().st_mode & 0o777 == 0o600
    assert socketed.home.stat().st_mode & 0o777 == 0o700
    for path in socketed.home.rglob("*"):
        with contextlib.suppress(
            FileNotFoundError
        ):  # a beat comes as a temp, which is soon renamed
            assert not path.stat().st_mode & 0o077, path
