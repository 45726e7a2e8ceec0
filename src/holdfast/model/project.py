"""A backed-up project as the state folder remembers it: what an engine needs, and when a change is reason enough."""

from dataclasses import dataclass

from holdfast.model.backup import BackupSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Project(BackupSpec):
    """A project and when it is backed up beside its schedule.

    `on_change` is how many seconds its files must have been quiet after a change, None where changes start nothing.
    """

    on_change: float | None = 60.0
    enabled: bool = True
