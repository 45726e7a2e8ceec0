"""The supervisor from its first line to its last: lock, adopt, listen, serve, leave."""

import asyncio
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from holdfast import statefile
from holdfast.clock import boot_id
from holdfast.errors import StateError
from holdfast.machine.supervisor.adopt import judge
from holdfast.machine.supervisor.api import Api
from holdfast.machine.supervisor.loop import Parts, Supervisor
from holdfast.machine.supervisor.reaper import Reaper
from holdfast.machine.supervisor.records import Broken, Loaded
from holdfast.machine.supervisor.rounds import Rounds
from holdfast.machine.supervisor.serve_control import ControlServer
from holdfast.model.event import Adopted
from holdfast.model.service import Actual, ServiceState
from holdfast.statefile import Durability

BEAT_EVERY = 60.0
"""Seconds between two heartbeats of the supervisor itself."""

BEAT_LEASE = 300.0
"""Seconds one of them is believed."""


async def run(parts: Parts, ready: Callable[[], None]) -> None:
    """Serve until told to end; the caller holds the supervisor's lock.

    `ready` is called once every living service is known again and orders are taken.
    """
    ended = asyncio.Event()
    supervisor = Supervisor(parts)
    rounds = Rounds(supervisor)
    api = Api(supervisor, rounds, ended, started_at=parts.clock.wall())
    parts.loop.set_exception_handler(_fault_recorder(parts))
    parts.notes.event("supervisor.started", "supervisor", {"pid": os.getpid()})
    _take_over(supervisor)
    tasks: set[asyncio.Task[Any]] = set()
    _install_signals(supervisor, api, tasks)
    server = ControlServer(parts.home.control_socket, api.methods)
    await server.open()
    api.state = "running"
    _beat(parts)
    rounds.start()
    ready()
    await ended.wait()
    await server.close()
    await asyncio.gather(*tasks)
    _leave(supervisor)
    if not any(service.state.process for service in supervisor.services.values()):
        parts.launcher.clear_runtime()


def _take_over(supervisor: Supervisor) -> None:
    """Know again what an earlier supervisor left: what lives is adopted, what died is told."""
    for found in supervisor.parts.records.load_all():
        if isinstance(found, Broken):
            facts: dict[str, object] = {
                "severity": "critical",
                "why": found.why,
                "evidence": found.evidence,
            }
            supervisor.parts.notes.event("state.corrupt", found.name, facts)
        else:
            _know_again(supervisor, found)
    supervisor.broken = supervisor.parts.records.lost()
    for service in list(supervisor.services.values()):
        supervisor.rearm(service)


def _know_again(supervisor: Supervisor, found: Loaded) -> None:
    service = supervisor.add(found.spec, found.state)
    service.main = found.state.process
    same_boot = found.boot_id == boot_id()
    tagged = None
    if same_boot and _is_open_intent(found.state):
        tagged = supervisor.parts.trees.tagged(found.state.instance)
    event = judge(found.state, same_boot=same_boot, tagged=tagged)
    if isinstance(event, Adopted):
        if supervisor.adopt(service, event):
            return
        event = judge(found.state, same_boot=same_boot, tagged=None)
    if event is not None and not isinstance(event, Adopted):
        supervisor.tell(service, event)


def _is_open_intent(state: ServiceState) -> bool:
    return state.actual is Actual.STARTING and state.process is None


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


def _beat(parts: Parts) -> None:
    now = parts.clock.wall()
    beat = {
        "timestamp": now,
        "pid": os.getpid(),
        "status": "running",
        "interval": BEAT_EVERY,
        "expires_at": now + BEAT_LEASE,
        "generation": 1,
        "boot_id": boot_id(),
        "error": None,
    }
    try:
        statefile.write_json(
            parts.home.heartbeat("supervisor"), beat, durability=Durability.ATOMIC, mode=0o600
        )
    except StateError as error:
        parts.notes.disk_refused("supervisor", str(error))
    else:
        parts.notes.disk_accepted("supervisor")
    parts.loop.call_later(BEAT_EVERY, _beat, parts)


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


def _leave(supervisor: Supervisor) -> None:
    """Write the last words; what lives on is known again by the next supervisor."""
    parts = supervisor.parts
    supervisor.let_go()
    parts.notes.event("supervisor.stopped", "supervisor", {"pid": os.getpid()})
    parts.home.heartbeat("supervisor").unlink(missing_ok=True)
    parts.home.control_socket.unlink(missing_ok=True)
    with contextlib.suppress(
        OSError
    ):  # a disk that refuses was told of before, and nobody is left to tell
        parts.journal.sync()
    parts.journal.close()
