"""Looks at what is left of services that end, and reaches all of it; one look serves every service that asked."""

import asyncio
import signal as signals
from collections.abc import Callable, Iterable, Iterator, Set
from typing import TypeAlias

from holdfast.machine.process.identity import identify, stat
from holdfast.machine.process.tree import (
    Member,
    Roots,
    Roster,
    Snapshot,
    members,
    own_children,
    signal_member,
    signal_tree,
    variables_of_pid,
)
from holdfast.machine.process.wait import Death, open_death
from holdfast.machine.supervisor.service import Service
from holdfast.model.event import Adopted
from holdfast.model.service import Identity, Step

LOOK_AGAIN_AFTER = 1.0
"""Seconds until a look that a shortage refused is tried again."""

Answer: TypeAlias = Callable[[Service, int], None]


class Trees:
    """The process trees of all services, seen only when somebody asks."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        roster: Roster,
        boot_id: str,
        spared: Callable[[], Set[int]] = frozenset,
        errands: Callable[[], Set[int]] | None = None,
    ) -> None:
        self.loop = loop
        self.spared = spared
        """The processes that are nobody's, whatever they descend from: the watchdog."""
        self.errands = errands
        """The probes and hooks under way; None where orphans of this process go elsewhere: it is no subreaper."""
        self.roster = roster
        self.boot_id = boot_id
        self.mains: set[int] = set()
        """The main processes that are watched and therefore nobody's leftovers."""
        self._asked: dict[str, tuple[Service, Answer]] = {}
        self._watched: dict[str, list[Death]] = {}
        self._recent: Snapshot | None = None
        self._heirs: dict[str, Adopted] | None = None

    def signal(self, service: Service, name: str) -> int:
        """Send a signal by name ("TERM") to the whole tree of a service; return how many processes got it."""
        self._forget_a_look_before(service)
        return signal_tree(self._members(self._snapshot(), service), number_of(name))

    def signal_main(self, service: Service, name: str) -> bool:
        """Send a signal to the main process alone; False when there is none to get it."""
        main = service.state.process
        if main is None:
            return False
        return signal_member(Member(pid=main.pid, start_ticks=main.start_ticks), number_of(name))

    def look(self, service: Service, answer: Answer) -> None:
        """Tell how many processes are left once the loop comes round, and again when one of them is gone.

        Where it is plain at once that none is, it is told at once.
        """
        if self._is_bare(service):
            self.forget(service)
            answer(service, 0)
            return
        if not self._asked:
            self.loop.call_soon(self._look)
        self._asked[service.name] = (service, answer)

    def tagged(self, instance: str) -> Identity | None:
        """Return the eldest living process that was started for this instance."""
        snapshot = self._snapshot()
        found = sorted(snapshot.bearing(instance, since_ticks=0), key=lambda row: row.start_ticks)
        eldest = next((row for row in found if not row.is_gone), None)
        return identify(eldest.pid) if eldest is not None else None

    def heirs(self, home: str) -> dict[str, Adopted]:
        """Return what living main processes of this home say of themselves, by service; for lost records.

        Like a snapshot it is as old as this turn of the loop at most.
        """
        if self._heirs is None:
            rows = sorted(
                self._snapshot().rows.values(), key=lambda row: row.start_ticks, reverse=True
            )
            leaders = [row.pid for row in rows if row.sid == row.pid and not row.is_gone]
            self._heirs = dict(
                _told_by(leaders, home)
            )  # of several, the eldest comes last and stays
        return self._heirs

    def forget(self, service: Service) -> None:
        """Stop looking at what is left of a service."""
        self._asked.pop(service.name, None)
        self._unwatch(service.name)

    def _is_bare(self, service: Service) -> bool:
        """Tell, at the cost of reading one list, that nothing is left of a service; False proves nothing.

        This process is a subreaper: what a service that it started leaves behind is its child by then, or descends from
        one that is. Every child is a main process, an errand, older than the service, or dead.
        """
        main = _root(service)
        if main is None or service.state.process is not None or self.errands is None:
            return False
        children = own_children() if service.raised == service.state.instance else None
        if children is None:
            return False
        strangers = children - self.mains - self.errands() - self.spared()
        return not any(_is_suspect(pid, main.start_ticks) for pid in strangers)

    def _look(self) -> None:
        asked, self._asked = self._asked, {}
        self._recent = None
        mains = [_root(service) for service, _ in asked.values()]
        since = min((main.start_ticks if main else 0 for main in mains), default=0)
        try:
            snapshot = self.roster.look(since, self.mains)
        except OSError:
            self._asked = asked | self._asked  # a shortage: nobody's question is lost
            self.loop.call_later(LOOK_AGAIN_AFTER, self._look)
            return
        for service, answer in asked.values():
            self._unwatch(service.name)
            if service.state.process is not None:
                continue  # its own death will ask again
            left = self._members(snapshot, service)
            if left and service.state.step is Step.KILLED:
                signal_tree(left, number_of("KILL"))  # born since the last look
            self._watch(service, left, answer)
            answer(service, len(left))

    def _members(self, snapshot: Snapshot, service: Service) -> tuple[Member, ...]:
        return members(
            snapshot,
            Roots(main=_root(service), instance=service.state.instance, spared=self.spared()),
        )

    def _snapshot(self) -> Snapshot:
        """Return a look at the machine that is as old as this turn of the loop at most."""
        if self._recent is None:
            self._recent = self.roster.look()
            self.loop.call_soon(self._let_go)
        return self._recent

    def _forget_a_look_before(self, service: Service) -> None:
        """Have the machine looked at again where a service was started since: its signal would reach nobody."""
        main = service.state.process
        if main is None or self._recent is None:
            return
        found = self._recent.rows.get(main.pid)
        if found is None or found.start_ticks != main.start_ticks:
            self._recent = None

    def _let_go(self) -> None:
        self._recent = None
        self._heirs = None

    def _watch(self, service: Service, left: tuple[Member, ...], answer: Answer) -> None:
        deaths = self._watched[service.name] = []
        for member in left:
            identity = Identity(
                pid=member.pid, start_ticks=member.start_ticks, boot_id=self.boot_id
            )
            try:
                death = open_death(identity)
            except OSError:  # a shortage of descriptors
                self.loop.call_later(LOOK_AGAIN_AFTER, self.look, service, answer)
                return
            if death is None:
                self.look(service, answer)  # gone since the snapshot: look again at once
                continue
            deaths.append(death)
            self.loop.add_reader(death.fileno(), self.look, service, answer)

    def _unwatch(self, name: str) -> None:
        for death in self._watched.pop(name, ()):
            self.loop.remove_reader(death.fileno())
            death.close()


