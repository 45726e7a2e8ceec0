import re
import signal
import sys

import pytest

from holdfast.machine.probes.pattern import TooCostly, occurs

if sys.platform == "win32":
    pytest.skip("Windows has no timer of processor time", allow_module_level=True)


def test_a_pattern_is_found_or_not() -> None:
    assert occurs(re.compile("listening on [0-9]+"), "listening on 80")
    assert not occurs(re.compile("listening on [0-9]+"), "starting")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(a+)+$", "a" * 60 + "b"),
        ("(x|x)*y", "x" * 60),
        (".*a.*b.*c.*d", "abc" * 20_000),
        ("(.*)*=.*=.*z", "z" * 60_000),
    ],
)
def test_a_pattern_that_would_take_for_ever_is_broken_off(pattern: str, text: str) -> None:
    with pytest.raises(TooCostly):
        occurs(re.compile(pattern), text)


def test_afterwards_no_timer_runs_and_the_signal_means_what_it_meant() -> None:
    before = signal.getsignal(signal.SIGVTALRM)
    occurs(re.compile("a"), "a")
    with pytest.raises(TooCostly):
        occurs(re.compile("(a+)+$"), "a" * 60 + "b")
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGVTALRM) is before
