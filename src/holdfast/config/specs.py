"""From the section of a service to the specs the supervisor runs."""

from collections.abc import Mapping

from msgspec import structs

from holdfast.config.crosscheck import instance_names
from holdfast.config.sections.service import Live, Look, Ready, Service
from holdfast.model.spec import (
    HeartbeatPolicy,
    Hooks,
    Limits,
    LogPolicy,
    Need,
    Probe,
    ProbeKind,
    RestartPolicy,
    ServiceSpec,
    StopPolicy,
    Watch,
)

READY_LOOK_EVERY = 0.5
"""Seconds between two looks at whether a service is ready; its timeout says for how long."""


def specs_of(sections: Mapping[str, Service]) -> tuple[ServiceSpec, ...]:
    """Return the specs of all services: one for each instance, needs naming every instance."""
    instances = {name: instance_names(name, section) for name, section in sections.items()}
    return tuple(
        _spec(full, section, instances)
        for name, section in sections.items()
        for full in instances[name]
    )


def _spec(name: str, section: Service, instances: Mapping[str, tuple[str, ...]]) -> ServiceSpec:
    return ServiceSpec(
        name=name,
        command=section.command,
        cwd=section.cwd or "",
        env=dict(section.env),
        env_file=section.env_file,
        inherit_env=section.inherit_env,
        user=section.user,
        umask=section.umask,
        enabled=section.enabled,
        autostart=section.autostart,
        needs=_needs(section, instances),
        reload_signal=section.reload_signal,
        group=section.group,
        hooks=Hooks(
            before_start=section.before_start,
            after_stop=section.after_stop,
            on_failure=section.on_failure,
        ),
        restart=RestartPolicy(**structs.asdict(section.restart)),
        stop=StopPolicy(**structs.asdict(section.stop)),
        ready=_ready(section.ready),
        live=_live(section.live),
        heartbeat=HeartbeatPolicy(**structs.asdict(section.heartbeat))
        if section.heartbeat
        else None,
        log=LogPolicy(**structs.asdict(section.log)),
        limits=Limits(**structs.asdict(section.limits)),
        watch=Watch(**structs.asdict(section.watch)) if section.watch else None,
    )


def _needs(section: Service, instances: Mapping[str, tuple[str, ...]]) -> tuple[Need, ...]:
    return tuple(
        Need(name=full, condition=need.condition, on_restart=need.on_restart)
        for need in section.needs
        for full in instances.get(need.name, (need.name,))
    )


def _ready(look: Ready | None) -> Probe | None:
    if look is None:
        return None
    kind, target = _target(look)
    return Probe(
        kind=kind, target=target, timeout=look.timeout, every=READY_LOOK_EVERY, failures=1
    )


def _live(look: Live | None) -> Probe | None:
    if look is None:
        return None
    kind, target = _target(look)
    return Probe(
        kind=kind,
        target=target,
        timeout=look.timeout,
        every=look.every,
        failures=look.failures,
    )


def _target(look: Look) -> tuple[ProbeKind, tuple[str, ...]]:
    kind = next(kind for kind in ProbeKind if getattr(look, kind.value) not in (None, False))
    given = getattr(look, kind.value)
    if kind is ProbeKind.NOTIFY:
        return kind, ()
    return kind, given if isinstance(given, tuple) else (given,)
