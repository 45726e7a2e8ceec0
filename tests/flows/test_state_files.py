"""The recipes of shell scripts for their state files, each as one command, with values nobody would choose."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("these tests use a POSIX shell", allow_module_level=True)

WITHIN_S = 60.0
HOSTILE = [
    "a/b",
    "a & b",
    "\\1 \\n \\",
    "$HOME ${HOME} $(id) `id`",
    "'\"'\"",
    "-n",
    "-e x",
    "--",
    "--json",
    "*",
    "%s %d",
    "| . = 1 #",
    "\u00e4\u20ac\U0001f600",
    "x" * 20_000,
]
LINES = ["two\nlines", "\n", "ends\n\n", "tab\tand\rreturn"]
HISTORY = '{"version": "1.0", "entries": [{"id": "a", "cost": 1.10, "big": 9007199254740993}]}\n'
PAGE = "# State\n\nStatus: waiting\n\n```\nStatus: in a fence\n```\n\n## Notes\n\nold\n"

Shell = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Run a script of a shell that knows `holdfast`; it shows no traceback, whatever happens."""
    bin_ = tmp_path / "bin"
    work = tmp_path / "work"
    bin_.mkdir()
    work.mkdir()
    command = bin_ / "holdfast"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m holdfast "$@"\n')
    command.chmod(0o755)
    path = f"{bin_}:{os.environ['PATH']}"

    def run(script: str, *values: str, **options: Any) -> "subprocess.CompletedProcess[bytes]":
        environment = {**os.environ, "PATH": path, **options.pop("env", {})}
        done = subprocess.run(
            ["/bin/sh", "-c", script, "script", *values],
            cwd=work,
            env=environment,
            capture_output=True,
            timeout=WITHIN_S,
            check=False,
            **options,
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done

    return run


@pytest.fixture
def work(tmp_path: Path, shell: Shell) -> Path:
    """Return the folder of the script, with a history and a page in it."""
    (tmp_path / "work" / "history.json").write_text(HISTORY)
    (tmp_path / "work" / "STATE.md").write_text(PAGE)
    return tmp_path / "work"


def left(work: Path) -> list[str]:
    """Return all names in a folder but those of lock files."""
    return sorted(path.name for path in work.iterdir() if not path.name.endswith(".lock"))


@pytest.mark.parametrize("value", [*HOSTILE, *LINES])
def test_any_text_is_written_as_it_is(shell: Shell, work: Path, value: str) -> None:
    done = shell('printf "%s" "$1" | holdfast state write NEW.txt', value)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (work / "NEW.txt").read_bytes() == value.encode()


@pytest.mark.parametrize("value", [*HOSTILE, *LINES, ""])
def test_any_text_is_a_value_of_a_filter(shell: Shell, work: Path, value: str) -> None:
    script = 'holdfast state json history.json \'.entries += [{id: $id, status: "spawned"}]\' --arg id "$1"'
    done = shell(script, value)
    assert (done.returncode, done.stderr) == (0, b"")
    text = (work / "history.json").read_text()
    assert json.loads(text)["entries"][1] == {"id": value, "status": "spawned"}
    assert '"cost": 1.10, "big": 9007199254740993' in text


@pytest.mark.parametrize("value", [*HOSTILE, *LINES, "", "5", "null"])
def test_any_text_is_a_value_that_is_set(shell: Shell, work: Path, value: str) -> None:
    done = shell('holdfast state set history.json /note --string -- "$1"', value)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads((work / "history.json").read_text())["note"] == value
    read = shell("holdfast state get history.json note")
    assert read.stdout == f"{value}\n".encode()


@pytest.mark.parametrize("value", ["-h", "--help", "-n", "-e x", "--x", "-1e", "5"])
def test_a_value_without_dashes_before_it_may_look_like_no_option(
    shell: Shell, work: Path, value: str
) -> None:
    done = shell('holdfast state set history.json note --string "$1"', value)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads((work / "history.json").read_text())["note"] == value


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("get STATE.md --key=--", 4),
        ("get STATE.md --key Status --in=--", 4),
        ("set history.json n 1 --expect=--", 2),
        ("set history.json n 1 --timeout=--", 2),
        ("set history.json n 1 --backups=--", 2),
        ("set history.json n 1 --durability=--", 2),
    ],
)
def test_two_dashes_tied_to_an_option_are_its_value(
    shell: Shell, work: Path, words: str, code: int
) -> None:
    done = shell(f"holdfast state {words}")
    assert (done.returncode, done.stdout) == (code, b"")
    assert b"--" in done.stderr
    assert (work / "history.json").read_text() == HISTORY


