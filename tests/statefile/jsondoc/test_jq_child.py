"""An answer is one whole frame, and the child asks nothing of its parent."""

import subprocess
import sys

import pytest

from holdfast.statefile.jsondoc.jq_child import (
    COUNT,
    MISSING,
    REFUSED,
    VALUE,
    Request,
    answer,
    opened,
)

pytest.importorskip("jq", reason="filters need jq")


def asked(program: str, text: str = "null", args: str = "{}") -> tuple[bytes, str] | None:
    return opened(answer(Request(program, text, args, 5.0)))


def test_the_answer_tells_one_value_several_and_none_apart() -> None:
    assert asked(".", '{"a": [1.10]}') == (VALUE, '{"a":[1.10]}')
    assert asked("$a", args='{"a": "é"}') == (VALUE, '"é"')
    assert asked("empty") == (COUNT, "0")
    assert asked("1, 2, 3") == (COUNT, "3")
    assert asked("range(1000000)") == (COUNT, "101")


def test_a_comment_at_the_end_hides_nothing() -> None:
    assert asked(". # all of it", "1") == (VALUE, "1")
    assert asked(". # all of it \\", "1") == (VALUE, "1")


def test_what_jq_says_is_passed_on() -> None:
    found = asked("error")

    assert found == (REFUSED, "null")


def test_a_missing_jq_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jq", None)

    found = asked(".")

    assert found is not None
    assert found[0] == MISSING


def test_no_part_of_a_frame_is_taken_for_the_whole() -> None:
    frame = answer(Request(".", "[123, 45]", "{}", 5.0))

    assert opened(frame) == (VALUE, "[123,45]")
    assert all(opened(frame[:length]) is None for length in range(len(frame)))


CONFINED = """
import os, resource, signal
from holdfast.statefile.jsondoc.jq_child import confine

signal.signal(signal.SIGTERM, lambda *_: None)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
confine(60.0)
assert not os.environ
assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()
assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 60.0
assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")
def test_a_confined_process_has_no_environment_no_handlers_and_a_timer() -> None:
    subprocess.run([sys.executable, "-c", CONFINED], check=True)
