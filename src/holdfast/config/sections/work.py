"""The sections of what is done and told beside services: job, backup, check, notify, agent."""

import enum
from typing import Annotated

from holdfast.config.kinds.amounts import Duration, DurationOrNever, DurationOrZero
from holdfast.config.kinds.base import Count, Filled, Flag, Text, choice, whole
from holdfast.config.kinds.net import ChannelUrl, HttpUrl, Target
from holdfast.config.kinds.paths import Command, PathText, SecretFile
from holdfast.config.kinds.process import Repository
from holdfast.config.kinds.times import Cron, Timezone
from holdfast.config.sections.base import Section, doc
from holdfast.config.sections.service import Program
from holdfast.model.job import Overlap
from holdfast.model.message import Delivery


class Engine(enum.StrEnum):
    """Who makes the snapshots."""

    RESTIC = "restic"
    COPY = "copy"


class CheckSource(enum.StrEnum):
    """Where a configured check finds its evidence."""

    PING = "ping"
    FILE = "file"
    HTTP = "http"
    TCP = "tcp"
    COMMAND = "command"


class NoticeSeverity(enum.StrEnum):
    """The severities a channel may ask for."""

    WARNING = "warning"
    CRITICAL = "critical"


class Job(Program, frozen=True, kw_only=True):
    """A program run to completion, on a schedule or on demand."""

    schedule: Annotated[Cron | None, doc("Cron expression; without one: on demand.")] = None
    timezone: Annotated[Timezone | None, doc("Zone of the schedule; default: this machine's.")] = (
        None
    )
    timeout: Annotated[Duration | None, doc("How long a run may take.")] = None
    overlap: Annotated[
        Overlap, choice(Overlap), doc("What happens when it is due while it still runs.")
    ] = Overlap.SKIP
    grace: Annotated[DurationOrZero, doc("How late it may be.")] = 900.0


class Keep(Section, frozen=True, kw_only=True):
    """How many snapshots stay, by age."""

    hourly: Annotated[int, whole(), doc("Hourly snapshots kept.")] = 24
    daily: Annotated[int, whole(), doc("Daily snapshots kept.")] = 7
    weekly: Annotated[int, whole(), doc("Weekly snapshots kept.")] = 4
    monthly: Annotated[int, whole(), doc("Monthly snapshots kept.")] = 12


class Backup(Section, frozen=True, kw_only=True):
    """A registered project that is backed up."""

    path: Annotated[PathText, doc("Folder of the project.")]
    exclude: Annotated[tuple[Filled, ...], doc("Patterns left out.")] = ()
    repository: Annotated[
        Repository | None, doc("Where snapshots go: a folder, or a restic repository.")
    ] = None
    password_file: Annotated[SecretFile | None, doc("File with the repository's password.")] = None
    engine: Annotated[
        Engine | None, choice(Engine), doc("restic, or copy; default: restic where installed.")
    ] = None
    schedule: Annotated[Cron, doc("Cron expression.")] = "@hourly"
    timezone: Annotated[Timezone | None, doc("Zone of the schedule; default: this machine's.")] = (
        None
    )
    on_change: Annotated[
        DurationOrNever, doc('Also once files changed and were quiet for so long; or "never".')
    ] = 60.0
    warning_after: Annotated[
        Duration | None, doc("Age that is a warning; default: that of [alerts].")
    ] = None
    critical_after: Annotated[
        Duration | None, doc("Age that is critical; default: that of [alerts].")
    ] = None
    verify_every: Annotated[Duration, doc("How often a sample is restored and compared.")] = (
        604_800.0
    )
    keep: Annotated[Keep, doc("How many snapshots stay.")] = Keep()
    enabled: Annotated[Flag, doc("false: kept in the file, never run.")] = True


