"""The sender: makes messages when their time has come and sends them, one at a time for each channel."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from holdfast.hub import outbox
from holdfast.hub.notify.channel import Send
from holdfast.hub.store.interface import Store, Tx
from holdfast.model.hub import HubSettings
from holdfast.model.message import Channel, Message, Outcome, TryLater
from holdfast.model.service import Now
from holdfast.rules import routing

T = TypeVar("T")

GRACE_S = 1.0
"""Seconds a channel gets beyond its own timeout before its answer is no longer waited for."""

LONGEST_SLEEP_S = 60.0
"""Seconds after which the sender looks by itself, as a machine that slept wakes late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a sender works with; `settings` and `now` give those of the moment, `news` is set when the outbox got something.

    `owner` tells this sender from every other that shares the database; `owners` is how the names of those begin that are
    dead when this one starts, as those of the same machine are.
    """

    store: Store
    send: Send
    now: Callable[[], Now]
    settings: Callable[[], HubSettings]
    news: asyncio.Event
    owner: str
    owners: str


class Sender:
    """Carries what the outbox holds to people; told of new work by the event `news`, it never polls."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._errands: dict[str, _Errand] = {}

    async def run(self) -> None:
        """Send for ever, until cancelled; may be called again after an error.

        Raises:
            StoreError: the database cannot be used; nothing is lost, what was under way is sent again under its key.
        """
        try:
            await self._write(lambda tx, now: outbox.release(tx, self._means.owners, now))
            while True:
                self._means.news.clear()
                next_at = await self._look()
                await self._rest(next_at)
        finally:
            await self._let_go()

    async def _look(self) -> float | None:
        """Make messages, begin to send where the time has come, and return when the next time comes."""
        settings = self._means.settings()

        def act(tx: Tx, now: Now) -> tuple[float | None, dict[str, float]]:
            return outbox.batch(tx, settings, now), outbox.next_tries(tx, settings, now)

        next_at, tries = await self._write(act)
        now = self._means.now().wall
        for channel in routing.every_channel(settings):
            at = tries.get(channel.name)
            if at is None or channel.name in self._busy or self._is_hanging(channel.name):
                continue
            if at <= now:
                self._begin(channel)
            else:
                next_at = at if next_at is None else min(next_at, at)
        return next_at

    async def _rest(self, next_at: float | None) -> None:
        """Wait for news, for the next moment, or for a task that failed, whose error is raised."""
        wait = LONGEST_SLEEP_S
        if next_at is not None:
            wait = max(0.0, min(wait, next_at - self._means.now().wall))
        try:
            async with asyncio.timeout(wait):
                await self._means.news.wait()
        except TimeoutError:
            pass
        for name, task in list(self._busy.items()):
            if task.done():
                del self._busy[name]
                task.result()

    def _begin(self, channel: Channel) -> None:
        task = asyncio.get_running_loop().create_task(self._drain(channel))
        self._busy[channel.name] = task
        task.add_done_callback(lambda _task: self._means.news.set())

    async def _drain(self, channel: Channel) -> None:
        """Send what waits for one channel in order, until nothing may be sent now."""
        while claimed := await self._claim(channel.name):
            outcome = await self._sent(claimed.channel, claimed.message)
            await self._mark(claimed, outcome)

    async def _claim(self, name: str) -> outbox.Claimed | None:
        """Take the next message of a channel as it is configured now; none while an earlier try still hangs."""
        channels = {each.name: each for each in routing.every_channel(self._means.settings())}
        if name not in channels or self._is_hanging(name):
            return None
        owner, channel = self._means.owner, channels[name]
        return await self._write(lambda tx, now: outbox.claim(tx, owner, channel, now))

    async def _mark(self, claimed: outbox.Claimed, outcome: Outcome) -> None:
        settings = self._means.settings()
        await self._write(lambda tx, now: outbox.mark(tx, settings, claimed, outcome, now))
        self._means.news.set()

    async def _sent(self, channel: Channel, message: Message) -> Outcome:
        """Send in a thread of its own; one that never returns holds up this channel alone."""
        errand = _Errand(self._means.send, channel, message, self._means.news.set)
        self._errands[channel.name] = errand
        limit = channel.timeout + GRACE_S
        try:
            async with asyncio.timeout(limit):
                return await errand.run()
        except TimeoutError:
            return TryLater(why=f"no answer within {limit:g} s", may_have_arrived=True)

    def _is_hanging(self, name: str) -> bool:
        errand = self._errands.get(name)
        return errand is not None and not errand.is_over

    async def _write(self, act: Callable[[Tx, Now], T]) -> T:
        now = self._means.now()
        return await self._means.store.write(lambda tx: act(tx, now))

    async def _let_go(self) -> None:
        """End the tasks; a thread that is at it goes on for a moment, and its message is sent again under its key."""
        tasks = list(self._busy.values())
        self._busy.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(slots=True)
class _Errand:
    """One call of a channel, on a thread that does not keep the program from ending."""

    send: Send
    channel: Channel
    message: Message
    wake: Callable[[], None]
    is_over: bool = False

    async def run(self) -> Outcome:
        """Return the outcome; a cancelled caller leaves the thread to itself."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Outcome] = loop.create_future()

        def work() -> None:
            outcome = self.send(self.channel, self.message)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._end, answer, outcome)

        name = f"notify-{self.channel.name}"
        threading.Thread(target=work, name=name, daemon=True).start()
        return await answer

    def _end(self, answer: "asyncio.Future[Outcome]", outcome: Outcome) -> None:
        self.is_over = True
        if not answer.done():
            answer.set_result(outcome)
        self.wake()
