"""A line is one JSON object, stands where it belongs, and writing it never ends the program."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.client.level import Level
from holdfast.client.log import KEEP, MAX_SIZE, Logger, get_logger
from holdfast.clock import SystemClock, wall_from_text
from holdfast.errors import UsageError
from holdfast.home import Home


class BrokenRepr:
    def __repr__(self) -> str:
        raise RuntimeError("no repr today")


class StoppedClock:
    def wall(self) -> float:
        return 1_767_225_600.0

    def monotonic(self) -> float:
        return 0.0


def lines(home: Home, name: str) -> list[dict[str, Any]]:
    try:
        text = home.log(name).read_bytes().decode("utf-8")
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in text.split("\n")[:-1]]


def test_a_line_is_one_object_with_time_level_service_message_and_facts(home: Home) -> None:
    before = SystemClock().wall()

    get_logger("notes").info("indexed", notes=12, names=["a", "b"])

    (line,) = lines(home, "notes")
    assert before - 0.001 <= wall_from_text(line.pop("at")) <= SystemClock().wall()
    assert line == {
        "level": "INFO",
        "service": "notes",
        "message": "indexed",
        "notes": 12,
        "names": ["a", "b"],
    }


def test_the_time_is_rfc_3339_in_utc(home: Home) -> None:
    Logger("notes", level=Level.INFO, home=home, is_captured=False, clock=StoppedClock()).info("x")

    assert lines(home, "notes")[0]["at"] == "2026-01-01T00:00:00.000Z"


def test_each_method_writes_its_level(home: Home) -> None:
    log = get_logger("notes", level="debug")

    for method in (log.debug, log.info, log.warning, log.error, log.critical):
        method("said")

    assert [line["level"] for line in lines(home, "notes")] == [
        "DEBUG",
        "INFO",
        "WARNING",
        "ERROR",
        "CRITICAL",
    ]


def test_below_the_level_nothing_is_written(home: Home) -> None:
    log = get_logger("notes")

    log.debug("hidden")
    log.info("shown")

    assert [line["message"] for line in lines(home, "notes")] == ["shown"]


def test_the_level_comes_from_the_environment_unless_given(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_LOG_LEVEL", "error")

    assert get_logger("notes").level is Level.ERROR
    assert get_logger("notes", level="Debug").level is Level.DEBUG


def test_an_unknown_level_is_refused_with_the_known_ones(home: Home) -> None:
    with pytest.raises(UsageError, match="DEBUG, INFO, WARNING, ERROR, CRITICAL"):
        get_logger("notes", level="loud")


@pytest.mark.parametrize("name", [None, "", "../x", "Notes", "health", "policy-hits", "a\n"])
def test_a_name_that_would_write_elsewhere_is_refused(home: Home, name: str | None) -> None:
    with pytest.raises(UsageError, match="cannot name a log"):
        get_logger(name)


def test_errors_and_criticals_also_stand_in_health_log(home: Home) -> None:
    log = get_logger("notes")

    log.warning("not this")
    log.error("this", code=500)
    log.critical("and this")

    assert lines(home, "health") == lines(home, "notes")[1:]
    assert [line["message"] for line in lines(home, "health")] == ["this", "and this"]


def test_an_error_below_the_level_still_reaches_health_log(home: Home) -> None:
    get_logger("notes", level="critical").error("this")

    assert lines(home, "notes") == []
    assert [line["message"] for line in lines(home, "health")] == ["this"]


def test_startup_and_shutdown_are_told_with_pid_and_reason(home: Home) -> None:
    log = get_logger("notes")

    log.log_startup()
    log.log_startup(7)
    log.log_shutdown("asked")

    told = [
        (line["message"], line.get("pid"), line.get("reason")) for line in lines(home, "notes")
    ]
    assert told == [
        ("started", os.getpid(), None),
        ("started", 7, None),
        ("stopped", None, "asked"),
    ]


def test_an_exception_is_told_with_its_trace_and_context(home: Home) -> None:
    def fail() -> None:
        raise KeyError("müsli") from OSError("cause")

    try:
        fail()
    except KeyError as error:
        get_logger("notes").log_exception(error, path="/tmp/x", error="mine")

    (line,) = lines(home, "notes")
    assert line["level"] == "ERROR"
    assert line["error"] == "KeyError"
    assert line["path"] == "/tmp/x"
    assert "müsli" in line["message"]
    assert "OSError: cause" in line["trace"]
    assert "test_log.py" in line["trace"]
    assert lines(home, "health") == [line]


def test_performance_is_told_in_milliseconds_and_a_failure_as_a_warning(home: Home) -> None:
    log = get_logger("notes")

    log.log_performance("index", 12.5)
    log.log_performance("index", 900, success=False)

    good, bad = lines(home, "notes")
    assert (good["level"], good["operation"], good["duration_ms"]) == ("INFO", "index", 12.5)
    assert (good["success"], bad["success"], bad["level"]) == (True, False, "WARNING")


def test_a_policy_hit_stands_in_policy_hits_log(home: Home) -> None:
    get_logger("notes").policy_hit("auto-save", "triggered", "session modified")

    (line,) = lines(home, "policy-hits")
    assert line["service"] == "notes"
    assert (line["policy"], line["action"]) == ("auto-save", "triggered")
    assert line["context"] == "session modified"
    assert lines(home, "notes") == []


@pytest.mark.parametrize(
    ("severity", "level"),
    [
        ("ok", "INFO"),
        ("unknown", "WARNING"),
        ("warning", "WARNING"),
        ("critical", "CRITICAL"),
        ("Error", "ERROR"),
        ("info", "INFO"),
        ("strange", "WARNING"),
    ],
)
def test_a_health_event_stands_in_health_log(home: Home, severity: str, level: str) -> None:
    get_logger("notes", level="critical").health_event("disk", "2 % left", severity)

    (line,) = lines(home, "health")
    assert (line["event"], line["message"]) == ("disk", "2 % left")
    assert (line["severity"], line["level"]) == (severity, level)


def test_a_fact_cannot_overwrite_a_fixed_key_and_is_not_lost(home: Home) -> None:
    facts: dict[str, Any] = {"at": 1, "level": 2, "service": 3, "message": 4, "self": 5}

    get_logger("notes").info("said", **facts)

    (line,) = lines(home, "notes")
    assert (line["level"], line["service"], line["message"]) == ("INFO", "notes", "said")
    assert [line[key] for key in ("at_", "level_", "service_", "message_", "self")] == [
        1,
        2,
        3,
        4,
        5,
    ]


@pytest.mark.parametrize("fact", [{1, 2}, Path("/x"), b"bytes", float("nan"), 1j, Level, object()])
def test_what_json_cannot_hold_becomes_its_repr(home: Home, fact: object) -> None:
    get_logger("notes").info("said", fact=fact, kept=1)

    (line,) = lines(home, "notes")
    assert line["fact"] == repr(fact)
    assert line["kept"] == 1


def test_a_set_inside_a_list_becomes_its_repr_alone(home: Home) -> None:
    get_logger("notes").info("said", fact=[1, {2}])

    assert lines(home, "notes")[0]["fact"] == [1, "{2}"]


def test_circles_and_broken_reprs_harm_nothing(home: Home) -> None:
    circle: list[object] = []
    circle.append(circle)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]

    get_logger("notes").info("said", circle=circle, broken=BrokenRepr(), deep=deep, kept=1)

    (line,) = lines(home, "notes")
    assert line["circle"] == "[[...]]"
    assert line["broken"] == "<BrokenRepr without a repr>"
    assert line["deep"] == "<list without a repr>"
    assert line["kept"] == 1


facts = st.dictionaries(
    st.text(max_size=8),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ),
)


@given(message=st.text(st.characters()), facts=facts)
def test_any_text_and_any_fact_make_one_line_of_utf_8_json(
    message: str, facts: dict[str, object]
) -> None:
    log = Logger("notes", level=Level.INFO, home=Home(Path("/nowhere")), is_captured=True)

    text = log._line(Level.INFO, message, facts)

    assert "\n" not in text
    read = json.loads(text.encode("utf-8"))
    assert read["message"] == message


def test_text_of_any_script_stays_readable(home: Home) -> None:
    get_logger("notes").info("grüße 你好 🎉 \udcff")

    assert lines(home, "notes")[0]["message"] == "grüße 你好 🎉 \udcff"
    assert "grüße 你好 🎉".encode() in home.log("notes").read_bytes()


def test_a_log_is_rotated_at_10_mb_and_5_old_ones_are_kept(home: Home) -> None:
    assert (MAX_SIZE, KEEP) == (10_000_000, 5)
    log = get_logger("notes")
    piece = "x" * 2_500_000

    for number in range(28):
        log.info(piece, number=number)

    files = sorted(path.name for path in home.logs.iterdir() if not path.name.startswith("."))
    assert files == ["notes.log", *(f"notes.log.{age}" for age in range(1, 6))]
    assert all((home.logs / name).stat().st_size <= MAX_SIZE for name in files)
    assert lines(home, "notes")[-1]["number"] == 27


def test_threads_lose_no_line(home: Home) -> None:
    log = get_logger("notes")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: log.error("said", number=number), range(400)))

    assert sorted(line["number"] for line in lines(home, "notes")) == list(range(400))
    assert sorted(line["number"] for line in lines(home, "health")) == list(range(400))


def test_inside_a_service_lines_go_to_standard_output(
    home: Home, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOLDFAST_SERVICE", "notes")

    get_logger().error("said", code=5)

    output = capfd.readouterr()
    line = json.loads(output.out)
    assert (line["service"], line["message"], line["code"]) == ("notes", "said", 5)
    assert output.err == ""
    assert lines(home, "notes") == []
    assert lines(home, "health") == [line]


def test_an_unwritable_home_sends_each_line_to_standard_error_once(
    home: Home, capfd: pytest.CaptureFixture[str]
) -> None:
    home.root.write_text("in the way")
    log = get_logger("notes")

    log.error("failed")
    log.policy_hit("auto-save", "triggered")
    log.health_event("disk", "full")

    output = capfd.readouterr()
    assert output.out == ""
    assert [json.loads(line)["message"] for line in output.err.splitlines()] == [
        "failed",
        "auto-save: triggered",
        "full",
    ]


def test_an_error_of_a_service_that_cannot_write_health_log_is_told_once(
    home: Home, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    home.root.write_text("in the way")
    monkeypatch.setenv("HOLDFAST_SERVICE", "notes")

    get_logger().error("failed")

    output = capfd.readouterr()
    assert json.loads(output.out)["message"] == "failed"
    assert output.err == ""


@pytest.mark.parametrize("closed", ["1", "1, 2"])
def test_a_program_with_closed_outputs_goes_on(tmp_path: Path, closed: str) -> None:
    program = (
        "import os\n"
        "from holdfast.client import get_logger\n"
        f"for stream in ({closed},): os.close(stream)\n"
        "get_logger().error('said')\n"
        "os._exit(7)"
    )
    environment = {**os.environ, "HOLDFAST_SERVICE": "notes", "HOLDFAST_HOME": str(tmp_path)}

    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=False
    )

    assert ended.returncode == 7
    assert (b"said" in ended.stderr) is (closed == "1")
    assert b"Traceback" not in ended.stderr


def test_a_full_pipe_that_does_not_block_is_waited_for(tmp_path: Path) -> None:
    program = (
        "import os\n"
        "from holdfast.client import get_logger\n"
        "os.set_blocking(1, False)\n"
        "for number in range(2000): get_logger().info('x' * 200, number=number)\n"
    )
    environment = {**os.environ, "HOLDFAST_SERVICE": "notes", "HOLDFAST_HOME": str(tmp_path)}

    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        numbers = [json.loads(line)["number"] for line in writer.stdout]

    assert numbers == list(range(2000))
