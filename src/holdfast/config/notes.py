"""What a configuration says that this version understands and does not act on."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from holdfast.config.read import dotted
from holdfast.config.sources import Sources

NOT_ACTED_ON: Mapping[str, str] = {
    "hub.url": "no remote hub is joined yet",
    "hub.token_file": "no remote hub is joined yet",
    "agents": "agents are not served yet",
    "tasks": "tasks are not served yet",
    "agent.*": "agents are not started yet",
    "notify.*.rooms": "rooms are not served yet",
}
"""Key patterns and what is true instead; a part that acts on a key takes its row away."""


def notes(sources: Sources) -> tuple[str, ...]:
    """Return one line for each row that the files touch: where, how often, and what is true instead."""
    paths = list(_paths(sources.plain, ()))
    return tuple(
        _line(touched, words, sources)
        for pattern, words in NOT_ACTED_ON.items()
        if (touched := [path for path in paths if _matches(path, pattern)])
    )


def _line(touched: list[tuple[str, ...]], words: str, sources: Sources) -> str:
    more = f" and {len(touched) - 1} more" if len(touched) > 1 else ""
    first = touched[0]
    return (
        f"{sources.place_of(first)}: {dotted(first)}{more}: not acted on by this version; {words}"
    )


def _matches(path: tuple[str, ...], pattern: str) -> bool:
    wanted = pattern.split(".")
    return len(path) == len(wanted) and all(map(fnmatchcase, path, wanted))


def _paths(table: Mapping[str, object], above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for key, value in table.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from _paths(value, (*above, key))
