"""The named statements of the hub: blocks of the files in `sql/`."""

import difflib
import functools
from collections.abc import Iterator
from importlib import resources

MARK = "-- name:"


def text(name: str) -> str:
    """Return the SQL of one statement: `checks.due` is the block `-- name: due` of `sql/checks.sql`.

    Raises:
        LookupError: no file has a block of that name.
    """
    found = known().get(name)
    if found is not None:
        return found
    near = difflib.get_close_matches(name, known(), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known()))}"
    raise LookupError(f"there is no statement {name!r} in sql/; {hint}")


@functools.cache
def known() -> dict[str, str]:
    """Return every statement by its full name.

    Raises:
        ValueError: as `parsed`.
    """
    found: dict[str, str] = {}
    folder = resources.files("holdfast.hub.store").joinpath("sql")
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        if file.name.endswith(".sql"):
            found |= parsed(file.name, file.read_text(encoding="utf-8"))
    return found


def parsed(file: str, content: str) -> dict[str, str]:
    """Return the statements of one file by their full names.

    Raises:
        ValueError: it has a statement before its first name, an empty one, or a name twice.
    """
    area = file.removesuffix(".sql")
    found: dict[str, str] = {}
    for block, sql in _blocks(file, content):
        name = f"{area}.{block}"
        if not sql:
            raise ValueError(f"statement {name!r} is empty; write its SQL below its name")
        if name in found:
            raise ValueError(f"statement {name!r} stands twice; give one of them another name")
        found[name] = sql
    return found


def _blocks(file: str, content: str) -> Iterator[tuple[str, str]]:
    before, *blocks = f"\n{content}".split(f"\n{MARK}")
    if any(line.strip() and not line.startswith("--") for line in before.splitlines()):
        raise ValueError(f"sql/{file} begins without a name; write `{MARK} ...` above it")
    for block in blocks:
        name, _, sql = block.partition("\n")
        yield name.strip(), _bare(sql)


def _bare(sql: str) -> str:
    """Return a statement without the comments around it, so that the database need not read them each time."""
    lines = [line for line in sql.splitlines() if not line.lstrip().startswith("--")]
    return "\n".join(lines).strip().removesuffix(";")
