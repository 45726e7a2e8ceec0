"""What is valid and will still not work here: missing programs, folders, users, and limits nobody reaches."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping

from holdfast.config.sections.service import Program, Restart, Service
from holdfast.config.settings import Settings
from holdfast.config.units import duration_text
from holdfast.errors import Problem

_SHELL_WORDS = frozenset({"|", "||", "&&", "&", ";", ">", ">>", "<", "2>&1"})


def advice(settings: Settings, environ: Mapping[str, str] = os.environ) -> list[Problem]:
    """Return warnings about this machine and this configuration; none of them stops `up`."""
    programs: tuple[Mapping[str, Program], ...] = (
        settings.document.service,
        settings.jobs,
        settings.agents,
    )
    found: list[Problem] = []
    for section, named in zip(("service", "job", "agent"), programs, strict=True):
        for name, program in named.items():
            key = f"{section}.{name}"
            found += _problems(settings.places[key], key, _program(program, environ))
    for name, service in settings.document.service.items():
        key = f"service.{name}"
        found += _problems(settings.places[key], key, _service(service, settings))
    for name, backup in settings.backups.items():
        if not os.path.isdir(backup.path):
            where = settings.places[f"backup.{name}"]
            found += _problems(where, f"backup.{name}", iter([_missing_folder(backup.path)]))
    for number, step in enumerate(settings.steps):
        key = f"startup.steps[{number}]"
        path = environ.get("PATH", os.defpath)
        found += _problems(str(settings.path), key, _command(step.command, path))
    return found


def _problems(place: str, key: str, faults: Iterator[tuple[str, str]]) -> list[Problem]:
    return [Problem(place=place, what=f"{key}: {what}", hint=hint) for what, hint in faults]


def _program(program: Program, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    path = program.env.get("PATH") or environ.get("PATH", os.defpath)
    yield from _command(program.command, path)
    if program.cwd is not None and not os.path.isdir(program.cwd):
        yield _missing_folder(program.cwd)
    if program.env_file is not None and not os.path.isfile(program.env_file):
        yield f"env_file {program.env_file} does not exist", "create it, or remove the key"
    if program.user is not None and not _is_user(program.user):
        yield f"there is no user {program.user} on this machine", ""


def _command(command: tuple[str, ...], path: str) -> Iterator[tuple[str, str]]:
    program = command[0]
    if os.path.isabs(program):
        if not os.access(program, os.X_OK) or os.path.isdir(program):
            yield f"{program} does not exist or cannot be executed", ""
    elif shutil.which(program, path=path) is None:
        yield f"the program {program} is not on the PATH", "name it with its folder, or install it"
    operators = [word for word in command if word in _SHELL_WORDS]
    if operators:
        yield (
            f"`{operators[0]}` is passed to the program as a word: no shell runs the command",
            'name a shell if you want one: ["sh", "-c", "..."]',
        )


def _missing_folder(path: str) -> tuple[str, str]:
    return f"the folder {path} does not exist", "create it, or correct the path"


def _is_user(user: str) -> bool:
    if sys.platform == "win32":
        return True
    import pwd

    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _service(service: Service, settings: Settings) -> Iterator[tuple[str, str]]:
    yield from _restart(service.restart)
    for need in service.needs:
        needed = settings.document.service.get(need.name)
        if service.enabled and needed is not None and not needed.enabled:
            yield f"needs {need.name}, which is not enabled", "it will wait for ever"


def _restart(restart: Restart) -> Iterator[tuple[str, str]]:
    limit, gap = restart.limit, restart.min_gap
    # A further restart comes no sooner than count gaps after the first; by then the first has left the window.
    if limit is not None and gap and limit.count * gap >= limit.within:
        yield (
            f"the limit of {limit.count} restarts in {duration_text(limit.within)} is never reached: "
            f"restarts are {duration_text(gap)} apart",
            "lower min_gap or the limit",
        )
    if restart.delay > restart.max_delay:
        yield (
            f"delay ({duration_text(restart.delay)}) is longer than max_delay ({duration_text(restart.max_delay)})",
            "max_delay holds",
        )