class Check(Section, frozen=True, kw_only=True):
    """Anything else that must succeed on time."""

    kind: Annotated[CheckSource, choice(CheckSource), doc("Where the evidence is found.")]
    period: Annotated[Duration | None, doc("How often it must succeed.")] = None
    schedule: Annotated[Cron | None, doc("When it must succeed, instead of a period.")] = None
    timezone: Annotated[Timezone | None, doc("Zone of the schedule; default: this machine's.")] = (
        None
    )
    grace: Annotated[DurationOrZero, doc("How late it may be.")] = 600.0
    warning_after: Annotated[
        Duration | None,
        doc("Age of the last success that is a warning, beside period or schedule."),
    ] = None
    critical_after: Annotated[
        Duration | None,
        doc("Age of the last success that is critical, beside period or schedule."),
    ] = None
    confirm: Annotated[
        Count | None,
        doc("Evaluations in a row before a severity counts; default: that of [alerts]."),
    ] = None
    timeout: Annotated[
        Duration | None,
        doc("How long a run may take, or a look of an http, tcp or command check."),
    ] = None
    depends_on: Annotated[
        tuple[Filled, ...],
        doc("Checks without which this one cannot be well: it is not told while one is bad."),
    ] = ()
    flapping: Annotated[Flag, doc("false: told each time, however often it changes.")] = True
    path: Annotated[PathText | None, doc("The file of a file check.")] = None
    url: Annotated[HttpUrl | None, doc("The URL of an http check.")] = None
    address: Annotated[Target | None, doc("The address of a tcp check.")] = None
    command: Annotated[Command | None, doc("The program of a command check.")] = None


class Notify(Section, frozen=True, kw_only=True):
    """A channel by which people are told: one of url, url_file and command."""

    url: Annotated[
        ChannelUrl | None, doc("Apprise URL, webhook+https://..., desktop:// or file:///path.")
    ] = None
    url_file: Annotated[SecretFile | None, doc("File with the URL.")] = None
    command: Annotated[
        Command | None, doc("Program that gets the message on its standard input.")
    ] = None
    severities: Annotated[
        tuple[Annotated[NoticeSeverity, choice(NoticeSeverity)], ...],
        doc("Severities it wants; default: all."),
    ] = ()
    checks: Annotated[tuple[Filled, ...], doc("Patterns of checks it wants; default: all.")] = ()
    rooms: Annotated[tuple[Filled, ...], doc("Rooms it wants; default: all.")] = ()
    escalate_after: Annotated[
        Duration | None, doc("Told only when an incident was open and not acknowledged so long.")
    ] = None
    delivery: Annotated[Delivery, choice(Delivery), doc("Rather twice, or rather not at all.")] = (
        Delivery.AT_LEAST_ONCE
    )
    title: Annotated[
        Text,
        doc(
            "Template of the title: $title, $severity, $kind, $checks, $body; default: the title itself."
        ),
    ] = ""
    body: Annotated[
        Text, doc("Template of the body, of the same words; default: the body itself.")
    ] = ""
    secret_file: Annotated[
        SecretFile | None, doc("File with the key that signs the messages of a webhook.")
    ] = None
    timeout: Annotated[Duration, doc("How long one try may take.")] = 20.0


class MaintenanceWindow(Section, frozen=True, kw_only=True):
    """A window that comes again, in which nobody is told of the checks that match."""

    schedule: Annotated[Cron, doc("Cron expression of its beginnings.")]
    duration: Annotated[Duration, doc("How long it lasts.")]
    timezone: Annotated[Timezone | None, doc("Zone of the schedule; default: this machine's.")] = (
        None
    )
    checks: Annotated[tuple[Filled, ...], doc("Patterns of the checks it is about.")] = ("*",)


class ManagedAgent(Program, frozen=True, kw_only=True):
    """An agent this machine can start."""

    room: Annotated[Filled, doc("Its room.")] = "main"
    role: Annotated[Filled, doc("The role whose tasks it takes.")]
    on_demand: Annotated[
        Flag, doc("Started by the first message for its role; false: kept up like a service.")
    ] = True
