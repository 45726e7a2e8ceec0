"""What the hub of one home is told to do: the part of the configuration that concerns it.

Spans are seconds.
"""

from dataclasses import dataclass, field

from holdfast.model.alert import AlertPolicy
from holdfast.model.check import CheckSpec
from holdfast.model.message import Channel

DEFAULT_LISTEN = "127.0.0.1:8484"
"""Where the hub listens when nobody chose an address; another port is taken when this one is in use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """A window that comes again: from each moment of `schedule` for `duration` nobody is told of the checks that match."""

    name: str
    schedule: str
    duration: float
    checks: tuple[str, ...] = ("*",)
    timezone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSettings:
    """The sections hub, alerts, check, notify and maintenance, and the checks that jobs and backups make.

    `listen_chosen` tells an address that a person wrote down from the default one; `hosts` are further names it is called by. `last_resort_file` or
    `last_resort_command` is told where no channel is left. `dead_man_url` is pinged every `dead_man_every` seconds as long
    as the hub does its work.
    """

    machine: str = ""
    listen: str = DEFAULT_LISTEN
    listen_chosen: bool = False
    hosts: tuple[str, ...] = ()
    database: str = "sqlite"
    behind_proxy: bool = False
    tls_cert_file: str | None = None
    tls_key_file: str | None = None
    policy: AlertPolicy = field(default_factory=AlertPolicy)
    channels: tuple[Channel, ...] = ()
    checks: tuple[CheckSpec, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    last_resort_file: str | None = None
    last_resort_command: tuple[str, ...] = ()
    dead_man_url: str | None = None
    dead_man_every: float = 60.0
