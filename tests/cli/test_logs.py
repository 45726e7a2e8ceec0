import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.clock import SystemClock, utc_text
from holdfast.home import Home

if TYPE_CHECKING:
    from tests.cli.conftest import Done, Following
    from tests.conftest import Machine

AT = "2026-01-31T08:00:00.250Z"


def ago(seconds: float) -> str:
    return utc_text(SystemClock().wall() - seconds)


def captured(line: str, *, at: str = AT, stream: str = "stdout") -> str:
    return json.dumps({"at": at, "stream": stream, "line": line}, separators=(",", ":"))


def write(home: Home, name: str, *lines: str) -> None:
    with home.log(name).open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def rotate(home: Home, name: str) -> None:
    path = home.log(name)
    path.with_name(f"{path.name}.1").rename(f"{path}.2") if os.path.exists(f"{path}.1") else None
    path.rename(f"{path}.1")


def test_the_newest_twenty_lines_are_shown(home: Home, run: "Callable[..., Done]") -> None:
    write(home, "api", *(f"line {number}" for number in range(100)))

    assert run("logs", "api").lines == [f"line {number}" for number in range(80, 100)]


def test_so_many_lines_as_asked_for_come_from_rotated_files_too(
    home: Home, run: "Callable[..., Done]"
) -> None:
    for number in range(9):
        write(home, "api", f"line {number}")
        if number in (2, 5):
            rotate(home, "api")

    assert run("logs", "api", "-n", "8").lines == [f"line {number}" for number in range(1, 9)]


def test_none_is_shown_when_none_is_asked_for(home: Home, run: "Callable[..., Done]") -> None:
    write(home, "api", "line")

    assert run("logs", "api", "-n", "0").out == ""


def test_a_negative_number_of_lines_is_refused(home: Home, run: "Callable[..., Done]") -> None:
    write(home, "api", "line")

    assert run("logs", "api", "-n", "-1").code == 2


def test_a_line_without_an_end_is_shown(home: Home, run: "Callable[..., Done]") -> None:
    home.log("api").write_bytes(b"whole\npass")

    assert run("logs", "api").lines == ["whole", "pass"]


def test_an_unknown_name_is_refused_with_the_one_meant(
    home: Home, run: "Callable[..., Done]"
) -> None:
    write(home, "api", "line")
    done = run("logs", "apj")

    assert done.code == 2
    assert "did you mean api?" in done.err


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "", "."])
def test_a_name_never_leads_out_of_the_folder(
    home: Home, run: "Callable[..., Done]", name: str
) -> None:
    (home.root / "secret.log").write_text("secret\n")
    done = run("logs", name)

    assert (done.code, done.out) == (2, "")


def test_a_service_that_has_printed_nothing_yet_shows_nothing(
    run: "Callable[..., Done]", record: Callable[..., None]
) -> None:
    record("api")

    assert run("logs", "api") == run("logs")
    assert (run("logs", "api").code, run("logs", "api").out) == (0, "")


def test_without_any_service_it_says_how_to_start_some(run: "Callable[..., Done]") -> None:
    done = run("logs")

    assert done.code == 3
    assert "holdfast up" in done.err


def test_without_names_the_logs_of_all_services_are_shown_and_no_others(
    home: Home, run: "Callable[..., Done]", record: Callable[..., None]
) -> None:
    for name in ("api", "db", "health"):
        write(home, name, f"I am {name}")
    record("api")
    record("db")

    assert run("logs").lines == ["api | I am api", "db  | I am db"]


@pytest.mark.parametrize("name", ["supervisor", "health", "policy-hits"])
def test_the_logs_of_holdfast_itself_are_shown_by_name(
    home: Home, run: "Callable[..., Done]", name: str
) -> None:
    write(home, name, "line")

    assert run("logs", name).lines == ["line"]


def test_several_logs_are_merged_by_the_time_of_their_lines(
    home: Home, run: "Callable[..., Done]"
) -> None:
    write(home, "api", "2026-01-01T00:00:01Z a", "  of a", "2026-01-01T00:00:04Z c")
    write(home, "db", "2026-01-01T00:00:02Z b", "2026-01-01T00:00:05Z d")

    assert [line[-1] for line in run("logs", "db", "api").lines] == ["a", "a", "b", "c", "d"]


def test_lines_of_one_log_keep_their_order_whatever_their_clock_said(
    home: Home, run: "Callable[..., Done]"
) -> None:
    write(home, "api", "2026-01-01T00:00:09Z 1", "2026-01-01T00:00:01Z 2")
    write(home, "db", "2026-01-01T00:00:05Z x")

    shown = [line[-1] for line in run("logs", "api", "db").lines]
    assert shown.index("1") < shown.index("2")


def test_logs_without_times_are_shown_one_after_another(
    home: Home, run: "Callable[..., Done]"
) -> None:
    write(home, "api", "a", "b")
    write(home, "db", "c", "d")

    assert run("logs", "db", "api").lines == ["db  | c", "db  | d", "api | a", "api | b"]


