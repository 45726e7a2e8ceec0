"""What the code can do stands in the reference, and the reference tells of nothing else."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import holdfast
from holdfast.cli.commands import COMMANDS
from holdfast.machine.supervisor.api import Api
from holdfast.model.kinds import KINDS

SOURCE = Path(holdfast.__file__).parent
DOCS = Path(__file__).parents[2] / "docs"


def kinds_in(tree: ast.AST) -> set[str]:
    """Return the kinds of events a module makes: literal, conditional, from a table, or by way of a name."""
    named: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            named.setdefault(node.targets[0].id, []).append(node.value)
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    places = [place for call in calls for place in kind_of(call)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            places += [
                value for key, value in zip(node.keys, node.values, strict=True) if is_kind(key)
            ]
    return {text for place in places for text in texts_of(place, named) if "." in text}


def texts_of(value: ast.expr, named: dict[str, list[ast.expr]]) -> Iterator[str]:
    """Yield every text an expression may be."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    within: list[ast.expr] = []
    if isinstance(value, ast.IfExp):
        within = [value.body, value.orelse]
    elif isinstance(value, ast.Name):
        within = named.get(value.id, [])
    elif isinstance(value, ast.Subscript):
        within = [value.value]
    elif isinstance(value, ast.Dict):
        within = value.values
    for one in within:
        yield from texts_of(one, named)


def is_kind(key: ast.expr | None) -> bool:
    """Tell whether the value beside this key of a literal is the kind of an event."""
    return isinstance(key, ast.Constant) and key.value == "kind"


def kind_of(call: ast.Call) -> Iterator[ast.expr]:
    """Yield where a call names the kind of an event."""
    func = call.func
    name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    if name in ("Record", "Note", "Told"):
        yield from (word.value for word in call.keywords if word.arg == "kind")
    elif name in ("event", "append", "_note", "_tell"):
        yield from call.args[:1]
    elif name in ("record", "note"):
        yield from call.args[1:2]


def all_kinds() -> set[str]:
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py"))
    return {kind for tree in trees for kind in kinds_in(tree)}


def test_the_scan_sees_every_way_a_kind_is_written() -> None:
    code = """
Record(kind="a.one", facts={})
Record(kind="a.two" if held else "a.three")
kind = "a.four" if lost else "a.five"
self.event(kind, name, {})
notes.record(service, "a.six", {})
journal.append("a.seven", name)
NAMED = {1: "a.eight", 2: "a.nine"}
Record(kind=NAMED[1])
rows.append("no kind")
Note(kind="a.ten")
events.note(tx, "a.eleven", name, {}, now)
_note("a.twelve", state)
told = {"kind": "a.thirteen", "subject": name}
"""
    numbers = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    later = ("ten", "eleven", "twelve", "thirteen")
    assert kinds_in(ast.parse(code)) == {f"a.{number}" for number in (*numbers, *later)}


def test_every_kind_of_event_is_in_the_table_and_every_row_is_used() -> None:
    assert sorted(all_kinds()) == sorted(KINDS)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="its argparse words options differently")
def test_the_reference_is_what_the_code_would_write_today() -> None:
    done = subprocess.run(
        [sys.executable, str(DOCS / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_command_is_in_the_reference() -> None:
    page = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    told = re.findall(r"^## holdfast (\S+)$", page, re.MULTILINE)
    assert told == [command.name for command in COMMANDS]


def test_every_order_of_the_control_socket_is_in_the_reference() -> None:
    page = (DOCS / "reference" / "control.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+`) \|", page, re.MULTILINE)
    told = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    nothing = cast("Any", None)
    staff = cast("Any", SimpleNamespace(schedule=None))
    assert sorted(told) == sorted(Api(nothing, staff, nothing, started_at=0.0).methods)


def test_the_reference_of_events_tells_every_kind() -> None:
    page = (DOCS / "reference" / "events.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z_.]+)` \|", page, re.MULTILINE)) == set(KINDS)


def test_every_link_between_pages_leads_somewhere() -> None:
    links = [
        (page, target)
        for page in DOCS.rglob("*.md")
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
        if "://" not in target
    ]
    broken = [
        f"{page.relative_to(DOCS)}: {target}"
        for page, target in links
        if not (page.parent / target).exists()
    ]
    assert links
    assert broken == []
