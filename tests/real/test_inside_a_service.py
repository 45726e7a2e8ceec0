"""What a program finds when Holdfast starts it, seen by the program itself: what it was given, and nothing else."""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if sys.platform == "win32":
    pytest.skip("these tests use POSIX processes", allow_module_level=True)

import pwd
import resource

if TYPE_CHECKING:
    from tests.conftest import Machine

ONCE = 'restart = { when = "never" }'

CALLER = {
    "USER": "caller",
    "TZ": "Europe/Berlin",
    "WANTED": "by name",
    "SECRET": "of the caller",
    "PYTHONPATH": "/nowhere",
    "HOLDFAST_SERVICE": "outer",
    "HOLDFAST_GENERATION": "77",
    "HOLDFAST_INSTANCE": "outer.77.0",
    "NOTIFY_SOCKET": "/nowhere",
    "WATCHDOG_USEC": "1",
    "WATCHDOG_PID": "1",
    "LISTEN_FDS": "1",
    "LISTEN_PID": "1",
}


def said(machine: "Machine", name: str) -> str:
    """Return all that a service printed, once it has ended."""
    machine.await_state(name, "done")
    return machine.log(name).decode()


def found_by(machine: "Machine", name: str) -> dict[str, str]:
    """Return the environment a service printed with its entries ended by NUL."""
    return dict(entry.split("=", 1) for entry in said(machine, name).split("\0") if entry)


def test_the_environment_is_what_the_file_asks_for_and_nothing_of_the_caller(
    machine: "Machine",
) -> None:
    (machine.root / "more.env").write_text(
        "FROM_FILE='two words'\nBOTH=file\nHOLDFAST_SERVICE=x\n"
    )
    machine.config(f"""
        [service.plain]
        command = ["cat", "/proc/self/environ"]
        {ONCE}
        [service.rich]
        command = ["cat", "/proc/self/environ"]
        env = {{ BOTH = "table", PATH = "/bin:/usr/bin", HOLDFAST_GENERATION = "9" }}
        env_file = "more.env"
        inherit_env = ["WANTED", "MISSING"]
        {ONCE}
    """)
    machine.holdfast("up", "-c", str(machine.file), "--no-wait", env=CALLER, expect=(0, 1))
    plain, rich = found_by(machine, "plain"), found_by(machine, "rich")
    instances = plain.pop("HOLDFAST_INSTANCE"), rich.pop("HOLDFAST_INSTANCE")
    addresses = plain.pop("NOTIFY_SOCKET"), rich.pop("NOTIFY_SOCKET")
    assert len({*addresses, CALLER["NOTIFY_SOCKET"]}) == 3
    assert len({*instances, CALLER["HOLDFAST_INSTANCE"], ""}) == 4
    common = {
        "HOME": machine.env["HOME"],
        "USER": "caller",
        "LANG": "C.UTF-8",
        "TZ": "Europe/Berlin",
        "HOLDFAST_HOME": str(machine.home),
        "HOLDFAST_GENERATION": "1",
    }
    assert plain == {**common, "PATH": machine.env["PATH"], "HOLDFAST_SERVICE": "plain"}
    assert rich == {
        **common,
        "PATH": "/bin:/usr/bin",
        "FROM_FILE": "two words",
        "BOTH": "table",
        "WANTED": "by name",
        "HOLDFAST_SERVICE": "rich",
    }


def test_folder_and_umask_are_those_of_the_file_not_of_the_caller(machine: "Machine") -> None:
    (machine.root / "below").mkdir()
    look = '["sh", "-c", "pwd -P; umask; : > made; mkdir folder"]'
    machine.config(f"""
        [service.plain]
        command = {look}
        {ONCE}
        [service.own]
        command = {look}
        cwd = "below"
        umask = "027"
        {ONCE}
    """)
    machine.holdfast(
        "up", "-c", str(machine.file), "--no-wait", cwd="/", umask=0o077, expect=(0, 1)
    )
    root = machine.root.resolve()
    assert said(machine, "plain").split() == [str(root), "0022"]
    assert said(machine, "own").split() == [str(root / "below"), "0027"]

    def mode(path: Path) -> int:
        return path.stat().st_mode & 0o777

    assert (mode(root / "made"), mode(root / "folder")) == (0o644, 0o755)
    assert (mode(root / "below" / "made"), mode(root / "below" / "folder")) == (0o640, 0o750)


def test_it_leads_a_session_of_its_own_without_a_terminal_and_signals_are_at_their_defaults(
    machine: "Machine",
) -> None:
    machine.config(f"""
        [service.stat]
        command = ["cat", "/proc/self/stat"]
        {ONCE}
        [service.status]
        command = ["cat", "/proc/self/status"]
        {ONCE}
    """)
    machine.begin()
    pid, rest = said(machine, "stat").split(" ", 1)
    _state, parent, group, session, terminal = rest.rpartition(")")[2].split()[:5]
    assert (group, session, terminal) == (pid, pid, "0")
    assert int(parent) == machine.supervisor()
    masks = dict(re.findall(r"^(Sig\w+):\s+([0-9a-f]+)$", said(machine, "status"), re.MULTILINE))
    ours = ~(
        3 << 31
    )  # 32 and 33 are the C library's own: no program can reset what its ancestors left there
    assert {name: int(masks[name], 16) & ours for name in ("SigBlk", "SigIgn", "SigCgt")} == {
        "SigBlk": 0,
        "SigIgn": 0,
        "SigCgt": 0,
    }


