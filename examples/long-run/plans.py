"""Plans: Markdown files whose list items are the tasks, done from top to bottom."""

import re
from pathlib import Path
from typing import NamedTuple

_SUFFIX = "-PLAN.md"
_TITLE = re.compile(r"# (.+)")
_TASK = re.compile(r"- ([a-z]+):[ \t]*(.*)")


class Task(NamedTuple):
    """One list item: what to do, and with what."""

    verb: str
    about: str

    def __str__(self) -> str:
        return f"{self.verb}: {self.about}".rstrip()


class Plan(NamedTuple):
    """One file: `18-01-PLAN.md` is the plan 18-01."""

    id: str
    title: str
    tasks: tuple[Task, ...]


def read_plans(folder: Path) -> list[Plan]:
    """Return the plans of a folder in the order in which they are executed: 2-01, 18-01, 18-02, 18-10."""
    paths = sorted((folder / "plans").glob(f"*{_SUFFIX}"), key=lambda path: _order(path.name))
    return [_plan(path) for path in paths]


def _order(name: str) -> list[tuple[int, str]]:
    return [(int(run), "") if run.isdecimal() else (-1, run) for run in re.split(r"(\d+)", name)]


def _plan(path: Path) -> Plan:
    lines = path.read_text("utf-8").splitlines()
    titles = [found[1] for line in lines if (found := _TITLE.fullmatch(line))]
    tasks = [Task(found[1], found[2]) for line in lines if (found := _TASK.fullmatch(line))]
    return Plan(path.name.removesuffix(_SUFFIX), titles[0] if titles else path.name, tuple(tasks))