def test_captured_json_is_shown_readable(home: Home, run: "Callable[..., Done]") -> None:
    write(home, "api", captured("listening"))

    assert run("logs", "api").lines == [f"{AT} listening"]


def test_captured_json_is_shown_raw_when_asked_for(home: Home, run: "Callable[..., Done]") -> None:
    write(home, "api", captured("listening"))

    assert run("logs", "api", "--json").lines == [captured("listening")]


def test_json_of_several_logs_names_them(home: Home, run: "Callable[..., Done]") -> None:
    write(home, "api", captured("listening"))
    write(home, "db", "plain")

    assert [json.loads(line) for line in run("logs", "api", "db", "--json").lines] == [
        {"name": "db", "line": "plain"},
        {"name": "api", "at": AT, "stream": "stdout", "line": "listening"},
    ]


def test_one_stream_is_picked_out(home: Home, run: "Callable[..., Done]") -> None:
    write(home, "api", *(captured(f"e{n}", stream="stderr") for n in range(3)))
    write(home, "api", *(captured(f"o{n}") for n in range(30)))

    shown = run("logs", "api", "--stream", "stderr", "-n", "2").lines
    assert [line[-2:] for line in shown] == ["e1", "e2"]


def test_a_log_that_tells_no_streams_says_so(home: Home, run: "Callable[..., Done]") -> None:
    write(home, "api", "plain")
    done = run("logs", "api", "--stream", "stderr")

    assert done.out == ""
    assert 'set format = "json" in [service.api.log]' in done.err


def test_since_shows_all_that_came_later_with_what_belongs_to_it(
    home: Home, run: "Callable[..., Done]"
) -> None:
    write(home, "api", f"{ago(7200)} old", "  of old", f"{ago(600)} new", "  of new")
    write(home, "api", *(f"{ago(1)} newest" for _ in range(30)))
    shown = run("logs", "api", "--since", "1h").lines

    assert [line.split()[-1] for line in shown] == ["new", "new", *["newest"] * 30]


def test_since_and_a_number_show_the_newest_of_them(
    home: Home, run: "Callable[..., Done]"
) -> None:
    write(home, "api", f"{ago(7200)} old", f"{ago(2)} new", f"{ago(1)} newest")

    assert len(run("logs", "api", "--since", "1h", "-n", "1").lines) == 1
    assert len(run("logs", "api", "--since", "1h", "-n", "9").lines) == 2


def test_since_reads_no_rotated_file_that_was_last_written_before(
    home: Home, run: "Callable[..., Done]"
) -> None:
    write(home, "api", f"{ago(1)} odd")
    rotate(home, "api")
    os.utime(f"{home.log('api')}.1", (1.0, 1.0))
    write(home, "api", f"{ago(1)} new")

    assert [line[-3:] for line in run("logs", "api", "--since", "1h").lines] == ["new"]


def test_since_on_a_log_without_times_says_so(home: Home, run: "Callable[..., Done]") -> None:
    write(home, "api", "plain")
    done = run("logs", "api", "--since", "1h")

    assert done.out == ""
    assert "bear no time" in done.err


def test_since_nonsense_is_refused(home: Home, run: "Callable[..., Done]") -> None:
    write(home, "api", "plain")

    assert run("logs", "api", "--since", "later").code == 2


def test_nuls_and_bytes_that_are_no_text_harm_nothing(
    home: Home, run: "Callable[..., Done]"
) -> None:
    home.log("api").write_bytes(b"a\0b\n\xff\xfe\nend\n")
    done = run("logs", "api")

    assert (done.code, done.lines) == (0, ["a\0b", "\\xff\\xfe", "end"])


def test_half_a_surrogate_pair_harms_nothing(home: Home, run: "Callable[..., Done]") -> None:
    write(home, "api", '{"at":"2026-01-01T00:00:00Z","stream":"stdout","line":"\\ud800"}')

    assert run("logs", "api").out.endswith("\\ud800\n")


def test_a_log_that_cannot_be_read_is_one_clear_message(
    home: Home, run: "Callable[..., Done]"
) -> None:
    home.log("api").mkdir()
    done = run("logs", "api")

    assert done.code == 1
    assert "cannot be read" in done.err


def on_a_terminal(*words: str, env: dict[str, str]) -> str:
    """Run a command whose output is a terminal, and return what reached it."""
    if sys.platform == "win32":
        pytest.skip("Windows has no pseudo terminals")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "holdfast", *words],
        stdout=theirs,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm", **env},
    ) as command:
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 65_536):
                shown += chunk
        except OSError:  # how Linux says that the other end of a terminal is closed
            pass
        os.close(ours)
        assert command.wait(30) == 0
    return shown.decode().replace("\r\n", "\n")


