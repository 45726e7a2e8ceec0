"""From a configuration to what the hub is told, with the checks that jobs and backups make by themselves."""

from collections.abc import Iterator

from holdfast.config.sections.work import Check, CheckSource, Notify
from holdfast.config.settings import Settings
from holdfast.model.alert import AlertPolicy
from holdfast.model.check import CheckKind, CheckSpec, Severity
from holdfast.model.hub import DEFAULT_LISTEN, HubSettings, Maintenance
from holdfast.model.message import Channel

PROBE_EVERY = 60.0
"""Seconds between two looks of a check that the hub makes by itself, where the configuration names no period."""

PROBE_WITHIN = 10.0
"""Seconds one such look may take where the configuration does not say."""


def hub_settings(settings: Settings) -> HubSettings:
    """Return what the hub goes by."""
    hub, alerts = settings.hub, settings.alerts
    resort = alerts.last_resort
    return HubSettings(
        machine=settings.machine,
        listen=hub.listen,
        listen_chosen=hub.listen != DEFAULT_LISTEN,
        hosts=hub.hosts,
        database=hub.database,
        behind_proxy=hub.behind_proxy,
        tls_cert_file=hub.tls_cert_file,
        tls_key_file=hub.tls_key_file,
        policy=_policy(settings),
        channels=tuple(_channel(name, one) for name, one in settings.channels.items()),
        checks=checks_of(settings),
        maintenance=tuple(
            Maintenance(
                name=name,
                schedule=one.schedule,
                duration=one.duration,
                checks=one.checks,
                timezone=one.timezone,
            )
            for name, one in settings.maintenance.items()
        ),
        last_resort_file=resort.file if resort else None,
        last_resort_command=(resort.command or ()) if resort else (),
        dead_man_url=alerts.dead_man_url,
        dead_man_every=alerts.dead_man_every,
    )


def checks_of(settings: Settings) -> tuple[CheckSpec, ...]:
    """Return a check for each job and backup that is enabled, and those that are configured as such."""
    return (*_of_backups(settings), *_of_jobs(settings), *_of_checks(settings))


def _policy(settings: Settings) -> AlertPolicy:
    alerts = settings.alerts
    return AlertPolicy(
        evaluate_every=alerts.evaluate_every,
        confirm=alerts.confirm,
        warning_after=alerts.warning_after,
        critical_after=alerts.critical_after,
        warning_cooldown=alerts.warning_cooldown,
        critical_cooldown=alerts.critical_cooldown,
        group_wait=alerts.group_wait,
        critical_group_wait=alerts.critical_group_wait,
        quiet_hours=alerts.quiet_hours or (),
        remind=alerts.remind,
        remind_backoff=alerts.remind_backoff,
    )


def _channel(name: str, section: Notify) -> Channel:
    return Channel(
        name=name,
        url=section.url,
        url_file=section.url_file,
        command=section.command or (),
        severities=tuple(Severity(one.value) for one in section.severities),
        checks=section.checks,
        rooms=section.rooms,
        escalate_after=section.escalate_after,
        delivery=section.delivery,
        title=section.title,
        body=section.body,
        secret_file=section.secret_file,
        timeout=section.timeout,
    )


def _of_backups(settings: Settings) -> Iterator[CheckSpec]:
    for name, backup in settings.backups.items():
        if backup.enabled:
            yield CheckSpec(
                name=name,
                kind=CheckKind.BACKUP,
                warning_after=backup.warning_after or settings.alerts.warning_after,
                critical_after=backup.critical_after or settings.alerts.critical_after,
            )


def _of_jobs(settings: Settings) -> Iterator[CheckSpec]:
    for name, job in settings.jobs.items():
        if job.enabled:
            yield CheckSpec(
                name=name,
                kind=CheckKind.JOB,
                schedule=job.schedule,
                timezone=job.timezone,
                grace=job.grace,
                timeout=job.timeout,
            )


def _of_checks(settings: Settings) -> Iterator[CheckSpec]:
    folder = str(settings.path.parent)
    for name, check in settings.checks.items():
        is_probed = check.kind is not CheckSource.PING
        yield CheckSpec(
            name=name,
            kind=CheckKind(check.kind.value),
            period=check.period or (PROBE_EVERY if is_probed and not check.schedule else None),
            schedule=check.schedule,
            timezone=check.timezone,
            grace=check.grace,
            warning_after=check.warning_after,
            critical_after=check.critical_after,
            timeout=check.timeout or (PROBE_WITHIN if is_probed else None),
            target=_target(check),
            cwd=folder if check.command else "",
            confirm=check.confirm,
            depends_on=check.depends_on,
            flapping=check.flapping,
        )


def _target(check: Check) -> tuple[str, ...]:
    if check.command:
        return check.command
    given = check.path or check.url or check.address
    return (given,) if given else ()
