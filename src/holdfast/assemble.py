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
    from typing import IO

    from holdfast.machine.supervisor.loop import Parts

OF_A_SERVICE = (
    "HOLDFAST_SERVICE",
    "HOLDFAST_GENERATION",
    "HOLDFAST_INSTANCE",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
)
"""What a service is told about itself; a supervisor started from within one must not pass for a part of it."""

USED_LATER = ("encodings.utf_8_sig", "grp", "pwd", "resource", "termios", "traceback")
"""What is otherwise imported at its first use: files replaced under a running supervisor must do no harm."""

_UNREADY = "the supervisor ended before it was ready; see {}"

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
    import asyncio

    from holdfast import statefile
    from holdfast.machine.supervisor.run import run

    _make_folders(home)
    with statefile.hold(home.supervisor_lock):
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(run(_parts(home, loop), ready))
        finally:
            loop.close()


def start_supervisor(home: Home) -> None:
    """Start a supervisor that outlives the caller, and return once it takes orders.

    Raises:
        LockHeld: another one was faster.
        HoldfastError: it ended before it was ready; the message is its own.
    """
    spawn_supervisor(home).returncode = 0  # it is meant to live on: nobody waits for it here


def spawn_supervisor(home: Home) -> "subprocess.Popen[bytes]":
    """Start a supervisor as a child in a session of its own, and return once it takes orders.

    Raises:
        LockHeld: another one was faster.
        HoldfastError: it ended before it was ready; the message is its own.
    """
    _make_folders(home)
    with _own_log(home) as log:
        told, tell = os.pipe()
        command = [
            sys.executable,
            "-P",
            "-m",
            "holdfast.assemble",
            "supervisor",
            "--ready-fd",
            str(tell),
        ]
        with os.fdopen(told, "rb") as answer:
            supervising = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=home.root,
                env=_environment(home),
                pass_fds=(tell,),
                start_new_session=True,
            )
            os.close(tell)
            line = answer.readline()
    found = json.loads(line) if line else {"error": _UNREADY.format(home.logs / "supervisor.log")}
    if "error" in found:
        supervising.wait()
        raise (LockHeld if found.get("held") else HoldfastError)(found["error"])
    return supervising


def _own_log(home: Home) -> "IO[bytes]":
    path = home.logs / "supervisor.log"
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


def _parts(home: Home, loop: "asyncio.AbstractEventLoop") -> "Parts":
    from holdfast import statefile
    from holdfast.clock import SystemClock, boot_id
    from holdfast.journal import Journal
    from holdfast.machine.output.pipes import Pipes
    from holdfast.machine.process.headroom import Headroom
    from holdfast.machine.process.kernel import become_subreaper
    from holdfast.machine.process.tree import Roster
    from holdfast.machine.supervisor.keeper import Keeper
    from holdfast.machine.supervisor.launch import Launcher
    from holdfast.machine.supervisor.loop import Parts
    from holdfast.machine.supervisor.notes import Notes
    from holdfast.machine.supervisor.records import Records
    from holdfast.machine.supervisor.trees import Trees

    headroom = Headroom()
    headroom.raise_own_limit()
    become_subreaper()
    runtime = home.runtime()
    make_runtime(runtime)
    statefile.write_atomic(
        home.runtime_pointer, f"{runtime}\n", durability=statefile.Durability.FILE, mode=0o600
    )
    clock = SystemClock()
    journal = Journal(home.journal, clock)
    journal.open()
    notes = Notes(home, clock, journal)
    records = Records(home, boot_id())
    pipes = Pipes(loop, clock, notes.output_lost)
    return Parts(
        home=home,
        clock=clock,
        loop=loop,
        journal=journal,
        records=records,
        keeper=Keeper(loop, records, notes, journal),
        pipes=pipes,
        launcher=Launcher(home, runtime, pipes, headroom),
        trees=Trees(loop, Roster(), boot_id()),
        notes=notes,
    )


def _main(arguments: list[str]) -> int:
    """Run one program as a process of its own; only Holdfast itself calls this."""
    program, _, descriptor = arguments
    if program != "supervisor":
        raise HoldfastError(f"there is no program {program!r}")
    with os.fdopen(int(descriptor), "w", encoding="utf-8") as answer:

        def ready() -> None:
            answer.write('{"ready": true}\n')
            answer.close()

        try:
            supervisor(Home(default_home()), ready)
        except HoldfastError as error:
            if not answer.closed:
                answer.write(
                    json.dumps({"error": str(error), "held": isinstance(error, LockHeld)}) + "\n"
                )
            return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
