"""`holdfast doctor`: what is wrong with this machine and this home, and what to do; changes nothing."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from holdfast.cli import known, reach, render
from holdfast.cli.checkups import machine, state, watchdog
from holdfast.cli.checkups.finding import Finding, Grade
from holdfast.clock import SystemClock
from holdfast.home import Home

COLOURS = {Grade.OK: "green", Grade.WARN: "yellow", Grade.FAIL: "red"}


def run(options: argparse.Namespace) -> int:
    """Look at everything; 1 when something keeps Holdfast from its work."""
    findings = list(look(reach.home()))
    failed = sum(finding.grade is Grade.FAIL for finding in findings)
    if options.json:
        render.print_json([asdict(finding) for finding in findings])
    else:
        shown = [one for one in findings if not options.quiet or one.grade is not Grade.OK]
        for finding in shown:
            print("\n".join(lines(finding)))
        if not options.quiet:
            print(f"\n{summary(findings)}")
    return 1 if failed else 0


def look(home: Home) -> Iterator[Finding]:
    """Yield all findings, the machine first."""
    yield from machine.python(sys.version_info[:2])
    yield from machine.system(sys.platform)
    yield from machine.features()
    yield from machine.open_files(len(known.services(home)))
    yield from machine.clock(SystemClock().wall(), state.newest_file(home))
    yield from state.home(home)
    yield from state.runtime(home)
    yield from state.supervisor(home)
    yield from watchdog.watchdog(home)
    yield from state.service_records(home)
    yield from state.configuration(home)
    yield from machine.restic()


def lines(finding: Finding) -> Iterator[str]:
    """Yield a finding as people read it."""
    first, *more = finding.found.splitlines() or [""]
    grade = render.paint(f"{finding.grade.value:4}", COLOURS[finding.grade])
    yield f"{grade}  {finding.check:18}  {first}"
    for line in more:
        yield f"{'':26}{line}"
    if finding.advice:
        yield f"{'':26}-> {finding.advice}"


def summary(findings: Sequence[Finding]) -> str:
    """Return how much there is to do."""
    counts = {
        grade: sum(finding.grade is grade for finding in findings)
        for grade in (Grade.FAIL, Grade.WARN)
    }
    if not any(counts.values()):
        return "all is well"
    return f"{counts[Grade.FAIL]} to mend, {counts[Grade.WARN]} to know"
