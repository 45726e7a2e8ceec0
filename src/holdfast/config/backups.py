"""From the section of a backup to what is backed up, and to the job the supervisor runs for it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from holdfast.config.sections.work import Backup
from holdfast.config.settings import Settings
from holdfast.errors import ConfigError, Problem
from holdfast.home import default_home
from holdfast.model.backup import EngineName, Keep
from holdfast.model.job import JobSpec, Overlap
from holdfast.model.project import Project
from holdfast.model.spec import RestartPolicy, ServiceSpec, StopPolicy, When

REPOSITORY = "repository"
"""The folder of the snapshots whose configuration names none, in the state folder."""

PASSWORD = "repository-password"  # noqa: S105 - the name of a file
"""The file in the state folder with the password of repositories whose configuration names none."""

STOP_WITHIN = 30.0
"""Seconds a run that is ended has to take back what it began."""

CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AZURE_ACCOUNT_KEY",
    "AZURE_ACCOUNT_NAME",
    "AZURE_ACCOUNT_SAS",
    "B2_ACCOUNT_ID",
    "B2_ACCOUNT_KEY",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_PROJECT_ID",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "OS_AUTH_URL",
    "OS_PASSWORD",
    "OS_PROJECT_NAME",
    "OS_REGION_NAME",
    "OS_USERNAME",
    "RESTIC_CACERT",
    "RESTIC_CACHE_DIR",
    "SSH_AUTH_SOCK",
    "TMPDIR",
    "XDG_CACHE_HOME",
)
"""What an engine may find in the supervisor's own environment: the ways to a repository far away."""


def backups_of(settings: Settings, home: Path | None = None) -> tuple[Project, ...]:
    """Return every backed-up project; a repository that is not named is one in the state folder.

    Raises:
        ConfigError: a project is its own repository, or lies within it.
    """
    root = home or default_home()
    projects = tuple(
        _project(name, section, settings, root) for name, section in settings.backups.items()
    )
    problems = tuple(
        Problem(place=settings.places[f"backup.{one.name}"], what=what, hint=hint)
        for one in projects
        for what, hint in faults(one.name, one.path, one.repository)
    )
    if problems:
        raise ConfigError(problems)
    return projects


def backup_jobs(settings: Settings, home: Path | None = None) -> tuple[JobSpec, ...]:
    """Return the job of each project: due by its schedule, and once more when files changed while it ran."""
    root = home or default_home()
    return tuple(
        JobSpec(
            program=_program(name, root, enabled=section.enabled),
            schedule=section.schedule,
            timezone=section.timezone,
            overlap=Overlap.QUEUE,
        )
        for name, section in settings.backups.items()
    )


def _project(name: str, section: Backup, settings: Settings, home: Path) -> Project:
    path = os.path.normpath(section.path)
    repository = section.repository or str(home / REPOSITORY)
    own = (repository, str(home))
    return Project(
        name=name,
        path=path,
        repository=repository,
        exclude=(*section.exclude, *filter(None, (_below(path, one) for one in own))),
        engine=EngineName(section.engine.value) if section.engine else None,
        password_file=section.password_file or str(home / PASSWORD),
        keep=Keep(
            hourly=section.keep.hourly,
            daily=section.keep.daily,
            weekly=section.keep.weekly,
            monthly=section.keep.monthly,
        ),
        verify_every=section.verify_every,
        warning_after=section.warning_after or settings.alerts.warning_after,
        critical_after=section.critical_after or settings.alerts.critical_after,
        timezone=section.timezone,
        host=settings.machine,
        on_change=section.on_change,
        enabled=section.enabled,
    )


def _program(name: str, home: Path, *, enabled: bool) -> ServiceSpec:
    return ServiceSpec(
        name=name,
        command=(sys.executable, "-P", "-m", "holdfast.assemble", "backup-run", name),
        cwd=str(home),
        inherit_env=CREDENTIALS,
        umask=0o077,
        enabled=enabled,
        autostart=False,
        restart=RestartPolicy(when=When.NEVER),
        stop=StopPolicy(timeout=STOP_WITHIN),
    )


def _below(path: str, inner: str) -> str | None:
    """Return the pattern that leaves out what lies below the project; None for what does not."""
    relative = os.path.relpath(inner, path) if os.path.isabs(inner) else os.pardir
    if relative == os.curdir or relative.split(os.sep)[0] == os.pardir:
        return None
    return "/" + relative.replace(os.sep, "/")


def faults(name: str, path: str, repository: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with where a project and its repository stand, and what to do."""
    place, folder = os.path.normpath(repository), os.path.normpath(path)
    if not os.path.isabs(place):
        return
    if folder == place:
        yield (
            f"backup.{name}: the project is its own repository",
            "name another folder as repository",
        )
    elif _below(place, folder) is not None:
        yield (
            f"backup.{name}: the project lies within its repository",
            "name a folder as repository that holds nothing else",
        )
