"""The sections of the hub's rules: alerts, agents, tasks."""

from typing import Annotated

from holdfast.config.kinds.amounts import HOURS, Duration, DurationOrZero
from holdfast.config.kinds.base import Count, Flag
from holdfast.config.kinds.net import HttpUrl
from holdfast.config.kinds.paths import Command, PathText
from holdfast.config.sections.base import Section, doc


class LastResort(Section, frozen=True, kw_only=True):
    """Where notices of supervisor and watchdog go while the hub is away: one of the two."""

    command: Annotated[
        Command | None, doc("Program that gets the notice on its standard input.")
    ] = None
    file: Annotated[PathText | None, doc("File that gets one JSON line a notice.")] = None


class Alerts(Section, frozen=True, kw_only=True):
    """When and how often a person is told."""

    evaluate_every: Annotated[Duration, doc("How often every check is evaluated.")] = 300.0
    confirm: Annotated[Count, doc("Evaluations in a row before a severity counts.")] = 3
    warning_after: Annotated[Duration, doc("Age of the last success that is a warning.")] = (
        86_400.0
    )
    critical_after: Annotated[Duration, doc("Age of the last success that is critical.")] = (
        259_200.0
    )
    warning_cooldown: Annotated[
        DurationOrZero, doc("Least time between two warnings of one check.")
    ] = 14_400.0
    critical_cooldown: Annotated[
        DurationOrZero, doc("Least time between two critical messages of one check.")
    ] = 7_200.0
    group_wait: Annotated[
        DurationOrZero, doc("How long a message waits for others to travel with it.")
    ] = 30.0
    critical_group_wait: Annotated[DurationOrZero, doc("The same for critical messages.")] = 5.0
    quiet_hours: Annotated[
        tuple[int, int] | None, HOURS, doc('Hours without messages, "22-07"; critical passes.')
    ] = None
    last_resort: Annotated[LastResort | None, doc("Where notices go while the hub is away.")] = (
        None
    )
    remind: Annotated[Flag, doc("Repeat open incidents after each cooldown.")] = True
    remind_backoff: Annotated[
        Flag, doc("Wait twice as long before each further reminder, a day at most.")
    ] = False
    dead_man_url: Annotated[
        HttpUrl | None,
        doc("Address pinged while the hub does its work: its silence tells others."),
    ] = None
    dead_man_every: Annotated[Duration, doc("How often it is pinged.")] = 60.0


class AgentTimes(Section, frozen=True, kw_only=True):
    """How agents prove that they live."""

    heartbeat_every: Annotated[Duration, doc("How often an agent beats.")] = 30.0
    lease: Annotated[Duration, doc("How long one beat is believed; at least 2 beats.")] = 90.0


class Tasks(Section, frozen=True, kw_only=True):
    """How tasks are handed out and taken back."""

    sweep_every: Annotated[Duration, doc("How often due tasks are looked for.")] = 5.0
    acknowledged_timeout: Annotated[
        Duration, doc("How long a task may stay acknowledged with its owner unreachable.")
    ] = 120.0
    pending_timeout: Annotated[
        Duration, doc("How long a task may wait before its agent gets a second chance.")
    ] = 300.0
    max_attempts: Annotated[Count, doc("Failed attempts before a task is dead.")] = 3
    max_losses: Annotated[Count, doc("Owners lost before a task is dead.")] = 5
