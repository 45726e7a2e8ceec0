"""How a program is started: no shell, a session of its own, nothing inherited that was not given."""

import contextlib
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypedDict

from holdfast.clock import boot_id
from holdfast.errors import StartFailed
from holdfast.machine.process.faults import explain
from holdfast.machine.process.headroom import Headroom
from holdfast.machine.process.identity import identity_of, stat
from holdfast.machine.process.launch import Launch, with_user_resolved
from holdfast.model.service import Identity

# winbase.h; subprocess names these on Windows only.
DETACHED_PROCESS = 0x00000008
CREATE_NEW_PROCESS_GROUP = 0x00000200
CREATE_BREAKAWAY_FROM_JOB = 0x01000000

# After the soft limit of processor time a program gets SIGXCPU and this long to clean up.
_XCPU_GRACE_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawned:
    """A process just started, not yet reaped; the pidfd belongs to the caller.

    `warnings` names the limits that could not be set.
    """

    pid: int
    pidfd: int | None
    identity: Identity
    warnings: tuple[str, ...] = ()


class PopenOptions(TypedDict, total=False):
    """The keyword arguments of subprocess.Popen that are used."""

    cwd: str | None
    env: Mapping[str, str]
    stdin: int
    stdout: int
    stderr: int
    close_fds: bool
    restore_signals: bool
    start_new_session: bool
    umask: int
    user: int
    group: int
    extra_groups: tuple[int, ...]
    pass_fds: tuple[int, ...]
    creationflags: int


def popen_options(launch: Launch, platform: str) -> PopenOptions:
    """Translate a launch, its user resolved, into arguments for subprocess.Popen on a platform."""
    options = PopenOptions(
        cwd=launch.cwd,
        env=launch.env,
        stdin=subprocess.DEVNULL if launch.stdin is None else launch.stdin,
        stdout=subprocess.DEVNULL if launch.stdout is None else launch.stdout,
        stderr=subprocess.DEVNULL if launch.stderr is None else launch.stderr,
        close_fds=True,
    )
    if platform == "win32":
        options["creationflags"] = (
            DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP | CREATE_BREAKAWAY_FROM_JOB
        )
        return options
    options["restore_signals"] = True
    options["start_new_session"] = True
    options["pass_fds"] = launch.pass_fds
    options["umask"] = -1 if launch.umask is None else launch.umask
    # Named only where needed: they cost the fast vfork.
    if launch.uid is not None:
        options["user"] = launch.uid
    if launch.gid is not None:
        options["group"] = launch.gid
    if launch.groups is not None:
        options["extra_groups"] = launch.groups
    return options


def spawn(launch: Launch, headroom: Headroom | None = None) -> Spawned:
    """Start a program and return once it was executed.

    It leads a session and a group of its own, with default signals and nothing open but its standard streams and
    `pass_fds`. A program that raised its own limit on open files passes its `headroom`. Call it from the main thread.

    Raises:
        StartFailed: it could not be executed, or no descriptor was free to watch it.
    """
    if not launch.argv or not launch.argv[0]:
        raise StartFailed("there is nothing to start: the command is empty", permanent=True)
    launch = with_user_resolved(launch)
    _swallow_ignored_signals()
    with _limit_on_files(launch, headroom) as limited, _burden(launch), _no_signal_blocked():
        popen = _executed(launch, popen_options(launch, sys.platform))
    # It leaves no trace in subprocess: others wait for it here, and nobody shall complain that nobody did.
    popen.returncode = 0
    pidfd, identity = _recognised(launch, popen.pid)
    warnings = (*_file_limit_late(launch, popen.pid, limited=limited), *_limits(launch, popen.pid))
    return Spawned(pid=popen.pid, pidfd=pidfd, identity=identity, warnings=warnings)


def _executed(launch: Launch, options: PopenOptions) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(launch.argv, **options)
    except PermissionError as error:
        # A job object that holds this program may forbid its children to leave it.
        flags = options.get("creationflags", 0)
        if not flags & CREATE_BREAKAWAY_FROM_JOB:
            raise explain(launch, error) from error
        options["creationflags"] = flags & ~CREATE_BREAKAWAY_FROM_JOB
        return _executed(launch, options)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise explain(launch, error) from error


def _recognised(launch: Launch, pid: int) -> tuple[int | None, Identity]:
    if sys.platform != "linux":
        found = stat(pid)
        return None, identity_of(found, None) if found else _nobody(pid)
    try:
        pidfd = os.pidfd_open(pid)
    except OSError as error:
        _take_back(pid)
        raise explain(launch, error) from error
    found = stat(pid)
    if found is None:
        os.close(pidfd)
        _take_back(pid)
        raise StartFailed(
            f"{launch.argv[0]!r} was started and ended again: /proc does not show it, so it could not be watched;"
            " mount /proc with hidepid=0 or run the supervisor as root",
            permanent=True,
        )
    return pidfd, identity_of(found, pidfd)


