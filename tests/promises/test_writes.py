"""Nothing but the rooms made for it opens a file for writing."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import holdfast

SOURCE = Path(holdfast.__file__).parent

WRITERS = ("statefile/", "journal.py", "machine/output/")
"""The rooms that write: state files, the journal, the output of services."""

ALLOWED = {
    "assemble.py": "the log a new supervisor gets as its stdout and stderr, before it can write one itself",
    "cli/main.py": "the null device, in place of a stdout that is gone",
    "config/starter.py": "a new configuration at the place a person names, never over another file",
    "hub/store/sqlite_copy.py": "a copy of the database at the place a person names, complete before it gets its name",
    "hub/store/sqlite_file.py": "the database of the hub, made private before anything stands in it",
    "machine/backup/tree.py": "the files of a snapshot and of a restore, under names nobody looks at",
    "machine/process/spawn.py": "a setting of the kernel in /proc, no file",
}
"""Modules that open something else for writing, and what."""

FLAGS = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_APPEND", "O_TRUNC"}
CALLS = {
    "write_text",
    "write_bytes",
    "touch",
    "truncate",
    "NamedTemporaryFile",
    "mkstemp",
    "symlink_to",
    "hardlink_to",
}
CALLS_OF = {
    "shutil": {"copy", "copy2", "copyfile", "move", "copytree"},
    "os": {"rename", "renames", "replace", "truncate", "mkfifo", "mknod", "link", "symlink"},
}


def writes_in(tree: ast.AST) -> Iterator[str]:
    """Yield each place of a module that opens a file for writing, or makes or moves one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in FLAGS:
            yield f"{node.lineno}: {node.attr}"
        if isinstance(node, ast.Call) and (what := write_of(node)):
            yield f"{node.lineno}: {what}"


def write_of(call: ast.Call) -> str:
    func = call.func
    if isinstance(func, ast.Name):
        return "open" if func.id == "open" and is_for_writing(call, 1) else ""
    if not isinstance(func, ast.Attribute):
        return ""
    owner = func.value.id if isinstance(func.value, ast.Name) else ""
    if func.attr in CALLS or func.attr in CALLS_OF.get(owner, ()):
        return func.attr
    return "open" if func.attr == "open" and owner != "os" and is_for_writing(call, 0) else ""


def is_for_writing(call: ast.Call, place: int) -> bool:
    modes = [
        *call.args[place : place + 1],
        *(key.value for key in call.keywords if key.arg == "mode"),
    ]
    return any(
        isinstance(mode, ast.Constant)
        and isinstance(mode.value, str)
        and set(mode.value) <= set("rwaxbt+")
        and set(mode.value) & set("wax+")
        for mode in modes
    )


def test_the_scan_sees_every_way_a_file_is_opened_for_writing() -> None:
    code = """
open(path, "w"); open(path, mode="ab"); open(path, "r+b")
path.open("x"); path.write_text(""); path.write_bytes(b""); path.touch()
os.open(path, os.O_WRONLY)
flags = os.O_CREAT
os.rename(a, b); shutil.move(a, b)
"""
    lines = [line.split(":")[0] for line in writes_in(ast.parse(code))]
    assert sorted(lines) == ["2"] * 3 + ["3"] * 4 + ["4", "5"] + ["6"] * 2
    harmless = 'open(path); open(path, "rb"); path.open(); pipes.open("api"); os.open(path, os.O_RDONLY); "a".replace("b", "c")'
    assert list(writes_in(ast.parse(harmless))) == []


def writers() -> dict[str, list[str]]:
    """Return every module that writes outside the rooms made for it, and where."""
    found = {}
    for path in SOURCE.rglob("*.py"):
        module = path.relative_to(SOURCE).as_posix()
        if not module.startswith(WRITERS):
            found[module] = list(writes_in(ast.parse(path.read_text(encoding="utf-8"))))
    return {module: places for module, places in found.items() if places}


def test_nothing_else_opens_a_file_for_writing() -> None:
    assert {module: at for module, at in writers().items() if module not in ALLOWED} == {}


@pytest.mark.parametrize("module", ALLOWED)
def test_every_exception_is_still_needed(module: str) -> None:
    assert module in writers()
