import gc
import json
import os
import pwd
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from holdfast.errors import StartFailed
from holdfast.machine.process.launch import Launch
from holdfast.machine.process.spawn import (
    CREATE_BREAKAWAY_FROM_JOB,
    CREATE_NEW_PROCESS_GROUP,
    DETACHED_PROCESS,
    Spawned,
    popen_options,
    spawn,
)
from holdfast.model.service import Exit

if sys.platform != "linux":
    pytest.skip("needs the processes of Linux", allow_module_level=True)

Start = Callable[..., Spawned]
Talk = Callable[..., tuple[Spawned, IO[bytes]]]
Apart = Callable[[str], dict[str, object]]

TELL = """
import json, os, resource, sys
mask = os.umask(0)
print(json.dumps({
    "argv": sys.argv[1:],
    "umask": mask,
    "cwd": os.getcwd(),
    "pid": os.getpid(),
    "leads": [os.getpgrp(), os.getsid(0)],
    "open": sorted(int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + fd)),
    "stdin": os.read(0, 1).decode(),
    "nofile": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    "user": [os.getuid(), os.getgid(), os.getgroups()],
}))
"""


def told_by(talk: Talk, *words: str, **fields: object) -> dict[str, object]:
    _, said = talk(TELL, *words, **fields)
    told: dict[str, object] = json.loads(said.read())
    return told


def output_of(start: Start, *argv: str, **fields: object) -> bytes:
    reader, writer = os.pipe()
    with open(reader, "rb") as said:
        try:
            start(*argv, stdout=writer, **fields)
        finally:
            os.close(writer)
        return said.read()


def test_the_environment_is_exactly_what_was_given(start: Start) -> None:
    given = {"A": "1", "B": "two words\nand a line", "HOME": "/"}

    assert output_of(start, "/usr/bin/env", "-0", env=given) == b"".join(
        f"{name}={value}\0".encode() for name, value in given.items()
    )


def test_no_shell_touches_the_arguments(talk: Talk) -> None:
    words = ("$HOME", "a b", "*", "'\"", "line\nbreak", "")

    assert told_by(talk, *words)["argv"] == list(words)


def test_it_leads_a_session_and_a_group_of_its_own(talk: Talk) -> None:
    told = told_by(talk)

    assert told["leads"] == [told["pid"], told["pid"]]


def test_umask_and_folder_are_those_of_the_launch(talk: Talk, tmp_path: Path) -> None:
    told = told_by(talk, umask=0o027, cwd=str(tmp_path))

    assert (told["umask"], told["cwd"]) == (0o027, str(tmp_path))


def test_it_has_nothing_open_but_standard_streams_and_what_is_passed(talk: Talk) -> None:
    reader, writer = os.pipe()
    try:
        told = told_by(talk, pass_fds=(writer,))
    finally:
        os.close(reader)
        os.close(writer)

    assert told["open"] == [0, 1, 2, writer]
    assert told["stdin"] == ""


