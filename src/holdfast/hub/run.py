"""The hub from its first line to its last: open, listen, go round, leave."""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from holdfast import __version__, statefile
from holdfast.client.beat import ready, stopping
from holdfast.clock import Clock, SystemClock, boot_id
from holdfast.errors import HoldfastError
from holdfast.home import Home
from holdfast.hub import checks, keys, listen, sweep, watch_itself
from holdfast.hub.intake import Intake, hand_over_the_rest
from holdfast.hub.notify.channel import sending_by
from holdfast.hub.notify.sender import Means, Sender
from holdfast.hub.parts import Parts
from holdfast.hub.probes.look import probe
from holdfast.hub.probing import Probing
from holdfast.hub.rounds import Round, go_round, note, say
from holdfast.hub.store.interface import Store, Tx
from holdfast.hub.summary import Summary
from holdfast.hub.sweep import Swept
from holdfast.hub.web.api import application
from holdfast.hub.web.serve import Server
from holdfast.model.hub import HubSettings
from holdfast.model.service import Now
from holdfast.rules import routing
from holdfast.rules.ticking import Tick

LEAVES_WITHIN = 4.0
"""Seconds in which everything under way ends before the database is closed."""

SUMMARY_EVERY = 300.0
"""Seconds after which the summary is made anew though nobody rang."""

LONGEST_DEAD_MAN = 86_400.0
"""Seconds between two signs of life to the outside, at most."""

OF_THE_START = (
    "listen",
    "listen_chosen",
    "database",
    "behind_proxy",
    "tls_cert_file",
    "tls_key_file",
    "machine",
)
"""Settings that are obeyed only from the start on; when one changes the hub begins anew."""


@dataclass(slots=True, eq=False)
class _Orders:
    """What signals have asked for; `changed` when there is something new."""

    changed: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False
    reload: bool = False
    again: bool = False


class _Plan(NamedTuple):
    home: Home
    store: Store
    clock: Clock
    read_settings: Callable[[], HubSettings]
    told: Callable[[str], None]


async def run(
    home: Home,
    store: Store,
    clock: Clock,
    read_settings: Callable[[], HubSettings],
    *,
    told: Callable[[str], None] = lambda _url: None,
) -> bool:
    """Serve until told to end; return whether to begin anew because of settings that are obeyed from the start on.

    The store is opened here and closed again. `told` hears the address once it is served.

    Raises:
        Refused: the address to listen on is unsafe, its certificate cannot be used, or another hub runs here.
        StoreError: the database cannot be used.
        HoldfastError: the address cannot be listened on, the settings cannot be read.
    """
    orders = _Orders()
    _install_signals(orders)
    settings = read_settings()
    # One hub of a home; whoever asks it sees by this lock whether the one that wrote its address down still lives.
    with statefile.hold(home.hub_lock):
        return await _run(_Plan(home, store, clock, read_settings, told), settings, orders)


async def _run(plan: "_Plan", settings: HubSettings, orders: _Orders) -> bool:
    home, store, clock, read_settings, told = plan
    listeners = listen.open_listeners(settings, home)
    try:
        await store.open()
        parts = Parts(
            home=home,
            clock=clock,
            store=store,
            settings=settings,
            ping_key=keys.ping_key(home),
        )
        parts.condition.url = listen.url_of(listeners, is_tls=bool(settings.tls_cert_file))
        parts.condition.started_at = clock.wall()
        await keys.settle_token(home, store, parts.now())
        await _apply(parts, settings)
        server = Server(application(parts), settings)
        server.prepare()
        return await _serve(_Hub(parts, server, read_settings, orders), listeners, orders, told)
    finally:
        for listener in listeners:
            listener.close()
        await store.close()


class _Hub:
    """The rounds of one hub."""

    def __init__(
        self,
        parts: Parts,
        server: Server,
        read_settings: Callable[[], HubSettings],
        orders: _Orders,
    ) -> None:
        self.parts = parts
        self.server = server
        self.read_settings = read_settings
        self.orders = orders
        self.intake = Intake(parts)
        self.probing = Probing(parts, probe)
        self.sender = Sender(_means(parts))
        self.run_id = secrets.token_hex(8)

    def rounds(self) -> tuple[Round, ...]:
        """Return everything that comes round; the bell of what nobody rings for is its own."""
        parts, bells = self.parts, self.parts.bells
        summary = Summary(parts)
        return (
            Round(name="take in", act=self.intake.act, bell=bells.intake),
            Round(name="watch", act=self.intake.watch, endless=True),
            Round(name="sweep", act=self.sweep, bell=bells.sweep),
            Round(name="send", act=self._send, endless=True),
            Round(name="probe", act=self.probing.act, bell=bells.probes),
            Round(name="sum up", act=summary.act, bell=bells.summary, every=SUMMARY_EVERY),
            Round(name="look", act=self._look, every=watch_itself.LOOK_EVERY),
            Round(name="beat", act=self._beat),
            Round(name="dead man", act=self._outside, every=LONGEST_DEAD_MAN),
        )

    async def sweep(self) -> float | None:
        """Look at what is due and return the seconds until more is."""
        parts, now = self.parts, self.parts.now()
        settings, tick = parts.settings, self._tick(now)

        def act(tx: Tx) -> Swept:
            return sweep.sweep(tx, settings, now, tick)

        swept = await parts.store.write(act)
        parts.condition.swept_mono = now.mono
        if swept.looked:
            parts.bells.summary.set()
            parts.bells.intake.set()
            parts.bells.outbox.set()
        return max(0.0, swept.next_at - parts.clock.wall())

    async def reload(self) -> bool:
        """Go by the settings as they are now; True when that takes a new start. What cannot be read changes nothing."""
        parts = self.parts
        try:
            settings = self.read_settings()
        except HoldfastError as error:
            say(parts, "hub.reload_refused", why=str(error))
            return False
        if any(getattr(settings, name) != getattr(parts.settings, name) for name in OF_THE_START):
            return True
        try:
            self.server.renew()
            await _apply(parts, settings)
        except HoldfastError as error:
            say(parts, "hub.reload_refused", why=str(error))
            return False
        parts.settings = settings
        parts.bells.checks_changed()
        parts.bells.outbox.set()
        return False

    def _tick(self, now: Now) -> Tick:
        clock = self.parts.clock
        return Tick(
            wall=now.wall,
            mono=now.mono,
            boottime=clock.boottime() if isinstance(clock, SystemClock) else None,
            boot_id=boot_id(),
            run=self.run_id,
        )

    async def _send(self) -> float | None:
        await self.sender.run()
        return None

    async def _look(self) -> float | None:
        return await watch_itself.look_at_itself(self.parts)

    async def _beat(self) -> float | None:
        if self.parts.store.is_lost():
            say(self.parts, "hub.database_lost", path=str(self.parts.home.hub_db))
            self.orders.again = True
            self.orders.changed.set()
            return None
        return await watch_itself.say_alive(self.parts)

    async def _outside(self) -> float | None:
        return await watch_itself.tell_the_outside(self.parts)


