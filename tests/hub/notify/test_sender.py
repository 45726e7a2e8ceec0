import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from holdfast.clock import SystemClock
from holdfast.hub import outbox
from holdfast.hub.notify.sender import Means, Sender
from holdfast.hub.store.interface import Tx
from holdfast.model.alert import AlertPolicy
from holdfast.model.check import Severity
from holdfast.model.hub import HubSettings
from holdfast.model.message import Channel, Delivered, Message, Outcome, Refused, TryLater
from holdfast.model.service import Now

CLOCK = SystemClock()
WITHIN_S = 30.0
QUICK = AlertPolicy(group_wait=0.0, critical_group_wait=0.0)


class Post:
    """A sender over a database on disk, and channels that answer as a test wants."""

    def __init__(self, store: Any, *names: str) -> None:
        self.settings = HubSettings(policy=QUICK)
        for name in names:
            self.give(name, WITHIN_S)
        self.store = store
        self.news = asyncio.Event()
        self.sent: list[tuple[str, Message]] = []
        self.answers: dict[str, Callable[[], Outcome]] = {}
        self.sender = Sender(
            Means(
                store=store,
                send=self.send,
                now=self.now,
                settings=lambda: self.settings,
                news=self.news,
                owner="box/1",
                owners="box/",
            )
        )

    def give(self, name: str, seconds: float) -> None:
        """Let a channel take so long for its answer from now on."""
        made = Channel(name=name, url="file:///x", timeout=seconds)
        others = (each for each in self.settings.channels if each.name != name)
        self.settings = replace(self.settings, channels=(*others, made))

    def now(self) -> Now:
        return Now(wall=CLOCK.wall(), mono=0.0, boot_id="b", draw=0.0)

    def send(self, channel: Channel, message: Message) -> Outcome:
        self.sent.append((channel.name, message))
        return self.answers.get(channel.name, Delivered)()

    async def notice(self, key: str) -> None:
        """Queue something for every channel and say so."""

        def act(tx: Tx) -> None:
            outbox.enqueue_meta(
                tx,
                self.settings.channels,
                key=key,
                severity=Severity.WARNING,
                title=key,
                at=CLOCK.wall(),
            )

        await self.store.write(act)
        self.news.set()

    async def until(self, is_so: Callable[[outbox.Condition], bool]) -> None:
        """Wait until the outbox is so."""
        async with asyncio.timeout(WITHIN_S):
            while not is_so(await self.store.read(outbox.status)):  # noqa: ASYNC110 - a row tells nobody
                await asyncio.sleep(0.01)

    async def during(self, story: Coroutine[Any, Any, None]) -> None:
        """Let the sender run while something happens."""
        running = asyncio.get_running_loop().create_task(self.sender.run())
        try:
            await story
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def titles(self, name: str) -> list[str]:
        return [message.title for channel, message in self.sent if channel == name]


def test_what_is_queued_is_sent_in_order(store: Any) -> None:
    async def story() -> None:
        post = Post(store, "phone")

        async def act() -> None:
            for count, key in enumerate(("one", "two", "three"), start=1):
                await post.notice(key)
                await post.until(lambda so, count=count: so.delivered == count)  # type: ignore[misc]

        await post.during(act())
        assert post.titles("phone") == ["one", "two", "three"]

    asyncio.run(story())


def test_a_channel_that_hangs_holds_up_no_other_and_gets_no_second_try_meanwhile(
    store: Any,
) -> None:
    async def story() -> None:
        post = Post(store, "stuck", "phone")
        post.give("stuck", 0.2)
        free = threading.Event()
        post.answers["stuck"] = lambda: Delivered() if free.wait(WITHIN_S) else Refused(why="late")

        async def act() -> None:
            await post.notice("one")
            await post.until(lambda so: so.delivered == 1)
            await post.until(lambda so: any(each.failing_at for each in so.channels))
            assert post.titles("stuck") == ["one"]
            post.give("stuck", WITHIN_S)
            free.set()
            await post.until(lambda so: so.delivered == 2)

        await post.during(act())
        assert post.titles("stuck") == ["one", "one"]

    asyncio.run(story())


def test_a_message_that_failed_is_tried_again_under_its_key(store: Any) -> None:
    async def story() -> None:
        post = Post(store, "phone")
        answers: list[Outcome] = [TryLater(why="away"), Delivered()]
        post.answers["phone"] = lambda: answers.pop(0)

        async def act() -> None:
            await post.notice("one")
            await post.until(lambda so: so.delivered == 1)

        await post.during(act())
        (_name, first), (_again, second) = post.sent
        assert first == second

    asyncio.run(story())


def test_what_a_killed_sender_held_is_sent_at_once_by_the_next(store: Any) -> None:
    async def story() -> None:
        post = Post(store, "phone")
        await post.notice("one")

        def die(tx: Tx) -> None:
            outbox.batch(tx, post.settings, post.now())
            assert outbox.claim(tx, "box/0", post.settings.channels[0], post.now())

        await store.write(die)
        await post.during(_delivered(post, 1))
        assert post.titles("phone") == ["one"]

    asyncio.run(story())


def test_a_refused_message_is_reported_by_the_other_channel(store: Any) -> None:
    async def story() -> None:
        post = Post(store, "phone", "mail")
        post.answers["phone"] = lambda: Refused(why="gone")

        async def act() -> None:
            await post.notice("one")
            await post.until(lambda so: (so.dead, so.delivered) == (1, 2))

        await post.during(act())
        assert post.titles("mail") == ["one", "phone could not deliver: one"]

    asyncio.run(story())


async def _delivered(post: Post, count: int) -> None:
    await post.until(lambda so: so.delivered == count)