def test_nothing_is_open_but_an_empty_input_and_the_two_outputs(machine: "Machine") -> None:
    machine.config(f"""
        [service.text]
        command = ["ls", "-l", "/proc/self/fd"]
        {ONCE}
        [service.json]
        command = ["ls", "-l", "/proc/self/fd"]
        log = {{ format = "json" }}
        {ONCE}
        [service.reader]
        command = ["sh", "-c", "wc -c; echo read to its end"]
        {ONCE}
    """)
    given, kept = os.pipe()
    try:
        for name in (given, kept):
            os.set_inheritable(name, True)
        machine.holdfast(
            "up", "-c", str(machine.file), "--no-wait",
            pass_fds=(given, kept), stdin=given, expect=(0, 1),
        )  # fmt: skip
    finally:
        os.close(given)
        os.close(kept)
    text = dict(re.findall(r" (\d+) -> (\S+)$", said(machine, "text"), re.MULTILINE))
    json = dict(re.findall(r' (\d+) -> ([^\s"]+)"', said(machine, "json")))
    for found in (text, json):
        assert re.fullmatch(r"/proc/\d+/fd", found.pop("3")), "ls itself looks through 3"
        assert found.pop("0") == "/dev/null"
        assert found.keys() == {"1", "2"}
        assert all(place.startswith(str(machine.runtime)) for place in found.values())
    assert text["1"] == text["2"]
    assert json["1"] != json["2"]
    assert said(machine, "reader").split() == ["0", "read", "to", "its", "end"]


def test_the_limit_on_open_files_holds_from_the_first_instruction(machine: "Machine") -> None:
    machine.config(f"""
        [service.plain]
        command = ["cat", "/proc/self/limits"]
        {ONCE}
        [service.few]
        command = ["cat", "/proc/self/limits"]
        limits = {{ nofile = 64 }}
        {ONCE}
    """)
    machine.begin()
    own, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = {
        name: re.findall(r"^Max open files\s+(\d+)", said(machine, name), re.MULTILINE)
        for name in ("plain", "few")
    }
    assert soft == {"plain": [str(own)], "few": ["64"]}


def test_nice_value_and_memory_score_come_into_force(machine: "Machine") -> None:
    machine.config(f"""
        [service.a]
        command = ["sh", "-c", '''
            until read score < /proc/self/oom_score_adj && [ "$$score" = 300 ] && [ "$$(nice)" = 7 ]
            do sleep 0.02; done
            echo "score $$score nice $$(nice)"
        ''']
        limits = {{ nice = 7, oom_score = 300 }}
        {ONCE}
    """)
    machine.begin()
    assert said(machine, "a") == "score 300 nice 7\n"
    assert [event for event in machine.events() if event["kind"] == "service.limit_not_set"] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a service as somebody else")
def test_another_user_is_that_user_in_every_respect(machine: "Machine") -> None:
    machine.config(f"""
        [service.env]
        command = ["cat", "/proc/self/environ"]
        user = "nobody"
        cwd = "/"
        {ONCE}
        [service.own]
        command = ["cat", "/proc/self/environ"]
        user = "nobody"
        cwd = "/"
        env = {{ HOME = "/srv", USER = "alias" }}
        {ONCE}
        [service.ids]
        command = ["sh", "-c", "grep -E '^(Uid|Gid|Groups|CapEff)' /proc/self/status; echo opened anew > /dev/stdout"]
        user = "nobody"
        cwd = "/"
        {ONCE}
    """)
    machine.holdfast("up", "-c", str(machine.file), "--no-wait", env=CALLER, expect=(0, 1))
    nobody = pwd.getpwnam("nobody")
    env, own = found_by(machine, "env"), found_by(machine, "own")
    assert (env["HOME"], env["USER"]) == (nobody.pw_dir, "nobody")
    assert (own["HOME"], own["USER"]) == ("/srv", "alias")
    assert not env.keys() & {"SECRET", "PYTHONPATH", "LISTEN_FDS"}
    assert env["NOTIFY_SOCKET"].startswith(str(machine.runtime))
    ids, last = said(machine, "ids").rstrip().rsplit("\n", 1)
    found = dict(re.findall(r"^(\w+):\s*(.*?)\s*$", ids, re.MULTILINE))
    assert set(found["Uid"].split()) == {str(nobody.pw_uid)}
    assert set(found["Gid"].split()) == {str(nobody.pw_gid)}
    groups = os.getgrouplist("nobody", nobody.pw_gid)
    assert set(found["Groups"].split()) == {str(group) for group in groups}
    assert int(found["CapEff"], 16) == 0
    assert last == "opened anew"


def test_each_start_has_a_higher_generation_and_an_instance_of_its_own(
    machine: "Machine",
) -> None:
    machine.config("""
        [service.a]
        command = ["sh", "-c", "echo $$HOLDFAST_GENERATION $$HOLDFAST_INSTANCE; exec sleep 3001"]
        restart = { delay = "0s", min_gap = "0s", limit = "none" }
    """)
    machine.begin()

    def lines() -> list[list[str]]:
        return [line.split() for line in machine.log("a").decode().splitlines()]

    def started(count: int) -> None:
        machine.await_(lambda: len(lines()) == count)
        assert int(lines()[-1][0]) == machine.row("a")["generation"]

    started(1)
    machine.kill(machine.pid("a"))
    started(2)
    machine.holdfast("restart", "--no-wait", "a")
    started(3)
    machine.holdfast("stop", "a")
    machine.holdfast("start", "--no-wait", "a")
    started(4)
    machine.kill_supervisor()
    machine.begin()
    started(4)
    machine.kill(machine.pid("a"))
    started(5)
    machine.holdfast("down")
    machine.begin()
    started(6)
    generations = [int(generation) for generation, _ in lines()]
    assert generations == sorted(set(generations))
    assert len({instance for _, instance in lines()}) == 6
