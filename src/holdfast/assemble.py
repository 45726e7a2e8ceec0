"""The composition root: one function per program, importing only what that program needs."""

import contextlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from holdfast.errors import HoldfastError, LockHeld
from holdfast.home import Home, default_home, make_runtime

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from pathlib import Path
    from typing import IO

    from holdfast.machine.process.headroom import Headroom
    from holdfast.machine.process.spawn import Spawned
    from holdfast.machine.supervisor.custody import Custody
    from holdfast.machine.supervisor.parts import Parts
    from holdfast.machine.watchdog.duty import Reply
    from holdfast.model.spec import ServiceSpec

OF_A_SERVICE = (
    "HOLDFAST_ERRAND",
    "HOLDFAST_SERVICE",
    "HOLDFAST_GENERATION",
    "HOLDFAST_INSTANCE",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
)
"""What a service is told about itself; a supervisor started from within one must not pass for a part of it."""

OF_A_SESSION = (
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "WAYLAND_DISPLAY",
    "XDG_RUNTIME_DIR",
)
"""What the built-in services need of the environment beside what every service gets: the way to a desktop and out."""

USED_LATER = (
    "cronsim",
    "encodings.utf_8_sig",
    "grp",
    "holdfast.machine.supervisor.foreign",
    "holdfast.model.job",
    "holdfast.statefile.recovery.evidence",
    "pwd",
    "resource",
    "termios",
    "traceback",
)
"""What is otherwise imported at its first use: files replaced under a running supervisor must do no harm."""

STEADY_TIMES = 3.0
"""What Holdfast runs for itself waits 100 ms again once it did its work for three times as long as it had to wait."""

_UNREADY = "it ended before it was ready; see {}"

_OUTERMOST = "watchdog" if sys.platform == "linux" else "supervisor"
"""The program that all others descend from."""

NOT_NEEDED = ("ssl", "_ssl", "_hashlib")
"""Modules that asyncio and hashlib load where they can: OpenSSL, 8 MB in a process that speaks to nobody far away."""


def supervisor(home: Home, ready: "Callable[[], None]") -> None:
    """Run the supervisor of a home until it is told to end.

    Raises:
        LockHeld: another supervisor runs for this home.
        HoldfastError: the state folder or the runtime folder cannot be used.
    """
    _spare_memory()
    _import_the_rest()
    _leave_a_trace()
    import asyncio
    import signal

    from holdfast import statefile
    from holdfast.machine.supervisor.custody import Custody
    from holdfast.machine.supervisor.mutual import Mutual
    from holdfast.machine.supervisor.run import run

    _make_folders(home)
    with statefile.hold(home.supervisor_lock):
        loop = asyncio.new_event_loop()
        try:
            _make_runtime(home)
            custody = Custody(loop, home)
            custody.connect()
            parts = _parts(home, loop, custody)
            mutual = Mutual(parts, custody, lambda: start_watchdog(home))

            def served() -> None:
                custody.ready()
                ready()

            loop.run_until_complete(run(parts, custody, mutual, served))
        finally:
            signal.set_wakeup_fd(
                -1
            )  # a late signal would be written to the pipe that is closed first
            loop.close()


def watchdog(home: Home, reply: "Reply | None", *, take_over: bool) -> int:
    """Run the watchdog of a home until it is told to leave or nothing is left to guard; return the exit code.

    `reply` answers whoever waits for the supervisor to get ready. With `take_over` a watchdog that guards now is asked
    to leave; systemd, which names the socket on which it wants to hear of us, starts one for good.

    Raises:
        LockHeld: another watchdog guards this home.
        HoldfastError: the state folder or the runtime folder cannot be used.
    """
    _spare_memory()
    _import_the_rest()
    from holdfast.clock import SystemClock
    from holdfast.machine.process.headroom import Headroom
    from holdfast.machine.process.kernel import become_subreaper
    from holdfast.machine.watchdog.run import Orders, run
    from holdfast.machine.watchdog.takeover import take_lock

    _make_folders(home)
    with take_lock(home, take_over=take_over or "NOTIFY_SOCKET" in os.environ):
        headroom = Headroom()
        headroom.raise_own_limit()
        become_subreaper()
        _make_runtime(home)
        orders = Orders(
            home=home, clock=SystemClock(), launch=_supervisor_of(home, headroom), reply=reply
        )
        return run(orders)


def hub(home: Home) -> None:
    """Run the hub of a home until it is told to end; ends the process.

    Raises:
        HoldfastError: its settings, its database or its address cannot be used.
    """
    import asyncio

    import uvicorn.loops.auto

    from holdfast.clock import SystemClock
    from holdfast.hub.run import run
    from holdfast.hub.settings import read_settings
    from holdfast.hub.store.choose import store_for

    _make_folders(home)
    _leave_a_trace()
    clock = SystemClock()

    async def served() -> bool:
        store = store_for(read_settings(home).database, home, clock)
        return await run(home, store, clock, lambda: read_settings(home))

    with asyncio.Runner(loop_factory=uvicorn.loops.auto.auto_loop_factory()) as runner:
        while runner.run(served()):
            pass
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(
            0
        )  # the database is closed; a thread that hangs in DNS or NFS must not hold up the end


