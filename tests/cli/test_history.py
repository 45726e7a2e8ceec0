from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.cli.history import ended
from holdfast.home import Home
from holdfast.model.service import Exit, Reason, Restart

if TYPE_CHECKING:
    from tests.cli.conftest import Done

AT = 1_769_846_400.0


def restart(number: int, **facts: Any) -> Restart:
    usual = Restart(
        at=AT + number,
        mono=0.0,
        boot_id="b",
        reason=Reason.EXIT,
        exit=Exit(code=3),
        pid=100 + number,
        success=True,
    )
    return replace(usual, **facts)


def test_the_history_is_a_list_with_the_newest_last(
    record: Callable[..., None], run: "Callable[..., Done]"
) -> None:
    signalled = restart(2, reason=Reason.SIGNAL, exit=Exit(signal=9), pid=None, success=None)
    record("api", history=(restart(1), signalled))

    assert run("history", "api", "--json").json == [
        {
            "at": "2026-01-31T08:00:01.000Z",
            "reason": "exit",
            "exit_code": 3,
            "signal": None,
            "pid": 101,
            "success": True,
        },
        {
            "at": "2026-01-31T08:00:02.000Z",
            "reason": "signal",
            "exit_code": None,
            "signal": 9,
            "pid": None,
            "success": None,
        },
    ]


def test_the_history_is_a_table_with_names_of_signals(
    record: Callable[..., None], run: "Callable[..., Done]"
) -> None:
    record("api", history=(restart(1, reason=Reason.SIGNAL, exit=Exit(signal=9)),))

    assert run("history", "api").lines[1].split() == [
        "2026-01-31T08:00:01.000Z",
        "signal",
        "SIGKILL",
        "101",
        "started",
    ]


@pytest.mark.parametrize(("count", "kept"), [(0, []), (2, [3, 4]), (9, [0, 1, 2, 3, 4])])
def test_only_the_newest_are_shown_when_asked_for(
    record: Callable[..., None], run: "Callable[..., Done]", count: int, kept: list[int]
) -> None:
    record("api", history=tuple(restart(number) for number in range(5)))

    rows = run("history", "api", "-n", str(count), "--json").json
    assert [row["pid"] - 100 for row in rows] == kept


def test_a_negative_number_is_refused(
    record: Callable[..., None], run: "Callable[..., Done]"
) -> None:
    record("api")

    assert run("history", "api", "-n", "-1").code == 2


def test_a_service_that_never_restarted_says_so(
    record: Callable[..., None], run: "Callable[..., Done]"
) -> None:
    record("api")

    assert run("history", "api").lines == ["api was never restarted"]
    assert run("history", "api", "--json").json == []


@pytest.mark.parametrize("name", ["apj", "../api", "", "API"])
def test_an_unknown_name_is_refused(
    record: Callable[..., None], run: "Callable[..., Done]", name: str
) -> None:
    record("api")
    done = run("history", name)

    assert (done.code, done.out) == (2, "")
    assert "there is no service" in done.err


def test_a_record_that_cannot_be_read_is_named_and_left_alone(
    home: Home, run: "Callable[..., Done]"
) -> None:
    home.service("api").write_text("{")
    done = run("history", "api")

    assert done.code == 6
    assert str(home.service("api")) in done.err
    assert home.service("api").read_text() == "{"


@pytest.mark.parametrize(
    ("exit_", "said"),
    [
        (Exit(code=0), "exit 0"),
        (Exit(signal=15), "SIGTERM"),
        (Exit(signal=11, core=True), "SIGSEGV (core dumped)"),
        (Exit(signal=99), "signal 99"),
        (Exit(), "unknown"),
    ],
)
def test_an_end_is_said_in_words(exit_: Exit, said: str) -> None:
    assert ended(exit_) == said


def test_it_imports_little(record: Callable[..., None], loaded: Callable[..., set[str]]) -> None:
    record("api")
    modules = loaded("history", "api")

    assert not modules & {
        "ctypes",
        "msgspec",
        "asyncio",
        "subprocess",
        "shtab",
        "psutil",
        "logging",
    }
