"""The sections about a machine and its own processes: machine, hub, watchdog, supervisor, startup."""

import enum
from typing import Annotated

from holdfast.config.kinds.amounts import Duration
from holdfast.config.kinds.base import Count, Filled, Flag, choice
from holdfast.config.kinds.net import Database, HttpUrl, Listen
from holdfast.config.kinds.paths import Command, PathText, SecretFile
from holdfast.config.kinds.process import MachineName
from holdfast.config.sections.base import Section, doc


class StepTime(enum.StrEnum):
    """Whether a startup step runs before or after the services start."""

    BEFORE = "before"
    AFTER = "after"


class Machine(Section, frozen=True, kw_only=True):
    """This machine."""

    name: Annotated[MachineName | None, doc("Name of this machine; default: the host name.")] = (
        None
    )


class Hub(Section, frozen=True, kw_only=True):
    """The process with the database: checks, alerts, agents, tasks, HTTP API, dashboard."""

    enabled: Annotated[Flag, doc("false: `up` starts no hub.")] = True
    listen: Annotated[Listen, doc("Address of the HTTP API and the dashboard.")] = "127.0.0.1:8484"
    hosts: Annotated[
        tuple[Filled, ...], doc("Names beside its own by which the hub may be called.")
    ] = ()
    database: Annotated[Database, doc('"sqlite", or the URL of a PostgreSQL database.')] = "sqlite"
    url: Annotated[HttpUrl | None, doc("Join a remote hub instead of running one.")] = None
    token_file: Annotated[SecretFile | None, doc("File with the token for the remote hub.")] = None
    behind_proxy: Annotated[
        Flag, doc("A proxy in front ends TLS: allows an address beyond loopback.")
    ] = False
    tls_cert_file: Annotated[PathText | None, doc("Certificate chain, PEM.")] = None
    tls_key_file: Annotated[SecretFile | None, doc("Key of the certificate, PEM.")] = None


class Watchdog(Section, frozen=True, kw_only=True):
    """The process that keeps the supervisor alive."""

    check_every: Annotated[Duration, doc("How often it looks at the supervisor.")] = 60.0
    stale_after: Annotated[Duration, doc("Age at which the supervisor's heartbeat is stale.")] = (
        300.0
    )
    failures: Annotated[Count, doc("Stale looks in a row before the supervisor is replaced.")] = 3


class Supervisor(Section, frozen=True, kw_only=True):
    """The process that keeps services alive."""

    look_every: Annotated[Duration, doc("How often it looks at everything beside the events.")] = (
        300.0
    )


class StartupStep(Section, frozen=True, kw_only=True):
    """A program run once by `up`."""

    name: Annotated[Filled, doc("What `up` prints for this step.")]
    command: Annotated[Command, doc("Program and arguments; never run through a shell.")]
    at: Annotated[StepTime, choice(StepTime), doc("Before or after the services are started.")] = (
        StepTime.BEFORE
    )


class Startup(Section, frozen=True, kw_only=True):
    """What `up` does beside starting services."""

    steps: Annotated[tuple[StartupStep, ...], doc("Steps, in order.")] = ()