def backup_run(home: Home, name: str) -> int:
    """Back one project up, look at what that left, and return the exit code."""
    from holdfast.machine.backup.run import run

    return run(home, name)


def backup_service(home: Home) -> None:
    """Watch the files of all projects and order their backups until told to end."""
    from holdfast.clock import SystemClock
    from holdfast.machine.backup.serve import serve

    serve(home, SystemClock())


def start(home: Home) -> None:
    """Start Holdfast so that it outlives the caller, and return once its supervisor takes orders.

    Raises:
        LockHeld: a watchdog or a supervisor is there already.
        HoldfastError: it ended before it was ready; the message is its own.
    """
    spawn(home).returncode = 0  # it is meant to live on: nobody waits for it here


def spawn(home: Home) -> "subprocess.Popen[bytes]":
    """Start Holdfast as a child in a session of its own, and return once its supervisor takes orders.

    The child is the watchdog, and where there is none (it needs Linux) the supervisor.

    Raises:
        LockHeld: a watchdog or a supervisor is there already.
        HoldfastError: it ended before it was ready; the message is its own.
    """
    _make_folders(home)
    told, tell = os.pipe()
    with os.fdopen(told, "rb") as answer:
        try:
            started = _popen(home, _OUTERMOST, "--ready-fd", str(tell), pass_fds=(tell,))
        finally:
            os.close(tell)
        line = answer.readline()
    log = home.logs / f"{_OUTERMOST}.log"
    found = json.loads(line) if line else {"error": _UNREADY.format(log)}
    if "error" not in found:
        return started
    if found.get("stays"):
        started.returncode = 0  # a supervisor without a watchdog was found, and has one now
    else:
        started.wait()
    raise (LockHeld if found.get("held") else HoldfastError)(found["error"])


def builtins(*, hub: bool, backup: bool) -> "tuple[ServiceSpec, ...]":
    """Return the services Holdfast runs for itself: restarted without limit, since nothing may depend on luck here."""
    from holdfast.model.spec import Probe, ProbeKind, RestartPolicy, ServiceSpec

    wanted = [name for name, is_wanted in (("hub", hub), ("backup", backup)) if is_wanted]
    return tuple(
        ServiceSpec(
            name=name,
            command=tuple(_command(name)),
            cwd="/" if os.sep == "/" else "",
            inherit_env=OF_A_SESSION,
            umask=0o077,
            restart=RestartPolicy(
                delay=0.1, max_delay=30.0, min_gap=0.0, limit=None, steady_times=STEADY_TIMES
            ),
            ready=Probe(kind=ProbeKind.NOTIFY, target=(), timeout=60.0),
            builtin=True,
        )
        for name in wanted
    )


def start_watchdog(home: Home) -> int:
    """Start a watchdog for a supervisor that runs, and return its pid at once.

    Raises:
        HoldfastError: its log cannot be written.
        OSError: it could not be executed.
    """
    started = _popen(home, "watchdog")
    started.returncode = (
        0  # it is meant to live on: the supervisor reaps it as it reaps all strangers
    )
    return started.pid