def _root(service: Service) -> Identity | None:
    """Return the first main process of this start: one that was named later has elders in its tree."""
    return service.state.last_process or service.state.process or service.main


def _is_suspect(pid: int, since_ticks: int) -> bool:
    found = stat(pid)
    return found is not None and not found.is_gone and found.start_ticks >= since_ticks


def _told_by(pids: Iterable[int], home: str) -> Iterator[tuple[str, Adopted]]:
    for pid in pids:
        told = variables_of_pid(pid)
        name, generation = told.get("HOLDFAST_SERVICE"), told.get("HOLDFAST_GENERATION", "")
        instance = told.get("HOLDFAST_INSTANCE")  # probes and hooks of a service have none
        is_ours = name and instance and told.get("HOLDFAST_HOME") == home
        identity = identify(pid) if is_ours else None
        if name and instance and identity is not None:
            yield (
                name,
                Adopted(
                    identity=identity,
                    instance=instance,
                    generation=int(generation) if generation.isdecimal() else 0,
                ),
            )


def number_of(name: str) -> int:
    """Return the number of a signal named as in the configuration: "TERM", "SIGTERM" or "15".

    Raises:
        ValueError: this platform has no such signal.
    """
    if name.isdecimal():
        return int(signals.Signals(int(name)))
    bare = name.upper().removeprefix("SIG")
    try:
        return int(signals.Signals[f"SIG{bare}"])
    except KeyError:
        raise ValueError(
            f"there is no signal {name!r} on this platform; expected a name like TERM, INT or HUP"
        ) from None