def test_a_name_is_found_in_the_path_and_folder_of_the_child(start: Start, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin" / "tool"
    tool.write_text("#!/bin/sh\necho found\n")
    tool.chmod(0o755)

    by_path = output_of(start, "tool", env={"PATH": "bin"}, cwd=str(tmp_path))
    by_name = output_of(start, "bin/tool", env={"PATH": ""}, cwd=str(tmp_path))

    assert (by_path, by_name) == (b"found\n", b"found\n")


def test_output_and_errors_go_where_they_are_sent(start: Start, tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb") as out, open(tmp_path / "err", "wb") as err:
        code = "import os; os.write(1, b'out'); os.write(2, b'err')"
        argv = (sys.executable, "-S", "-c", code)
        spawned = start(*argv, stdout=out.fileno(), stderr=err.fileno())
        os.waitpid(spawned.pid, 0)

    assert (tmp_path / "out").read_bytes() == b"out"
    assert (tmp_path / "err").read_bytes() == b"err"


def test_nothing_ignored_or_blocked_is_inherited(apart: Apart) -> None:
    told = apart("""
import json, os, signal
from holdfast.machine.process.launch import Launch
from holdfast.machine.process.spawn import spawn
for signum in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGTSTP):
    signal.signal(signum, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGUSR2})
reader, writer = os.pipe()
argv = ("/bin/grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status")
spawned = spawn(Launch(argv=argv, env={}, stdout=writer))
os.close(writer)
text = os.read(reader, 500).decode()
ended = os.waitstatus_to_exitcode(os.waitpid(spawned.pid, 0)[1])
os.kill(os.getpid(), signal.SIGHUP)
os.kill(os.getpid(), signal.SIGUSR1)
still = sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
print(json.dumps({"child": [int(line.split()[1], 16) for line in text.splitlines()], "ended": ended, "still": still}))
""")

    # Signals 32 and 33 are the C library's own, and its posix_spawn leaves them ignored.
    assert isinstance(told["child"], list)
    assert [mask & 0x7FFFFFFF for mask in told["child"]] == [0, 0]
    assert (told["ended"], told["still"]) == (0, [10, 12])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may run a program as another user")
def test_it_runs_as_another_user_with_all_its_groups(start: Start) -> None:
    nobody = pwd.getpwnam("nobody")

    told = output_of(start, "/usr/bin/id", user="nobody").decode()

    assert f"uid={nobody.pw_uid}(nobody) gid={nobody.pw_gid}" in told
    assert "(root)" not in told


def test_the_own_user_needs_no_root(as_nobody: Apart) -> None:
    told = as_nobody("""
spawned = spawn(Launch(argv=("/bin/true",), env={}, user="nobody"))
print(json.dumps({"code": os.waitpid(spawned.pid, 0)[1]}))
""")

    assert told == {"code": 0}


def test_limits_are_in_force(start: Start) -> None:
    spawned = start("/bin/sleep", "60", nice=3, oom_score=500, cpu_seconds=77, nofile=123)

    assert spawned.warnings == ()
    assert os.getpriority(os.PRIO_PROCESS, spawned.pid) == 3
    assert Path(f"/proc/{spawned.pid}/oom_score_adj").read_text() == "500\n"
    assert resource.prlimit(spawned.pid, resource.RLIMIT_CPU) == (77, 82)
    assert resource.prlimit(spawned.pid, resource.RLIMIT_NOFILE)[0] == 123


def test_the_limit_on_files_is_in_force_at_once_and_the_own_one_is_back(talk: Talk) -> None:
    own = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_now = set(os.listdir("/proc/self/fd"))

    told = told_by(talk, nofile=99)

    assert told["nofile"] == 99
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == own
    assert len(os.listdir("/proc/self/fd")) == len(open_now) + 2  # the pidfd and the pipe


def test_what_cannot_be_set_is_told_and_the_program_runs(as_nobody: Apart) -> None:
    told = as_nobody("""
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
spawned = spawn(Launch(argv=("/bin/sleep", "60"), env={}, nice=-5, oom_score=5000, nofile=hard + 1))
os.kill(spawned.pid, 9)
os.waitpid(spawned.pid, 0)
print(json.dumps({"warnings": spawned.warnings}))
""")

    assert isinstance(told["warnings"], list)
    nofile, nice, oom_score = told["warnings"]
    assert "was not set" in nofile
    assert nice.startswith("nice = -5 was not set: ")
    assert oom_score.startswith("oom_score = 5000 was not set: ")


def test_a_limit_below_what_a_start_needs_comes_late_and_is_told(start: Start) -> None:
    spawned = start("/bin/sleep", "60", nofile=4)

    assert spawned.warnings == (
        "nofile = 4 is too low for a start and came into force only after it",
    )
    assert resource.prlimit(spawned.pid, resource.RLIMIT_NOFILE)[0] == 4


def test_without_a_free_descriptor_nothing_is_left_running(apart: Apart) -> None:
    told = apart("""
import json, os, resource
from holdfast.errors import StartFailed
from holdfast.machine.process.launch import Launch
from holdfast.machine.process.spawn import spawn
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
try:
    while True:
        held.append(os.dup(0))
except OSError:
    pass
failures = []
while True:
    try:
        spawned = spawn(Launch(argv=("/bin/true",), env={"HOLDFAST_INSTANCE": os.environ["HOLDFAST_INSTANCE"]}))
        break
    except StartFailed as failed:
        failures.append(failed.permanent)
    os.close(held.pop())
os.waitpid(spawned.pid, 0)
try:
    os.waitpid(-1, 0)
    left = True
except ChildProcessError:
    left = False
print(json.dumps({"permanent": any(failures), "failures": len(failures), "left": left}))
""")

    assert told["permanent"] is False
    assert told["failures"] != 0
    assert told["left"] is False


def test_nobody_complains_that_nobody_waits(
    start: Start, ended: Callable[[Spawned], Exit]
) -> None:
    spawned = start("/bin/sleep", "60")

    gc.collect()  # a ResourceWarning here would fail the test

    os.kill(spawned.pid, 9)
    assert ended(spawned) == Exit(signal=9)


def test_a_failed_start_leaves_no_descriptor_open() -> None:
    open_now = set(os.listdir("/proc/self/fd"))

    for nofile in (None, 99):
        with pytest.raises(StartFailed):
            spawn(Launch(argv=("/no/such",), env={}, nofile=nofile))

    assert set(os.listdir("/proc/self/fd")) == open_now


LAUNCH = Launch(argv=("x",), env={"A": "1"}, cwd="/srv", umask=0o27, stdout=7, pass_fds=(9,))


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_on_unix_it_gets_a_session_and_no_switch_of_user_it_did_not_ask_for(platform: str) -> None:
    options = popen_options(LAUNCH, platform)

    assert options == {
        "cwd": "/srv",
        "env": {"A": "1"},
        "stdin": -3,
        "stdout": 7,
        "stderr": -3,
        "close_fds": True,
        "restore_signals": True,
        "start_new_session": True,
        "pass_fds": (9,),
        "umask": 0o27,
    }


def test_on_windows_it_is_detached_and_leads_a_group_outside_our_job() -> None:
    options = popen_options(LAUNCH, "win32")

    assert options["creationflags"] == (
        DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP | CREATE_BREAKAWAY_FROM_JOB
    )
    assert not {"start_new_session", "umask", "user", "pass_fds"} & options.keys()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may bear a limit and take it back")
def test_root_gives_nice_and_oom_score_before_the_first_instruction(talk: Talk) -> None:
    own = (os.getpriority(os.PRIO_PROCESS, 0), Path("/proc/self/oom_score_adj").read_text())

    for _ in range(20):
        _, said = talk(
            'import os; print(os.getpriority(os.PRIO_PROCESS, 0), open("/proc/self/oom_score_adj").read().strip(), flush=True)',
            nice=3,
            oom_score=400,
        )
        assert said.readline() == b"3 400\n"
    assert (
        os.getpriority(os.PRIO_PROCESS, 0),
        Path("/proc/self/oom_score_adj").read_text(),
    ) == own
