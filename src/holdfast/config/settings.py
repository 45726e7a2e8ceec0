"""A configuration that was read and found good."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast.config.schema import Document
from holdfast.config.sections.machine import Hub, StartupStep, Supervisor, Watchdog
from holdfast.config.sections.watching import AgentTimes, Alerts, Tasks
from holdfast.config.sections.work import (
    Backup,
    Check,
    Job,
    MaintenanceWindow,
    ManagedAgent,
    Notify,
)
from holdfast.model.spec import ServiceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the files say, defaults filled in; durations are seconds, sizes bytes, paths absolute.

    `path` is the main file, `files` all that were read. `places` gives file and line of each named section
    ("service.api"), `notes` what is valid and not acted on by this version. `document` is the same in the
    shape of the file.
    """

    path: Path
    files: tuple[Path, ...]
    machine: str
    services: tuple[ServiceSpec, ...]
    notes: tuple[str, ...]
    places: Mapping[str, str]
    document: Document

    @property
    def hub(self) -> Hub:
        """Return the section [hub]."""
        return self.document.hub

    @property
    def watchdog(self) -> Watchdog:
        """Return the section [watchdog]."""
        return self.document.watchdog

    @property
    def alerts(self) -> Alerts:
        """Return the section [alerts]."""
        return self.document.alerts

    @property
    def agent_times(self) -> AgentTimes:
        """Return the section [agents]."""
        return self.document.agents

    @property
    def tasks(self) -> Tasks:
        """Return the section [tasks]."""
        return self.document.tasks

    @property
    def supervisor(self) -> Supervisor:
        """Return the section [supervisor]."""
        return self.document.supervisor

    @property
    def steps(self) -> tuple[StartupStep, ...]:
        """Return the startup steps, in order."""
        return self.document.startup.steps

    @property
    def jobs(self) -> Mapping[str, Job]:
        """Return the jobs, by name."""
        return self.document.job

    @property
    def backups(self) -> Mapping[str, Backup]:
        """Return the backed-up projects, by name."""
        return self.document.backup

    @property
    def checks(self) -> Mapping[str, Check]:
        """Return the checks, by name."""
        return self.document.check

    @property
    def channels(self) -> Mapping[str, Notify]:
        """Return the channels of [notify.NAME], by name."""
        return self.document.notify

    @property
    def maintenance(self) -> Mapping[str, MaintenanceWindow]:
        """Return the windows in which nobody is told, by name."""
        return self.document.maintenance

    @property
    def agents(self) -> Mapping[str, ManagedAgent]:
        """Return the managed agents, by name."""
        return self.document.agent