def _nobody(pid: int) -> Identity:
    # It ended before it could be looked at; no living process bears this start time.
    return Identity(pid=pid, start_ticks=0, boot_id=boot_id())


def _take_back(pid: int) -> None:
    # A child not yet reaped: its pid cannot be another's.
    if sys.platform != "win32":
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@contextlib.contextmanager
def _limit_on_files(launch: Launch, headroom: Headroom | None) -> Iterator[bool]:
    if headroom is not None:
        with headroom.limited_to(launch.nofile) as limited:
            yield limited
    elif launch.nofile is None:
        yield True
    else:
        with contextlib.closing(Headroom()) as own, own.limited_to(launch.nofile) as limited:
            yield limited


@contextlib.contextmanager
def _burden(launch: Launch) -> Iterator[None]:
    """Bear nice value and OOM score for the moment of a start, so that they stand before exec.

    Only root may take them back; without it they are set on the child right after exec.
    """
    if (
        sys.platform != "linux"
        or os.geteuid() != 0
        or (launch.nice is None and launch.oom_score is None)
    ):
        yield
        return
    own = os.getpid()
    nice, oom_score = os.getpriority(os.PRIO_PROCESS, 0), _oom_score_of(own)
    try:
        with contextlib.suppress(
            OSError
        ):  # what cannot be borne is set on the child later, and told if it cannot
            if launch.nice is not None:
                _put_nice(0, launch.nice)
            if launch.oom_score is not None:
                _put_oom_score(own, launch.oom_score)
        yield
    finally:
        with contextlib.suppress(OSError):
            _put_nice(0, nice)
            _put_oom_score(own, oom_score)


def _oom_score_of(pid: int) -> int:
    with open(f"/proc/{pid}/oom_score_adj", encoding="ascii") as source:
        return int(source.read())


@contextlib.contextmanager
def _no_signal_blocked() -> Iterator[None]:
    """Keep blocked signals from being inherited."""
    if sys.platform == "win32":
        yield
        return
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    if not blocked:
        yield
        return
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@functools.cache
def _swallow_ignored_signals() -> None:
    """Handle, by doing nothing, what was ignored when this program began (nohup does that).

    exec passes an ignored signal on, and sets a handled one back to its default. Python does the same for the two
    it ignores itself.
    """
    if sys.platform == "win32":
        return
    passed_on = signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}
    for signum in passed_on:
        if signal.getsignal(signum) is signal.SIG_IGN:
            # An ignored SIGCHLD has the kernel throw exits away.
            signal.signal(signum, signal.SIG_DFL if signum == signal.SIGCHLD else _swallow)


def _swallow(signum: int, frame: object) -> None:
    """Do nothing."""


def _file_limit_late(launch: Launch, pid: int, *, limited: bool) -> Iterator[str]:
    if limited or launch.nofile is None:
        return
    if sys.platform != "linux":
        yield f"nofile = {launch.nofile} was not set: this platform or user does not allow it"
        return
    import resource

    soft = launch.nofile
    try:
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, max(soft, hard)))
    except ProcessLookupError:
        return
    except (ValueError, OSError) as error:
        yield f"nofile = {soft} was not set: {error}; the hard limit of this user may be lower"
    else:
        yield f"nofile = {soft} is too low for a start and came into force only after it"


def _limits(launch: Launch, pid: int) -> Iterator[str]:
    """Set from outside what can be set from outside; yields what could not."""
    for name, value, put in (
        ("nice", launch.nice, _put_nice),
        ("oom_score", launch.oom_score, _put_oom_score),
        ("cpu", launch.cpu_seconds, _put_cpu_seconds),
    ):
        if value is None:
            continue
        try:
            put(pid, value)
        except (ProcessLookupError, FileNotFoundError):  # it ended meanwhile
            return
        except (ValueError, OSError) as error:
            yield f"{name} = {value} was not set: {error}"


def _put_nice(pid: int, nice: int) -> None:
    if sys.platform == "win32":
        raise OSError("Windows has no nice values")
    os.setpriority(os.PRIO_PROCESS, pid, nice)


def _put_oom_score(pid: int, score: int) -> None:
    if sys.platform != "linux":
        raise OSError("only Linux has an OOM score")
    target = os.open(f"/proc/{pid}/oom_score_adj", os.O_WRONLY)
    try:
        os.write(target, b"%d" % score)
    finally:
        os.close(target)


def _put_cpu_seconds(pid: int, seconds: int) -> None:
    if sys.platform != "linux":
        raise OSError("only Linux can limit the processor time of another process")
    import resource

    resource.prlimit(pid, resource.RLIMIT_CPU, (seconds, seconds + _XCPU_GRACE_S))
