"""From the section of a job to what the supervisor runs."""

from collections.abc import Mapping

from holdfast.config.sections.work import Job
from holdfast.model.job import JobSpec
from holdfast.model.spec import RestartPolicy, ServiceSpec, When


def jobs_of(sections: Mapping[str, Job]) -> tuple[JobSpec, ...]:
    """Return all jobs; the program of each is a service that starts only when it is due, and never again."""
    return tuple(_job(name, section) for name, section in sections.items())


def _job(name: str, section: Job) -> JobSpec:
    return JobSpec(
        program=_program(name, section),
        schedule=section.schedule,
        timezone=section.timezone,
        timeout=section.timeout,
        overlap=section.overlap,
        grace=section.grace,
    )


def _program(name: str, section: Job) -> ServiceSpec:
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
        autostart=False,
        restart=RestartPolicy(when=When.NEVER),
    )
