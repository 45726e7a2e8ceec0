"""What to start: a program, and everything it is given."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace

from holdfast.errors import StartFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """The full specification of one start, so that a restart can replay it.

    `env` is the complete environment. Without descriptors the program reads nothing and its output is dropped. `user`
    brings its uid, primary group and further groups; `uid`, `gid` and `groups` stand for users without a name.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str | None = None
    user: str | None = None
    group: str | None = None
    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] | None = None
    umask: int | None = None
    stdin: int | None = None
    stdout: int | None = None
    stderr: int | None = None
    pass_fds: tuple[int, ...] = ()
    nofile: int | None = None
    nice: int | None = None
    oom_score: int | None = None
    cpu_seconds: int | None = None


def with_user_resolved(launch: Launch) -> Launch:
    """Replace the names of user and group by numbers; the own user and group are no change and need no rights.

    Raises:
        StartFailed: there is no such user or group.
    """
    if launch.user is None and launch.group is None and launch.uid is None and launch.gid is None:
        return launch
    if sys.platform == "win32":
        raise StartFailed(
            f"{launch.argv[0]!r} cannot run as another user: Windows has no way to switch; leave out user",
            permanent=True,
        )
    uid, gid, groups = launch.uid, launch.gid, launch.groups
    if launch.user is not None:
        uid, gid, groups = _user(launch.user)
    if launch.group is not None:
        gid = _group(launch.group)
    if os.geteuid() != 0 and uid in {None, os.geteuid()} and gid in {None, os.getegid()}:
        uid = gid = groups = None
    return replace(launch, user=None, group=None, uid=uid, gid=gid, groups=groups)


def _user(name: str) -> tuple[int, int, tuple[int, ...]]:
    if sys.platform == "win32":
        raise NotImplementedError
    import pwd

    try:
        entry = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except (KeyError, OverflowError):
        raise StartFailed(
            f"there is no user {name!r} on this machine; create it or name another", permanent=True
        ) from None
    return entry.pw_uid, entry.pw_gid, tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))


def _group(name: str) -> int:
    if sys.platform == "win32":
        raise NotImplementedError
    import grp

    try:
        entry = grp.getgrgid(int(name)) if name.isdecimal() else grp.getgrnam(name)
    except (KeyError, OverflowError):
        raise StartFailed(
            f"there is no group {name!r} on this machine; create it or name another",
            permanent=True,
        ) from None
    return entry.gr_gid