@pytest.mark.parametrize("value", HOSTILE)
def test_any_line_is_the_value_of_a_key(shell: Shell, work: Path, value: str) -> None:
    done = shell('printf "%s" "$1" | holdfast state section STATE.md Status', value)
    assert (done.returncode, done.stderr) == (0, b"")
    changed = PAGE.replace("Status: waiting", f"Status: {value}")
    assert (work / "STATE.md").read_text(encoding="utf-8") == changed
    read = shell("holdfast state get STATE.md --key Status")
    assert read.stdout == f"{value}\n".encode()


@pytest.mark.parametrize(
    "script",
    [
        "holdfast state json history.json '.entries += ['",
        "holdfast state json history.json 'empty'",
        "holdfast state json history.json '.entries[], 1'",
        "holdfast state json history.json '.entries | error'",
        "holdfast state json history.json '.entries += [$nobody]'",
        "holdfast state json history.json .entries",
        "holdfast state json history.json '.x = env.PATH | .x | length'",
        "holdfast state set history.json /version/x 1",
        "holdfast state merge history.json < /dev/null",
        "holdfast state write history.json < /dev/null",
        "printf '{\"n\": ' | holdfast state write history.json",
        "printf 'x' | holdfast state section STATE.md Nobody",
        "false | holdfast state section STATE.md Notes",
        "false | holdfast state section STATE.md Status",
        'holdfast state set history.json "$nobody" 5',
        'holdfast state delete history.json "$nobody"',
        "echo '[]' | holdfast state merge history.json",
        "printf 'a\\nb' | holdfast state section STATE.md Status",
        "head -c 1000 /dev/urandom | holdfast state write STATE.md",
        "printf '\\377' | holdfast state section STATE.md Notes",
        "printf '{}' | holdfast state write history.json --expect absent",
    ],
)
def test_what_is_refused_leaves_the_bytes_as_they_were(
    shell: Shell, work: Path, script: str
) -> None:
    done = shell(script)
    assert (done.returncode, done.stdout) == (4, b"")
    assert len(done.stderr.splitlines()) >= 1
    assert (work / "history.json").read_text() == HISTORY
    assert (work / "STATE.md").read_text() == PAGE
    assert left(work) == ["STATE.md", "history.json"]


def test_a_filter_sees_nothing_of_the_environment(shell: Shell, work: Path) -> None:
    words = "'.seen = [env, $ENV]'"
    done = shell(f"holdfast state json history.json {words}", env={"SECRET_TOKEN": "t0ps3cret"})
    assert done.returncode in (0, 4)
    assert "t0ps3cret" not in (work / "history.json").read_text()


def test_a_filter_that_never_ends_is_ended(shell: Shell, work: Path) -> None:
    done = shell("holdfast state json history.json 'def f: f; f'")
    assert done.returncode == 4
    assert (work / "history.json").read_text() == HISTORY


@pytest.mark.parametrize(
    "script",
    [
        "holdfast state write . < STATE.md",
        "holdfast state write STATE.md/x < STATE.md",
        "holdfast state get .",
        "holdfast state get nobody.json",
        "holdfast state set nobody.json n 1",
        "holdfast state inspect nobody.json",
        "holdfast state recover nobody/nobody.json",
    ],
)
def test_what_the_system_refuses_is_one_message_and_exit_code_7(
    shell: Shell, work: Path, script: str
) -> None:
    done = shell(script)
    assert (done.returncode, done.stdout) == (7, b"")
    assert len(done.stderr.splitlines()) == 1
    assert left(work) == ["STATE.md", "history.json"]


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("holdfast state write STATE.md <&-", 2),
        ("holdfast state merge history.json <&-", 2),
        ("holdfast state get history.json >&-", 1),
        ("holdfast state get history.json version >&-", 1),
        ("holdfast state set history.json n 1 >&- 2>&-", 0),
        ("holdfast state inspect . >&-", 0),
    ],
)
def test_closed_streams_are_no_crash(shell: Shell, work: Path, script: str, code: int) -> None:
    assert shell(script).returncode == code
    assert (work / "STATE.md").read_text() == PAGE


def test_a_reader_that_has_enough_gets_no_complaint(shell: Shell, work: Path) -> None:
    (work / "big.txt").write_text("a line\n" * 100_000)
    done = shell("holdfast state get big.txt | head -n 1")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"a line\n", b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_an_answer_that_cannot_be_written_is_told_and_the_change_stands(
    shell: Shell, work: Path
) -> None:
    done = shell("holdfast state set history.json n 1 > /dev/full")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert json.loads((work / "history.json").read_text())["n"] == 1


