"""What services print is kept: every line once and in order, whatever they print and however fast."""

import contextlib
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Machine


def python(code: str) -> str:
    """Return a command that runs code and then stays."""
    return json.dumps([sys.executable, "-S", "-c", code + "\nimport time\ntime.sleep(3600)"])


def files(machine: "Machine", name: str) -> list[Path]:
    """Return the log files of a service, oldest first."""
    logs = machine.home / "logs"
    old = [path for path in logs.glob(f"{name}.log.*") if path.suffix[1:].isdigit()]
    return [*sorted(old, key=lambda path: -int(path.suffix[1:])), logs / f"{name}.log"]


def whole(machine: "Machine", name: str) -> bytes:
    """Return all that a service has printed; a part of it while files are being numbered anew."""
    found = b""
    for path in files(machine, name):
        with contextlib.suppress(FileNotFoundError):
            found += path.read_bytes()
    return found


def test_fifty_thousand_lines_stand_there_once_and_in_order_over_rotated_files(
    machine: "Machine",
) -> None:
    code = "for n in range(50_000): print('line', n, flush=n % 100 == 0)\nprint('end', flush=True)"
    machine.config(f"""
        [service.a]
        command = {python(code)}
        log = {{ max_size = "64kB", keep = 50 }}
    """)
    machine.begin()
    machine.await_(lambda: whole(machine, "a").endswith(b"end\n"))
    lines = whole(machine, "a").decode().splitlines()
    assert lines == [*(f"line {n}" for n in range(50_000)), "end"]
    assert len(files(machine, "a")) > 5
    assert all(path.read_bytes().endswith(b"\n") for path in files(machine, "a")[:-1])


def test_no_more_old_files_are_kept_than_asked_for(machine: "Machine") -> None:
    code = "for n in range(20_000): print('line', n)\nprint('end', flush=True)"
    machine.config(f"""
        [service.a]
        command = {python(code)}
        log = {{ max_size = "10kB", keep = 2 }}
    """)
    machine.begin()
    machine.await_(lambda: whole(machine, "a").endswith(b"end\n"))
    assert len(files(machine, "a")) == 3
    assert max(path.stat().st_size for path in files(machine, "a")) < 200_000


def test_bytes_of_every_kind_are_kept_as_they_are(machine: "Machine") -> None:
    code = """
import sys
out = sys.stdout.buffer
out.write(b"nul \\0 invalid \\xff\\xfe \\xc3 tail\\r\\n\\x1b[31mred\\n")
out.write(b"x" * 10_000_000 + b"\\n")
out.write(b"after\\n")
out.write(b"no end")
out.flush()
"""
    machine.config(f"[service.a]\ncommand = {python(code)}\n")
    machine.begin()
    expected = (
        b"nul \0 invalid \xff\xfe \xc3 tail\r\n\x1b[31mred\n"
        + b"x" * 10_000_000
        + b"\nafter\nno end"
    )
    machine.await_(lambda: len(whole(machine, "a")) >= len(expected))
    assert whole(machine, "a") == expected
    for words in (["logs", "a"], ["logs", "a", "-n", "5"], ["logs", "a", "--json"]):
        machine.holdfast(*words)


def test_json_logs_hold_both_streams_a_line_each(machine: "Machine") -> None:
    code = """
import sys
for n in range(200):
    print("out", n, flush=True)
    print("err", n, file=sys.stderr, flush=True)
sys.stdout.buffer.write(b"bad \\xff\\0 line\\n")
sys.stdout.flush()
"""
    machine.config(f"""
        [service.a]
        command = {python(code)}
        log = {{ format = "json" }}
    """)
    machine.begin()
    machine.await_(lambda: machine.log("a").count(b"\n") >= 401)
    lines = [json.loads(line) for line in machine.log("a").splitlines()]
    for stream, word in (("stdout", "out"), ("stderr", "err")):
        texts = [
            next(value for value in line.values() if str(value).startswith(word))
            for line in lines
            if line["stream"] == stream and b"bad" not in json.dumps(line).encode()
        ]
        assert texts == [f"{word} {n}" for n in range(200)]


def test_last_words_of_a_crash_are_kept(machine: "Machine") -> None:
    machine.config("""
        [service.a]
        command = ["sh", "-c", "echo first; echo last words >&2; kill -9 $$$$"]
        restart = { when = "never" }
    """)
    machine.begin()
    machine.await_state("a", "failed")
    assert machine.log("a") == b"first\nlast words\n"


def test_a_service_that_talks_without_end_holds_up_nobody(machine: "Machine") -> None:
    machine.config("""
        [service.loud]
        command = ["yes", "a line that is said again and again"]
        log = { max_size = "100kB", keep = 2 }
        [service.calm]
        command = ["sleep", "9001"]
    """)
    machine.begin()
    machine.await_(lambda: len(files(machine, "loud")) == 3)
    machine.holdfast("restart", "calm", "--no-wait")
    machine.holdfast("restart", "loud", "--no-wait")
    machine.holdfast("stop", "loud")
    assert sum(path.stat().st_size for path in files(machine, "loud")) < 3_000_000


def test_a_service_that_closes_its_output_is_none_the_worse(machine: "Machine") -> None:
    machine.config("""
        [service.a]
        command = ["sh", "-c", "echo said; exec >&- 2>&-; sleep 9002"]
    """)
    machine.up()
    pid = machine.pid("a")
    machine.kill_supervisor()
    machine.up()
    assert machine.pid("a") == pid
    machine.await_(lambda: machine.log("a") == b"said\n")


def test_output_may_be_opened_anew_by_its_name(machine: "Machine") -> None:
    machine.config("""
        [service.a]
        command = ["sh", "-c", "echo one > /dev/stdout; echo two > /proc/self/fd/2; exec sleep 9003"]
    """)
    machine.begin()
    machine.await_(lambda: machine.log("a") == b"one\ntwo\n")


def test_a_deleted_log_and_a_truncated_one_go_on(machine: "Machine") -> None:
    machine.config("""
        [service.a]
        command = ["sh", "-c", "n=0; while :; do n=$((n+1)); echo $n; sleep 0.02; done"]
    """)
    machine.begin()
    log = machine.home / "logs" / "a.log"
    machine.await_(lambda: machine.log("a"))
    with log.open("r+b") as file:
        file.truncate(0)
    machine.await_(lambda: re.match(rb"\d+\n", machine.log("a")))
    assert b"\0" not in machine.log("a")


def test_logs_shows_the_newest_lines_and_follows(machine: "Machine") -> None:
    machine.config("""
        [service.a]
        command = ["sh", "-c", "for n in 1 2 3 4 5; do echo line $n; done; while ! [ -e go ]; do sleep 0.05; done; echo later; exec sleep 9004"]
        cwd = "."
    """)
    machine.begin()
    machine.await_(lambda: machine.log("a").endswith(b"line 5\n"))
    said = machine.holdfast("logs", "a", "-n", "2").stdout
    assert "line 4" in said
    assert "line 5" in said
    assert "line 3" not in said
    following = machine.beside("logs", "-f", "a", "-n", "1")
    assert following.stdout is not None
    assert "line 5" in following.stdout.readline()
    (machine.root / "go").touch()
    assert "later" in following.stdout.readline()
