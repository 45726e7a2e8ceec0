"""The supervisor from its first line to its last: lock, adopt, listen, serve, leave."""

import asyncio
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from holdfast.clock import boot_id
from holdfast.machine.supervisor import standing
from holdfast.machine.supervisor.adopt import judge
from holdfast.machine.supervisor.api import Api
from holdfast.machine.supervisor.custody import Custody
from holdfast.machine.supervisor.loop import Supervisor
from holdfast.machine.supervisor.mutual import Mutual
from holdfast.machine.supervisor.parts import Parts
from holdfast.machine.supervisor.reaper import Reaper
from holdfast.machine.supervisor.records import Broken, Loaded
from holdfast.machine.supervisor.serve_control import ControlServer
from holdfast.machine.supervisor.service import Service
from holdfast.machine.supervisor.staff import Staff, employ
from holdfast.model.event import Adopted, RecordStale, StartOrdered, StartUnseen
from holdfast.model.service import Actual, ServiceState, Step
from holdfast.rules.recovery import resumes

_KILL = 9

REACH_LOOK_EVERY = 5.0
"""Seconds between two looks whether the control socket still stands where callers seek it."""


async def run(parts: Parts, custody: Custody, mutual: Mutual, ready: Callable[[], None]) -> None:
    """Serve until told to end; the caller holds the supervisor's lock.

    `ready` is called once every living service is known again and orders are taken.
    """
    ended = asyncio.Event()
    supervisor = Supervisor(parts)
    staff = employ(supervisor, custody, mutual)
    api = Api(supervisor, staff, ended, started_at=parts.clock.wall())
    parts.loop.set_exception_handler(_fault_recorder(parts))
    parts.notes.event("supervisor.started", "supervisor", {"pid": os.getpid()})
    tasks: set[asyncio.Task[Any]] = set()
    _install_signals(supervisor, api, tasks)
    _take_over(supervisor, custody)
    staff.begin(standing.remembered(parts.home))
    server = ControlServer(parts.home.control_socket, api.methods, custody)
    await server.open()
    api.state = "running"
    staff.open_for_work()
    ready()
    _stay_within_reach(supervisor, custody, server.path)
    await ended.wait()
    custody.ending()
    await server.close()
    await asyncio.gather(*tasks)
    await staff.finish()
    _leave(supervisor, staff)
    if not any(service.state.process for service in supervisor.services.values()):
        parts.launcher.clear_runtime()


def _take_over(supervisor: Supervisor, custody: Custody) -> None:
    """Know again what an earlier supervisor left: what lives is adopted, what died is told, what was cut off goes on."""
    cut_off: list[Service] = []
    jobs = standing.names_of_jobs(supervisor.parts.home)
    for found in supervisor.parts.records.load_all():
        if isinstance(found, Broken):
            facts: dict[str, object] = {
                "severity": "critical",
                "why": found.why,
                "evidence": found.evidence,
            }
            supervisor.parts.notes.event("state.corrupt", found.name, facts)
        elif _know_again(supervisor, found, custody.exits):
            cut_off.append(supervisor.services[found.spec.name])
    for name in jobs & supervisor.services.keys():
        supervisor.services[name].is_job = True
    supervisor.broken = supervisor.parts.records.lost()
    for service in list(supervisor.services.values()):
        supervisor.rearm(service)
    # Whether a run that was cut off is made up for is its schedule's to say.
    kept_up = [service for service in cut_off if not service.is_job]
    supervisor.tell_all(kept_up, StartOrdered(forgive=False))


def _know_again(
    supervisor: Supervisor, found: Loaded, exits: Mapping[tuple[int, int], int]
) -> bool:
    """Take one service over; tell whether it was on its feet, and nothing is left of it that could go on."""
    service = supervisor.add(found.spec, found.state)
    service.main = found.state.process or found.state.last_process
    same_boot = found.boot_id == boot_id()
    tagged = None
    if same_boot and _is_open_intent(found.state):
        tagged = supervisor.parts.trees.tagged(found.state.instance)
    event = judge(found.state, same_boot=same_boot, tagged=tagged, exits=exits)
    if isinstance(event, Adopted):
        if supervisor.adopt(service, event):
            return False
        event = judge(found.state, same_boot=same_boot, tagged=None, exits=exits)
    supervisor.mains.catch_up(service)
    if event is None or isinstance(event, Adopted):
        return False
    supervisor.tell(service, event)
    is_forgotten = (
        isinstance(event, RecordStale | StartUnseen) and service.state.actual is Actual.DOWN
    )
    return is_forgotten and found.spec.enabled and resumes(found.state)


def _is_open_intent(state: ServiceState) -> bool:
    return (
        state.actual is Actual.STARTING
        and state.process is None
        and state.step is not Step.PREPARING
    )


def _install_signals(supervisor: Supervisor, api: Api, tasks: set[asyncio.Task[Any]]) -> None:
    if sys.platform == "win32":
        return
    loop = supervisor.parts.loop

    def close(name: str) -> None:
        """Stop everything; asked twice, kill it."""
        kill = supervisor.closing
        supervisor.parts.notes.event(
            "supervisor.signalled", "supervisor", {"signal": name, "kill": kill}
        )
        task = loop.create_task(api.shutdown({"kill": kill}, lambda _row: None))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop.add_signal_handler(signal.SIGTERM, close, "TERM")
    loop.add_signal_handler(signal.SIGINT, close, "INT")
    loop.add_signal_handler(signal.SIGHUP, lambda: None)
    loop.add_signal_handler(signal.SIGCHLD, Reaper(supervisor).hear)
    # A thousand deaths at once fill the pipe by which signals wake the loop: it is awake then, and that is all.
    signal.set_wakeup_fd(signal.set_wakeup_fd(-1), warn_on_full_buffer=False)


def _stay_within_reach(supervisor: Supervisor, custody: Custody, path: Path) -> None:
    """Make way for a new supervisor once the runtime folder is gone: a start makes all anew, and no service ends.

    The folder of a session goes with the session, and takes the way of every order with it.
    """
    parts = supervisor.parts
    if not path.is_socket() and custody.watchdog_pid is not None and not supervisor.closing:
        facts: dict[str, object] = {"severity": "critical", "why": "its runtime folder is gone"}
        parts.notes.event("supervisor.fault", "supervisor", facts)
        parts.keeper.finish()
        os.kill(os.getpid(), _KILL)
    parts.loop.call_later(REACH_LOOK_EVERY, _stay_within_reach, supervisor, custody, path)


def _fault_recorder(parts: Parts) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    def record(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        trace = "".join(traceback.format_exception(error)) if error else ""
        facts: dict[str, object] = {
            "severity": "critical",
            "why": str(context.get("message")),
            "trace": trace,
        }
        parts.notes.event("supervisor.fault", "supervisor", facts)

    return record


def _leave(supervisor: Supervisor, staff: Staff) -> None:
    """Write the last words; what lives on is known again by the next supervisor."""
    parts = supervisor.parts
    supervisor.let_go()
    staff.go_home()
    parts.notes.event("supervisor.stopped", "supervisor", {"pid": os.getpid()})
    parts.home.control_socket.unlink(missing_ok=True)
    with contextlib.suppress(
        OSError
    ):  # a disk that refuses was told of before, and nobody is left to tell
        parts.journal.sync()
    parts.journal.close()
    staff.custody.close()
