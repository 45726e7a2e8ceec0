"""Numbered steps: each says how it went, and a failing one never stops the rest."""

import sys

import pytest

from holdfast.cli import steps
from holdfast.cli.steps import Course, Step, run_command
from holdfast.errors import HoldfastError, Refused

ENV = {"PATH": "/usr/bin:/bin"}


def fail() -> str:
    raise Refused("not today\nnor tomorrow")


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", code)


def test_every_step_is_numbered_and_says_what_came_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    course = Course(
        steps=[
            Step(name="One", act=lambda: "as wanted"),
            Step(name="Two", act=fail),
            Step(name="Three", act=lambda: ""),
        ]
    )
    course.run()
    assert capsys.readouterr().out.splitlines() == [
        "[1/3] One ... ok (as wanted)",
        "[2/3] Two ... failed",
        "      not today",
        "      nor tomorrow",
        "[3/3] Three ... ok",
    ]
    told = [(result["name"], result["ok"]) for result in course.results]
    assert told == [("One", True), ("Two", False), ("Three", True)]
    assert course.results[1]["says"] == "not today\nnor tomorrow"


def test_a_quiet_course_prints_nothing_and_remembers_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    course = Course(steps=[Step(name="One", act=fail)], is_quiet=True)
    course.run()
    assert capsys.readouterr().out == ""
    assert [result["ok"] for result in course.results] == [False]


def test_without_a_vital_step_the_rest_means_nothing() -> None:
    taken = []

    def take() -> str:
        taken.append("two")
        return ""

    course = Course(
        steps=[
            Step(name="One", act=fail, is_vital=True),
            Step(name="Two", act=take),
        ],
        is_quiet=True,
    )
    with pytest.raises(Refused):
        course.run()
    assert taken == []
    assert len(course.results) == 1


def test_a_fault_of_ours_is_no_failed_step() -> None:
    def err() -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Course(steps=[Step(name="One", act=err)], is_quiet=True).run()


@pytest.mark.parametrize(
    ("code", "last"),
    [
        ("print('a'); print('b')", "b"),
        ("", ""),
        ("print('   ')", ""),
        ("import sys; print('note', file=sys.stderr); print('out')", "out"),
        ("import sys; sys.stdout.buffer.write(b'\\xff')", "�"),
    ],
)
def test_a_program_tells_by_its_last_line(code: str, last: str) -> None:
    assert run_command(python(code), "/", ENV) == last


def test_a_program_gets_its_folder_and_environment_and_no_input() -> None:
    code = "import os, sys; print(os.getcwd(), os.environ['A'], repr(sys.stdin.read()))"
    assert run_command(python(code), "/usr", {**ENV, "A": "b"}) == "/usr b ''"


@pytest.mark.parametrize(
    ("command", "cwd", "why"),
    [
        (("/no/such/program",), "/", "/no/such/program cannot be executed: No such file"),
        (("sleep", "0"), "/no/such/folder", "cannot be executed: No such file"),
        (python("raise SystemExit(3)"), "/", "ended with exit code 3$"),
        (python("import sys; sys.exit('why not')"), "/", "ended with exit code 1: why not"),
        (python("print('only out'); raise SystemExit(2)"), "/", "exit code 2: only out"),
        (python("import os; os.kill(os.getpid(), 9)"), "/", "ended with signal 9$"),
    ],
)
def test_a_program_that_goes_wrong_says_how(command: tuple[str, ...], cwd: str, why: str) -> None:
    with pytest.raises(HoldfastError, match=why):
        run_command(command, cwd, ENV)


def test_a_program_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "STEP_WITHIN", 0.05)
    with pytest.raises(HoldfastError, match=r"did not end within 0\.05 s and was killed"):
        run_command(("sleep", "8000"), "/", ENV)
