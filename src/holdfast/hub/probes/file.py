"""Is a file there, and was it written lately?"""

import os
import stat

from holdfast.hub.probes.aside import aside
from holdfast.model.check import CheckSpec, Observation


async def look(spec: CheckSpec, now: float) -> Observation:
    """Look at a file, which its period and grace allow to be so old; where `warning_after` or `critical_after` say how old, they do.

    A network folder that is away can hold a look up for long, so it is made on a thread.
    """
    return await aside(spec.name, lambda: _look(spec, now))


def _look(spec: CheckSpec, now: float) -> Observation:
    path = os.path.join(spec.cwd, os.path.expanduser(spec.target[0]))
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return Observation(at=now, failure=f"{path} is not there")
    except OSError as error:
        return Observation(at=now, unverified=f"{path}: {error.strerror}")
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        return Observation(at=now, failure=f"{path} is neither a file nor a folder")
    age = now - found.st_mtime
    limit = _limit(spec)
    if limit is not None and age > limit:
        why = f"{path} was last written {age:.0f} s ago; expected at most {limit:g} s"
        return Observation(at=now, failure=why)
    return Observation(at=now, covered_at=found.st_mtime)


def _limit(spec: CheckSpec) -> float | None:
    has_ages = spec.warning_after is not None or spec.critical_after is not None
    if has_ages or spec.period is None:
        return None
    return spec.period + spec.grace
