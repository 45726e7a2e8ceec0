"""What a service costs: a rate is the difference of two looks."""

import os
import subprocess
from dataclasses import replace

import pytest

from holdfast.machine.process.identity import Usage, identify
from holdfast.machine.supervisor import use
from holdfast.machine.supervisor.use import SHORTEST_SPAN, Sample, measure
from holdfast.model.service import Identity

PROCESS = Identity(pid=42, start_ticks=1, boot_id="b")


class Meter:
    """What the kernel says a process has used."""

    cpu_s = 0.0

    def __call__(self, _pid: int) -> Usage:
        return Usage(cpu_s=self.cpu_s, rss_bytes=1000)


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Meter:
    meter = Meter()
    monkeypatch.setattr(use, "usage", meter)
    return meter


def look(before: Sample | None, mono: float, process: Identity = PROCESS) -> Sample:
    found = measure(before, process, started_mono=100.0, mono=mono)
    assert found is not None
    return found


def test_the_first_rate_is_the_mean_since_the_start(meter: Meter) -> None:
    meter.cpu_s = 3.0
    found = look(None, 110.0)
    assert (found.cpu_percent, found.rss_bytes) == (30.0, 1000)


def test_a_later_rate_is_that_of_the_span_between_two_looks(meter: Meter) -> None:
    first = look(None, 110.0)
    meter.cpu_s = 4.0
    assert look(first, 112.0).cpu_percent == 200.0


def test_two_looks_in_quick_succession_give_the_same_rate(meter: Meter) -> None:
    first = look(None, 110.0)
    meter.cpu_s = 4.0
    assert look(first, 110.0 + SHORTEST_SPAN / 2) is first


def test_another_process_is_not_measured_against_the_old_one(meter: Meter) -> None:
    meter.cpu_s = 50.0
    first = look(None, 110.0)
    meter.cpu_s = 1.0
    found = look(first, 120.0, replace(PROCESS, pid=43))
    assert found.cpu_percent == 5.0


def test_at_the_very_start_there_is_no_rate(meter: Meter) -> None:
    assert look(None, 100.0).cpu_percent is None


def test_a_living_process_has_a_cost_and_a_dead_one_has_none() -> None:
    me = identify(os.getpid())
    assert me is not None
    found = measure(None, me, started_mono=0.0, mono=1000.0)
    assert found is not None
    assert found.rss_bytes > 1_000_000
    with subprocess.Popen(["sleep", "0"]) as process:
        gone = replace(me, pid=process.pid)
    assert measure(None, gone, started_mono=0.0, mono=1.0) is None
