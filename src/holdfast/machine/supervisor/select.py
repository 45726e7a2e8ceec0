"""Find the services an order means: names, patterns, groups, or all."""

import difflib
import fnmatch
from collections.abc import Mapping, Sequence

from holdfast.errors import UnknownName, UsageError
from holdfast.machine.supervisor.service import Service


def select(
    services: Mapping[str, Service], words: Sequence[str], *, everything: bool = False
) -> list[Service]:
    """Return the services meant, each once, in the order they are configured.

    Raises:
        UsageError: nothing was named.
        UnknownName: a word means no service; all such words are named at once.
    """
    if everything:
        return list(services.values())
    if not words:
        raise UsageError(
            "no service was named; name one, a pattern like 'api-*', group:NAME, or use --all"
        )
    meant = {word: _meant_by(services, word) for word in words}
    unknown = [word for word, found in meant.items() if not found]
    if unknown:
        raise UnknownName("; ".join(_complaint(services, word) for word in unknown))
    chosen = {name for found in meant.values() for name in found}
    return [service for name, service in services.items() if name in chosen]


def _meant_by(services: Mapping[str, Service], word: str) -> list[str]:
    if word in services:
        return [word]
    if word.startswith("group:"):
        group = word.removeprefix("group:")
        return [name for name, service in services.items() if service.spec.group == group]
    if any(sign in word for sign in "*?["):
        return fnmatch.filter(services, word)
    return fnmatch.filter(services, f"{word}-[0-9]*")  # all instances of one section


def _complaint(services: Mapping[str, Service], word: str) -> str:
    if word.startswith("group:"):
        groups = sorted(
            {service.spec.group for service in services.values() if service.spec.group}
        )
        return f"no service is in {word!r}; groups: {', '.join(groups) or 'none'}"
    if any(sign in word for sign in "*?["):
        return f"no service matches {word!r}; services: {_named(services)}"
    near = difflib.get_close_matches(word, services, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"services: {_named(services)}"
    return f"there is no service {word!r}; {hint}"


def _named(services: Mapping[str, Service]) -> str:
    names = list(services)
    return (
        ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") or "none"
    )