async def _serve(
    hub: _Hub, listeners: list[socket.socket], orders: _Orders, told: Callable[[str], None]
) -> bool:
    """Listen, go round, and return once told to end; True when the hub is to begin anew."""
    parts, loop = hub.parts, asyncio.get_running_loop()
    served = loop.create_task(hub.server.serve(listeners))
    served.add_done_callback(lambda _task: hub.server.opened.set())
    await hub.server.opened.wait()
    if served.done():
        await served
        raise HoldfastError(f"the hub could not serve {parts.condition.url}; its log says why")
    _write_address(parts)
    rounds = [loop.create_task(go_round(parts, work)) for work in hub.rounds()]
    await note(parts, "hub.started", {**_own(), "url": parts.condition.url})
    say(parts, "hub.started", url=parts.condition.url, pid=os.getpid())
    ready(parts.condition.url)
    told(parts.condition.url)
    try:
        return await _until_ended(hub, orders, [served, *rounds])
    finally:
        stopping()
        await _leave(hub, served, rounds)


async def _until_ended(hub: _Hub, orders: _Orders, tasks: "list[asyncio.Task[None]]") -> bool:
    """Wait for the order to end, going by new settings meanwhile; a hub of which a part is gone ends, to be started anew."""
    for task in tasks:
        task.add_done_callback(lambda _task: orders.changed.set())
    while True:
        await orders.changed.wait()
        orders.changed.clear()
        if orders.ended:
            return False
        await _see_alive(tasks)
        if orders.again:
            return True
        if orders.reload:
            orders.reload = False
            if await hub.reload():
                return True


async def _see_alive(tasks: "list[asyncio.Task[None]]") -> None:
    """Do nothing while every part of the hub is there; raises what ended one of them, or that it ended."""
    for task in tasks:
        if task.done():
            await task
            raise HoldfastError("a part of the hub ended by itself; its log says why")


async def _leave(
    hub: _Hub, served: "asyncio.Task[None]", rounds: "list[asyncio.Task[None]]"
) -> None:
    """Take no new requests, finish those under way, and hand over what was noted.

    The address stays written down, so that a port nobody chose is the same the next time; its pid says that nobody is there.
    """
    parts = hub.parts
    hub.server.leave()
    for task in rounds:
        task.cancel()
    await asyncio.gather(*rounds, hub.probing.finish(), return_exceptions=True)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LEAVES_WITHIN):
            await asyncio.gather(served, return_exceptions=True)
            await note(parts, "hub.stopped", _own())
            await hand_over_the_rest(hub.intake)
    say(parts, "hub.stopped", pid=os.getpid())


def _own() -> dict[str, object]:
    return {"pid": os.getpid(), "version": __version__}


def _write_address(parts: Parts) -> None:
    said = {"url": parts.condition.url, "pid": os.getpid()}
    path = parts.home.hub_address
    statefile.write_json(path, said, durability=statefile.Durability.FILE, mode=0o600)


async def _apply(parts: Parts, settings: HubSettings) -> None:
    """Make the checks in the database those of the settings."""
    now, channels = parts.now(), routing.channels_of(settings)
    synced = await parts.store.write(
        lambda tx: checks.sync(tx, settings.checks, settings.policy, now, channels=channels)
    )
    if synced.added or synced.changed or synced.removed:
        facts: dict[str, object] = {
            "added": list(synced.added),
            "changed": list(synced.changed),
            "removed": list(synced.removed),
        }
        await note(parts, "hub.configured", facts)


def _means(parts: Parts) -> Means:
    owners = f"{parts.settings.machine}:"
    return Means(
        store=parts.store,
        send=sending_by(parts.clock),
        now=parts.now,
        settings=lambda: parts.settings,
        news=parts.bells.outbox,
        owner=f"{owners}{os.getpid()}:{secrets.token_hex(4)}",
        owners=owners,
    )


def _install_signals(orders: _Orders) -> None:
    def end() -> None:
        orders.ended = True
        orders.changed.set()

    def reload() -> None:
        orders.reload = True
        orders.changed.set()

    loop = asyncio.get_running_loop()
    if sys.platform == "win32":
        signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(end))
        signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(end))
        return
    loop.add_signal_handler(signal.SIGTERM, end)
    loop.add_signal_handler(signal.SIGINT, end)
    loop.add_signal_handler(signal.SIGHUP, reload)
