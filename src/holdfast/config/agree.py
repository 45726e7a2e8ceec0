"""What the keys of one section must agree on among themselves."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from msgspec import Struct

from holdfast.config.kinds.net import is_loopback, split_address
from holdfast.config.sections.machine import Hub
from holdfast.config.sections.service import Heartbeat, Live, Look, Ready, WatchFiles
from holdfast.config.sections.watching import AgentTimes, Alerts, LastResort
from holdfast.config.sections.work import Backup, Check, CheckSource, Engine, Notify
from holdfast.config.units import duration_text

Disagreement: TypeAlias = tuple[str, str, str]
"""Key (empty for the section itself), what is wrong, what to write instead."""

LEASE_BEATS = 2
"""A lease shorter than this many beats is over as soon as one beat is late."""


def _hub(hub: Hub) -> Iterator[Disagreement]:
    host, _ = split_address(hub.listen)
    secured = hub.behind_proxy or hub.tls_cert_file is not None
    if not is_loopback(host) and not secured:
        yield (
            "listen",
            f"{hub.listen} is open to other machines without TLS",
            "set tls_cert_file and tls_key_file, or behind_proxy = true, or listen on 127.0.0.1",
        )
    if (hub.tls_cert_file is None) != (hub.tls_key_file is None):
        yield "", "tls_cert_file and tls_key_file belong together", "set both or none"


def _alerts(alerts: Alerts) -> Iterator[Disagreement]:
    if alerts.critical_after <= alerts.warning_after:
        yield (
            "critical_after",
            "must be longer than warning_after",
            f"warning_after is {duration_text(alerts.warning_after)}",
        )


def _last_resort(resort: LastResort) -> Iterator[Disagreement]:
    yield from _exactly_one(("command", "file"), resort)


def _agent_times(times: AgentTimes) -> Iterator[Disagreement]:
    yield from _lease(times.lease, times.heartbeat_every)


def _heartbeat(heartbeat: Heartbeat) -> Iterator[Disagreement]:
    yield from _lease(heartbeat.lease, heartbeat.every)


def _lease(lease: float, every: float) -> Iterator[Disagreement]:
    least = LEASE_BEATS * every
    if lease < least:
        yield (
            "lease",
            f"{duration_text(lease)} is shorter than {LEASE_BEATS} beats of {duration_text(every)}",
            f'write at least "{duration_text(least)}"',
        )


def _look(look: Look) -> Iterator[Disagreement]:
    yield from _exactly_one(("tcp", "http", "command", "log", "notify", "file"), look)


def _watch(watch: WatchFiles) -> Iterator[Disagreement]:
    if not watch.paths:
        yield "paths", "names nothing to watch", 'write paths = ["src"]'


def _backup(backup: Backup) -> Iterator[Disagreement]:
    repository = backup.repository
    if backup.engine is Engine.COPY and repository is not None and ":" in repository[2:]:
        yield "repository", "the engine copy writes to folders only", 'set engine = "restic"'


_CHECK_KEYS: Mapping[CheckSource, str] = {
    CheckSource.FILE: "path",
    CheckSource.HTTP: "url",
    CheckSource.TCP: "address",
    CheckSource.COMMAND: "command",
}


def _check(check: Check) -> Iterator[Disagreement]:
    wanted = _CHECK_KEYS.get(check.kind)
    if wanted is not None and getattr(check, wanted) is None:
        yield "", f"a {check.kind.value} check needs the key `{wanted}`", ""
    for kind, key in _CHECK_KEYS.items():
        if key != wanted and getattr(check, key) is not None:
            yield key, f"belongs to kind {kind.value}, this is a {check.kind.value} check", ""
    if check.period is not None and check.schedule is not None:
        yield "schedule", "stands beside period", "keep one of them"
    if check.kind in {CheckSource.PING, CheckSource.FILE} and not (check.period or check.schedule):
        yield "", f"a {check.kind.value} check needs period or schedule", 'write period = "1h"'
    if (
        check.warning_after
        and check.critical_after
        and check.critical_after <= check.warning_after
    ):
        told = f"warning_after is {duration_text(check.warning_after)}"
        yield "critical_after", "must be longer than warning_after", told


_ANOTHER_URL = re.compile(r"[\s,;]+[a-zA-Z][a-zA-Z0-9+.-]*://")


def _notify(channel: Notify) -> Iterator[Disagreement]:
    yield from _exactly_one(("url", "url_file", "command"), channel)
    if channel.url and _ANOTHER_URL.search(channel.url):
        yield (
            "url",
            "names two addresses",
            "write a channel for each: what one took must not be sent to it again",
        )
    if channel.secret_file and channel.url and not channel.url.startswith("webhook+"):
        yield "secret_file", "signs webhooks only", "take it away, or use webhook+https://..."


def _exactly_one(keys: tuple[str, ...], section: Struct) -> Iterator[Disagreement]:
    given = [key for key in keys if getattr(section, key) not in (None, False)]
    if not given:
        yield "", f"one of {', '.join(keys)} is needed", ""
    for extra in given[1:]:
        yield extra, f"stands beside {given[0]}", "keep one of them"


AGREEMENTS: Mapping[type[Struct], Callable[[Any], Iterable[Disagreement]]] = {
    Hub: _hub,
    Alerts: _alerts,
    LastResort: _last_resort,
    AgentTimes: _agent_times,
    Heartbeat: _heartbeat,
    Ready: _look,
    Live: _look,
    WatchFiles: _watch,
    Backup: _backup,
    Check: _check,
    Notify: _notify,
}
