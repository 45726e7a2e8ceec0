import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from holdfast.clock import Clock, SystemClock
from holdfast.home import Home
from holdfast.hub import check, checks, probing, views
from holdfast.hub.check import Check
from holdfast.hub.parts import Parts
from holdfast.hub.probing import Probing
from holdfast.hub.store.interface import Store
from holdfast.model.check import CheckKind, CheckSpec, Evidence, Observation
from holdfast.model.hub import HubSettings

MANY = probing.MOST_AT_ONCE + 5


async def settle(parts: Parts, count: int) -> None:
    specs = [
        CheckSpec(name=f"site-{n}", kind=CheckKind.HTTP, target=("http://x/",), period=3600.0)
        for n in range(count)
    ]
    now, policy = parts.now(), parts.settings.policy
    await parts.store.write(lambda tx: checks.sync(tx, specs, policy, now))


def run(store: Store, home: Path, act: Callable[[Parts], Awaitable[None]]) -> None:
    parts = Parts(
        home=Home(home),
        clock=SystemClock(),
        store=store,
        settings=HubSettings(machine="box"),
        ping_key="key",
    )
    asyncio.run(asyncio.wait_for(act(parts), 30))


def test_every_check_that_is_due_is_probed_and_only_so_many_at_once(
    store: Store, tmp_path: Path
) -> None:
    under_way, most, done = 0, 0, list[str]()

    async def probe(spec: CheckSpec, clock: Clock) -> Observation:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        done.append(spec.name)
        return Observation(at=clock.wall(), failure="it answered with 500")

    async def act(parts: Parts) -> None:
        await settle(parts, MANY)
        made = Probing(parts, probe)
        while (rest := await made.act()) is None:
            await parts.bells.probes.wait()
            parts.bells.probes.clear()
        assert 3000 < rest <= 3600
        rows = await parts.store.read(
            lambda tx: views.checks(tx, parts.settings.policy, parts.now())
        )
        assert {row["severity"] for row in rows} == {"critical"}
        assert parts.bells.sweep.is_set()

    run(store, tmp_path, act)

    assert sorted(done) == sorted(f"site-{n}" for n in range(MANY))
    assert most == probing.MOST_AT_ONCE


def test_a_probe_that_is_broken_off_is_due_again(store: Store, tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def probe(spec: CheckSpec, clock: Clock) -> Observation:
        begun.set()
        await asyncio.Event().wait()
        return Observation(at=clock.wall())

    async def act(parts: Parts) -> None:
        await settle(parts, 1)
        first = Probing(parts, probe)
        assert await first.act() is None
        await begun.wait()
        await first.finish()
        begun.clear()

        second = Probing(parts, probe)
        await second.act()
        await begun.wait()
        await second.finish()

    run(store, tmp_path, act)


def test_a_probe_that_cannot_be_written_down_holds_up_no_other(
    store: Store, tmp_path: Path
) -> None:
    done = list[str]()

    async def probe(spec: CheckSpec, clock: Clock) -> Observation:
        if spec.name == "site-0":
            raise ZeroDivisionError
        done.append(spec.name)
        return Observation(at=clock.wall(), covered_at=clock.wall())

    async def act(parts: Parts) -> None:
        await settle(parts, MANY)
        made, failures = Probing(parts, probe), 0
        while len(done) < MANY - 1:
            try:
                await made.act()
            except ZeroDivisionError:
                failures += 1
            await parts.bells.probes.wait()
            parts.bells.probes.clear()
        await made.finish()
        assert failures >= 1

    run(store, tmp_path, act)
    assert len(set(done)) == MANY - 1


def test_a_file_is_looked_at_every_minute_however_seldom_it_is_written() -> None:
    def looked_at_after(kind: CheckKind, period: float | None) -> float | None:
        spec = CheckSpec(name="x", kind=kind, period=period)
        made = Check(id=1, uuid="u", spec=spec, evidence=Evidence(first_seen_at=0.0))
        return check.probe_after(made, 0.0)

    assert looked_at_after(CheckKind.FILE, 86_400.0) == 60.0
    assert looked_at_after(CheckKind.FILE, 5.0) == 5.0
    assert looked_at_after(CheckKind.FILE, None) == 60.0
    assert looked_at_after(CheckKind.HTTP, 86_400.0) == 86_400.0
