"""Tell what a change did: one quiet line, a difference for a dry run, or facts as JSON."""

import argparse
from typing import Any

from holdfast.cli import render
from holdfast.statefile.durability import Durability
from holdfast.statefile.write import Result

NOT_DURABLE = 5
_LEVELS = list(Durability)
_LOST = {
    "attributes": "its extended attributes",
    "backup": "a backup, as its file system has no hard links",
    "group": "its group",
    "links": "its other hard links, which go on holding the old content",
    "mode": "all of its permissions",
    "owner": "its owner",
}


def tell(options: argparse.Namespace, result: Result, old: bytes | None = None) -> int:
    """Print what was done; `old` is what a dry run would replace. 5 when `--strict` asked for more than was achieved."""
    if options.json:
        render.print_json(facts(options, result, old))
    elif options.dry_run:
        print("".join(difference(result.path, old, result.content)), end="")
    elif not options.quiet:
        print(line(result))
        if options.verbose and result.swept:
            print(
                f"{result.swept} temps of dead writers removed ({render.size(result.swept_bytes)})"
            )
    for one in result.lost:
        render.complain(f"warning: {result.path} could not keep {_LOST.get(one, one)}")
    return _durable(options, result)


def _durable(options: argparse.Namespace, result: Result) -> int:
    if _LEVELS.index(result.achieved) >= _LEVELS.index(result.requested):
        return 0
    render.complain(
        f"warning: {result.path} is in place, but its file system promises only "
        f"`{result.achieved.value}` where `{result.requested.value}` was asked for"
    )
    return NOT_DURABLE if options.strict else 0


def line(result: Result) -> str:
    """Return the one line that says what became of a file."""
    done = "written" if result.written else "unchanged"
    return f"{result.path} {done} ({render.size(result.bytes)})"


def facts(options: argparse.Namespace, result: Result, old: bytes | None) -> dict[str, Any]:
    """Return what was done in values that JSON knows."""
    told: dict[str, Any] = {
        "path": result.path,
        "written": result.written,
        "bytes": result.bytes,
        "sha256": result.sha256,
        "durability": {"requested": result.requested.value, "achieved": result.achieved.value},
        "lost": list(result.lost),
        "swept": {"temps": result.swept, "bytes": result.swept_bytes},
    }
    if options.dry_run:
        told |= {
            "dry_run": True,
            "diff": "".join(difference(result.path, old, result.content, plain=True)),
        }
    return told


def difference(path: str, old: bytes | None, new: bytes, *, plain: bool = False) -> list[str]:
    """Return a unified diff, coloured where colours are wanted."""
    if old == new:
        return []
    try:
        before, after = (old or b"").decode(), new.decode()
    except UnicodeDecodeError:
        return [f"{path}: {len(old or b'')} bytes become {len(new)} bytes that are no text\n"]
    import difflib

    name = "/dev/null" if old is None else path
    lines = difflib.unified_diff(_lines(before), _lines(after), name, path)
    return [one if plain else _painted(one) for one in map(_ended, lines)]


def _lines(text: str) -> list[str]:
    # str.splitlines also splits at characters that end no line for any other program.
    *lines, last = text.split("\n")
    return [f"{one}\n" for one in lines] + ([last] if last else [])


def _ended(one: str) -> str:
    return one if one.endswith("\n") else f"{one}\n\\ No newline at end of file\n"


def _painted(one: str) -> str:
    colour = {"+": "green", "-": "red"}.get(one[:1])
    return f"{render.paint(one[:-1], colour)}\n" if colour else one