def _popen(
    home: Home, program: str, *arguments: str, pass_fds: tuple[int, ...] = ()
) -> "subprocess.Popen[bytes]":
    with _own_log(home, program) as log:
        return subprocess.Popen(
            _command(program, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home.root,
            env=_environment(home),
            pass_fds=pass_fds,
            start_new_session=True,
        )


def _command(program: str, *arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "holdfast.assemble", program, *arguments]


def _supervisor_of(home: Home, headroom: "Headroom") -> "Callable[[int], Spawned]":
    """Return what starts the supervisor from within the watchdog: under the limits the watchdog was given."""
    from holdfast.machine.process.launch import Launch
    from holdfast.machine.process.spawn import spawn as execute

    def launch(tell: int) -> "Spawned":
        with _own_log(home, "supervisor") as log:
            order = Launch(
                argv=tuple(_command("supervisor", "--ready-fd", str(tell))),
                env=_environment(home),
                cwd=str(home.root),
                stdout=log.fileno(),
                stderr=log.fileno(),
                pass_fds=(tell,),
            )
            return execute(order, headroom)

    return launch


def _own_log(home: Home, program: str) -> "IO[bytes]":
    path = home.logs / f"{program}.log"
    try:
        return open(path, "ab", opener=_private)
    except OSError as error:
        raise HoldfastError(
            f"{path} cannot be written: {error.strerror}; move away what stands there"
        ) from error


def _environment(home: Home) -> Mapping[str, str]:
    own = {name: value for name, value in os.environ.items() if name not in OF_A_SERVICE}
    return own | {"HOLDFAST_HOME": str(home.root)}


def _make_folders(home: Home) -> None:
    try:
        home.make()
    except OSError as error:
        raise HoldfastError(
            f"the state folder {home.root} cannot be used: {error.strerror}; set HOLDFAST_HOME to a folder of yours"
        ) from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _spare_memory() -> None:
    for name in NOT_NEEDED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # None is how Python is told: not importable


def _import_the_rest() -> None:
    for name in USED_LATER:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _leave_a_trace() -> None:
    """Have every stack written to the own log when the watchdog ends this process because it hangs."""
    import faulthandler

    faulthandler.enable()


def _make_runtime(home: Home) -> None:
    from holdfast import statefile

    runtime = home.runtime()
    make_runtime(runtime)
    if _content(home.runtime_pointer) == f"{runtime}\n":
        return  # a full disk must not keep a supervisor from its services
    statefile.write_atomic(
        home.runtime_pointer, f"{runtime}\n", durability=statefile.Durability.FILE, mode=0o600
    )


def _content(path: "Path") -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return path.read_text(encoding="utf-8")
    return ""


def _parts(home: Home, loop: "asyncio.AbstractEventLoop", custody: "Custody") -> "Parts":
    from holdfast.clock import SystemClock, boot_id
    from holdfast.journal import Journal
    from holdfast.machine.output.pipes import Pipes
    from holdfast.machine.probes.errand import Errands, end_left_errands
    from holdfast.machine.process.headroom import Headroom
    from holdfast.machine.process.kernel import become_subreaper
    from holdfast.machine.process.tree import Roster
    from holdfast.machine.supervisor.keeper import Keeper
    from holdfast.machine.supervisor.launch import Launcher
    from holdfast.machine.supervisor.notes import Notes
    from holdfast.machine.supervisor.parts import Parts
    from holdfast.machine.supervisor.records import Records
    from holdfast.machine.supervisor.trees import Trees

    headroom = Headroom()
    headroom.raise_own_limit()
    is_subreaper = become_subreaper()
    clock = SystemClock()
    journal = Journal(home.journal, clock)
    journal.open()
    notes = Notes(home, clock, journal)
    records = Records(home, boot_id())
    roster = Roster()
    end_left_errands(str(home.root), roster)
    errands = Errands(loop, headroom)
    ours = (lambda: errands.pids) if is_subreaper else None
    pipes = Pipes(loop, clock, notes.output_lost, custody)
    return Parts(
        home=home,
        clock=clock,
        loop=loop,
        journal=journal,
        records=records,
        keeper=Keeper(loop, records, notes, journal),
        pipes=pipes,
        launcher=Launcher(home, home.runtime(), pipes, headroom),
        trees=Trees(loop, roster, boot_id(), lambda: _watchdogs(custody), ours),
        notes=notes,
        keeping=custody,
        errands=errands,
    )


def _watchdogs(custody: "Custody") -> frozenset[int]:
    return frozenset({os.getppid(), custody.watchdog_pid or 0})


def _main(arguments: list[str]) -> int:
    """Run one program as a process of its own; only Holdfast itself calls this."""
    program, *rest = arguments
    ready_fd = int(rest[rest.index("--ready-fd") + 1]) if "--ready-fd" in rest else None
    answer = _Answer(ready_fd)
    home = Home(default_home())
    try:
        if program == "watchdog":
            reply = None if ready_fd is None else answer.give
            return watchdog(home, reply, take_over="--take-over" in rest)
        if program == "supervisor":
            supervisor(home, lambda: answer.give({"ready": True}))
            return 0
        return _of_its_own(home, program, rest)
    except HoldfastError as error:
        answer.give({"error": str(error), "held": isinstance(error, LockHeld)})
        if ready_fd is None:
            print(error, file=sys.stderr)  # noqa: T201 - its own log, or that of who started it
        return error.exit_code


def _of_its_own(home: Home, program: str, rest: list[str]) -> int:
    """Run a program that the supervisor keeps alive as it keeps any service.

    Raises:
        HoldfastError: there is no such program, or it could not begin.
    """
    if program == "hub":
        hub(home)
        return 0
    if program == "backup":
        backup_service(home)
        return 0
    if program == "backup-run":
        return backup_run(home, rest[0])
    raise HoldfastError(f"there is no program {program!r}")


class _Answer:
    """The pipe to whoever waits for this program; one line, once, and nobody need be there to read it."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        if fd is not None:
            os.set_inheritable(fd, False)

    def give(self, words: Mapping[str, object]) -> None:
        """Write the answer, unless one was given."""
        if self._fd is None:
            return
        fd, self._fd = self._fd, None
        with contextlib.suppress(OSError):
            os.write(fd, json.dumps(words).encode() + b"\n")
        os.close(fd)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
