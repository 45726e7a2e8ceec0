"""The complete environment of a service: nothing leaks in that nobody asked for."""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from holdfast.errors import StartFailed
from holdfast.model.spec import ServiceSpec

INHERITED = ("PATH", "HOME", "USER", "LANG", "TZ")
"""What every service sees of the supervisor's own environment."""

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment_of(
    spec: ServiceSpec, own: Mapping[str, str], *, generation: int, instance: str, home: Path
) -> dict[str, str]:
    """Return the environment a start of this service gets; later sources win: inherited, file, `env`, Holdfast's.

    Raises:
        StartFailed: the env_file is missing, unreadable or not of the form KEY=VALUE, or the user is unknown.
    """
    found = {"PATH": own.get("PATH") or DEFAULT_PATH}
    found |= {name: own[name] for name in (*INHERITED, *spec.inherit_env) if name in own}
    if spec.user:
        found |= _person(spec.user)
    if spec.env_file:
        found |= read_env_file(Path(spec.env_file))
    found |= spec.env
    if spec.heartbeat is not None:
        found["WATCHDOG_USEC"] = str(int(spec.heartbeat.lease * 1_000_000))
    return found | {
        "HOLDFAST_HOME": str(home),
        "HOLDFAST_SERVICE": spec.name,
        "HOLDFAST_GENERATION": str(generation),
        "HOLDFAST_INSTANCE": instance,
    }


def read_env_file(path: Path) -> dict[str, str]:
    """Read `KEY=VALUE` lines; quotes as a shell reads them, `export` and comments allowed, nothing expanded.

    Raises:
        StartFailed: the file cannot be read, or a line is not of that form.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StartFailed(f"env_file {path} cannot be read: {error}", permanent=True) from error
    found = {}
    for number, line in enumerate(text.split("\n"), start=1):
        bare = line.strip().removeprefix("export ").strip()
        if not bare or bare.startswith("#"):
            continue
        name, equals, value = bare.partition("=")
        if not equals or not name.strip().isidentifier():
            raise StartFailed(
                f"env_file {path}:{number}: expected KEY=VALUE, found {line.strip()!r}",
                permanent=True,
            )
        found[name.strip()] = _unquoted(value.strip(), path, number)
    return found


def _unquoted(value: str, path: Path, number: int) -> str:
    try:
        return "".join(shlex.split(value)) if value[:1] in ("'", '"') else value
    except ValueError as error:
        raise StartFailed(
            f"env_file {path}:{number}: {error}; close the quote", permanent=True
        ) from error


def _person(user: str) -> dict[str, str]:
    if sys.platform == "win32":
        return {"USER": user}
    import pwd

    try:
        found = pwd.getpwnam(user) if not user.isdecimal() else pwd.getpwuid(int(user))
    except KeyError as error:
        raise StartFailed(
            f"user {user!r} does not exist on this machine", permanent=True
        ) from error
    return {"USER": found.pw_name, "HOME": found.pw_dir, "LOGNAME": found.pw_name}


def own_environment() -> Mapping[str, str]:
    """Return the supervisor's own environment."""
    return os.environ
