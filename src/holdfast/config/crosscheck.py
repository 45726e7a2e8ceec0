"""What the parts of a whole configuration must agree on: names, needs, thresholds."""

import difflib
from collections.abc import Iterator, Mapping

from holdfast.config.backups import faults
from holdfast.config.place import KeyPath
from holdfast.config.schema import Document
from holdfast.config.sections.service import Service
from holdfast.config.sources import Sources
from holdfast.config.units import duration_text
from holdfast.home import NAME, RESERVED_NAMES

LONGEST_NAME = 48
"""Names are parts of socket paths, and those end at 107 bytes."""

_SHARING = ("service", "job", "backup", "check", "agent")
"""Sections whose names must differ from each other's."""

_APART = ("notify", "maintenance")
"""Sections whose names are of their own."""


def crosscheck(document: Document, sources: Sources) -> None:
    """Record every disagreement between the parts of a document."""
    _check_names(document, sources)
    _check_backups(document, sources)
    _check_dependencies(document, sources)
    if sources.whole:
        _check_needs(document, sources)
        _check_cycles(document, sources)


def instance_names(name: str, service: Service) -> tuple[str, ...]:
    """Return the names of the services that one section stands for."""
    if service.instances == 1:
        return (name,)
    return tuple(f"{name}-{number}" for number in range(1, service.instances + 1))


def _check_names(document: Document, sources: Sources) -> None:
    owners: dict[str, KeyPath] = {}
    for section in (*_SHARING, *_APART):
        tables = sources.plain.get(section)
        for name in tables if isinstance(tables, dict) else ():
            _check_name(name, (section, name), sources)
            if section in _APART:
                continue
            for full in _full_names(section, name, document):
                other = owners.setdefault(full, (section, name))
                if other != (section, name):
                    sources.blame(
                        (section, name),
                        f"the name `{full}` is taken by {other[0]}.{other[1]} at {sources.place_of(other)}",
                        "names are unique over services, jobs, backups, checks and agents",
                    )


def _full_names(section: str, name: str, document: Document) -> tuple[str, ...]:
    service = document.service.get(name) if section == "service" else None
    return (name,) if service is None else instance_names(name, service)


def _check_name(name: str, path: KeyPath, sources: Sources) -> None:
    if NAME.fullmatch(name) is None:
        sources.blame(
            path,
            f"`{name}` is not a name",
            "names are small letters, digits, - and _, and begin with a letter or digit",
        )
    elif name in RESERVED_NAMES:
        sources.blame(path, f"the name `{name}` is reserved", "choose another")
    elif len(name) > LONGEST_NAME:
        sources.blame(path, f"`{name}` is longer than {LONGEST_NAME} characters", "shorten it")


def _check_backups(document: Document, sources: Sources) -> None:
    for name, backup in document.backup.items():
        warning = backup.warning_after or document.alerts.warning_after
        critical = backup.critical_after or document.alerts.critical_after
        own = backup.warning_after is not None or backup.critical_after is not None
        if own and critical <= warning:
            sources.blame(
                ("backup", name),
                f"backup.{name}: critical_after ({duration_text(critical)}) must be longer than warning_after ({duration_text(warning)})",
                "what a backup does not say comes from [alerts]",
            )
        for what, hint in faults(name, backup.path, backup.repository or ""):
            sources.blame(("backup", name), what, hint)


def _check_dependencies(document: Document, sources: Sources) -> None:
    """A check may depend on any other: that of a job or a backup bears its name."""
    known = {
        name
        for section in ("check", "job", "backup")
        if isinstance(tables := sources.plain.get(section), dict)
        for name in tables
    }
    for name, check in document.check.items():
        for other in check.depends_on:
            if other == name or other not in known:
                sources.blame(
                    ("check", name, "depends_on"),
                    f"check.{name} depends on `{other}`, which is no other check",
                    _near(other, sorted(known - {name})) or "name a check, a job or a backup",
                )


def _check_needs(document: Document, sources: Sources) -> None:
    known = _known_services(document, sources)
    for name, service in document.service.items():
        for need in service.needs:
            if need.name in known:
                continue
            others = sorted(set(known) - {name})
            hint = f"services are {', '.join(others)}" if others else "there is no other service"
            sources.blame(
                ("service", name, "needs"),
                f"service.{name} needs `{need.name}`, which is no service",
                _near(need.name, others) or hint,
            )


def _known_services(document: Document, sources: Sources) -> set[str]:
    tables = sources.plain.get("service")
    known = set(tables) if isinstance(tables, dict) else set()
    for name, service in document.service.items():
        known.update(instance_names(name, service))
    return known


def _near(name: str, others: list[str]) -> str:
    near = difflib.get_close_matches(name, others, n=1)
    return f"did you mean `{near[0]}`?" if near else ""


def _check_cycles(document: Document, sources: Sources) -> None:
    bases = {
        full: name
        for name, service in document.service.items()
        for full in (name, *instance_names(name, service))
    }
    edges = {
        name: tuple(bases[need.name] for need in service.needs if need.name in bases)
        for name, service in document.service.items()
    }
    for cycle in _cycles(edges):
        way = " -> ".join((*cycle, cycle[0]))
        sources.blame(
            ("service", cycle[0], "needs"),
            f"services need each other in a circle: {way}",
            "remove one of these needs",
        )


def _cycles(edges: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Yield one circle for each service that closes one, walking without recursion."""
    done: set[str] = set()
    for start in edges:
        way: list[str] = []
        ahead: list[Iterator[str]] = []
        if start not in done:
            way.append(start)
            ahead.append(iter(edges[start]))
        while way:
            following = next(ahead[-1], None)
            if following is None:
                done.add(way.pop())
                ahead.pop()
            elif following in way:
                yield tuple(way[way.index(following) :])
            elif following not in done:
                way.append(following)
                ahead.append(iter(edges[following]))