def test_a_terminal_is_moved_by_no_log(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    write(home, "api", "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2Jgone")

    assert on_a_terminal("logs", "api", env={}) == "red \\x1b]0;title\\x07 \\x1b[2Jgone\n"


def test_names_and_serious_lines_are_coloured_on_a_terminal(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    write(home, "api", '{"level": "ERROR", "message": "lost"}')
    write(home, "db", "fine")

    shown = on_a_terminal("logs", "api", "db", env={})
    assert (
        shown == "\x1b[36mapi |\x1b[0m \x1b[31mERROR    lost\x1b[0m\n\x1b[33mdb  |\x1b[0m fine\n"
    )
    plain = on_a_terminal("logs", "api", "db", env={"NO_COLOR": "1"})
    assert plain == "api | ERROR    lost\ndb  | fine\n"


def test_following_goes_on_over_rotation(home: Home, follow: "Callable[..., Following]") -> None:
    write(home, "api", "1", "2")
    command = follow("logs", "-f", "api", "-n", "1")
    assert command.line() == "2"
    write(home, "api", "3")
    rotate(home, "api")
    write(home, "api", "4")
    assert command.lines(2) == ["3", "4"]
    write(home, "api", "5")
    assert command.line() == "5"


def test_following_waits_for_a_log_that_does_not_exist_yet(
    home: Home, follow: "Callable[..., Following]", record: Callable[..., None]
) -> None:
    record("api")
    command = follow("logs", "-f")
    write(home, "api", "first")

    assert command.line() == "first"


def test_following_several_logs_names_them(home: Home, follow: "Callable[..., Following]") -> None:
    write(home, "api", "1")
    write(home, "db", "2")
    command = follow("logs", "-f", "api", "db")
    assert command.lines(2) == ["api | 1", "db  | 2"]
    write(home, "db", "3")

    assert command.line() == "db  | 3"


def test_following_shows_one_stream(home: Home, follow: "Callable[..., Following]") -> None:
    write(home, "api", captured("1"))
    command = follow("logs", "-f", "api", "--stream", "stdout")
    assert command.line() == f"{AT} 1"
    write(home, "api", captured("2", stream="stderr"), captured("3"))

    assert command.line() == f"{AT} 3"


def test_ctrl_c_ends_following_at_once_and_in_silence(
    home: Home, follow: "Callable[..., Following]"
) -> None:
    write(home, "api", "1")
    command = follow("logs", "-f", "api")
    command.line()

    assert command.interrupted() == (130, "", "")


def test_following_ends_when_nobody_reads_any_more(
    home: Home, follow: "Callable[..., Following]"
) -> None:
    write(home, "api", "1")
    command = follow("logs", "-f", "api")
    command.line()
    assert command.process.stdout is not None
    command.process.stdout.close()
    command.process.stdout = None

    assert command.process.wait(30) == 0


def test_a_reader_that_has_enough_is_no_fault(home: Home) -> None:
    write(home, "api", *("x" * 100 for _ in range(10_000)))
    command = subprocess.Popen(
        [sys.executable, "-m", "holdfast", "logs", "api", "-n", "10000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.close()

    assert command.stderr.read() == b""
    assert command.wait(30) == 0
    command.stderr.close()


@pytest.mark.parametrize("kind", ["text", "json"])
def test_what_a_service_prints_is_followed_line_by_line_over_many_rotations(
    machine: "Machine", kind: str, follow: "Callable[..., Following]", monkeypatch: Any
) -> None:
    program = (
        "import sys\n"
        "print('ready', flush=True)\n"
        "sys.stdin = open('go')\n"
        "for number in range(20000): print(number)\n"
        "print('end', flush=True)\n"
        "open('go').read()"
    )
    if sys.platform == "win32":
        pytest.skip("Windows has no named pipes in folders")
    os.mkfifo(machine.root / "go")
    machine.config(f"""
        [service.api]
        command = [{json.dumps(sys.executable)}, "-c", {json.dumps(program)}]
        log = {{ max_size = "20kB", keep = 1000, format = "{kind}" }}
    """)
    machine.begin()
    for name, value in machine.env.items():
        monkeypatch.setenv(name, value)
    command = follow("logs", "-f", "api", "-n", "1000")
    assert command.line().endswith("ready")
    with open(machine.root / "go", "w"):
        shown = [command.line().rsplit(" ", 1)[-1]]
        while shown[-1] != "end":
            shown.append(command.line().rsplit(" ", 1)[-1])

    assert shown == [*map(str, range(20_000)), "end"]
    assert len(list((machine.home / "logs").glob("api.log.*"))) > 3


def test_it_imports_little(home: Home, loaded: Callable[..., set[str]]) -> None:
    write(home, "api", "line")
    modules = loaded("logs", "api")

    assert not modules & {
        "ctypes",
        "msgspec",
        "asyncio",
        "subprocess",
        "shtab",
        "psutil",
        "logging",
    }