def test_names_that_are_no_text_are_files_too(shell: Shell, work: Path) -> None:
    done = shell("name=$(printf 'a\\377.json'); printf '{}' | holdfast state write \"$name\"")
    assert done.returncode == 0
    assert (Path(os.fsdecode(os.fsencode(work) + b"/a\xff.json"))).read_text() == "{}"
    told = shell("holdfast state inspect . --json")
    assert told.returncode == 0
    assert len(json.loads(told.stdout)["targets"]) == 3


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_the_language_of_the_terminal_changes_no_byte(
    shell: Shell, work: Path, locale: str
) -> None:
    environment = {"LC_ALL": locale, "PYTHONIOENCODING": "ascii"}
    script = 'printf "%s" "$1" | holdfast state section STATE.md Notes'
    assert shell(script, "\u00e4\u20ac", env=environment).returncode == 0
    assert (work / "STATE.md").read_text(encoding="utf-8") == PAGE.replace("old", "\u00e4\u20ac")
    script = 'holdfast state set history.json /note -- "$1"'
    assert shell(script, "\u00e4\u20ac", env=environment).returncode == 0
    assert json.loads((work / "history.json").read_text())["note"] == "\u00e4\u20ac"
    for words in ("history.json note", "STATE.md --section Notes"):
        read = shell(f"holdfast state get {words}", env=environment)
        assert read.stdout == "\u00e4\u20ac\n".encode()


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum")
def test_somebody_elses_change_is_not_overwritten(shell: Shell, work: Path) -> None:
    script = """
known=$(sha256sum < STATE.md | cut -d' ' -f1)
echo 'theirs' | holdfast state write STATE.md -q
echo 'mine' | holdfast state write STATE.md --expect "$known"
"""
    assert shell(script).returncode == 4
    assert (work / "STATE.md").read_text() == "theirs\n"


def test_several_commands_make_one_change_under_the_lock(shell: Shell, work: Path) -> None:
    (work / "n.json").write_text('{"n": 0}\n')
    (work / "count").write_text(
        'n=$(holdfast state get n.json n)\nholdfast state set n.json n "$((n + 1))" --timeout 0s\n'
    )
    one = "holdfast state lock n.json --timeout 2m -- sh count"
    done = shell(f"for i in 1 2 3 4; do {one} & done; wait")
    assert done.stderr == b""
    assert json.loads((work / "n.json").read_text()) == {"n": 4}


def test_a_zero_byte_temp_is_never_taken_for_a_file(shell: Shell, work: Path) -> None:
    (work / "history.json").write_text("")
    (work / "history.json.tmp.4199999").write_text("")
    assert shell("holdfast state inspect history.json").returncode == 1
    for words in ("", "--foreign"):
        assert shell(f"holdfast state recover history.json {words}").returncode == 6
    assert (work / "history.json").read_text() == ""


def test_an_old_temp_never_replaces_newer_content(shell: Shell, work: Path) -> None:
    old = work / "history.json.tmp.4199999"
    old.write_text('{"entries": []}')
    os.utime(old, (1, 1))
    assert shell("holdfast state inspect history.json").returncode == 1
    assert shell("holdfast state recover history.json").returncode == 0
    assert old.exists()
    assert shell("holdfast state recover history.json --foreign").returncode == 0
    assert left(work) == ["STATE.md", "history.json"]
    assert (work / "history.json").read_text() == HISTORY


def test_after_a_kill_in_the_middle_the_old_file_stands_and_nothing_is_left(
    shell: Shell, work: Path
) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-m", "holdfast", "state", "write", "history.json"],
        cwd=work,
        stdin=subprocess.PIPE,
    )
    assert writer.stdin is not None
    writer.stdin.write(b'{"cut": ')
    writer.stdin.flush()
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert (work / "history.json").read_text() == HISTORY
    assert shell("holdfast state recover .").returncode == 0
    assert left(work) == ["STATE.md", "history.json"]


def test_ctrl_c_while_it_waits_changes_nothing(shell: Shell, work: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-m", "holdfast", "state", "lock", "n.json", "--", "cat"],
        cwd=work,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    holder.stdin.write(b"held\n")
    holder.stdin.flush()
    assert holder.stdout.readline() == b"held\n"
    script = """
import os, signal, sys
from holdfast.cli.main import main
from holdfast.statefile.system.ops import Ops
Ops.pause = lambda self, seconds: os.kill(os.getpid(), signal.SIGINT)
sys.exit(main(["state", "lock", "n.json", "--timeout", "1h", "--", "true"]))
"""
    waiting = subprocess.run(
        [sys.executable, "-c", script], cwd=work, capture_output=True, check=False
    )
    holder.communicate()
    assert (waiting.returncode, waiting.stderr) == (130, b"")
