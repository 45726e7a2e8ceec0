import asyncio
from pathlib import Path

import pytest

from holdfast.clock import SystemClock
from holdfast.errors import StoreError
from holdfast.home import Home
from holdfast.hub import events, rounds
from holdfast.hub.parts import Parts
from holdfast.hub.rounds import Round, backoff, go_round
from holdfast.hub.store.interface import Store
from holdfast.model.hub import HubSettings


async def until(parts: Parts, work: Round, ended: asyncio.Event) -> None:
    """Go round until the work says that it has been done often enough."""
    task = asyncio.ensure_future(go_round(parts, work))
    async with asyncio.timeout(20):
        await ended.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def of(store: Store, home: Path) -> Parts:
    return Parts(
        home=Home(home),
        clock=SystemClock(),
        store=store,
        settings=HubSettings(machine="box"),
        ping_key="key",
    )


def told(store: Store) -> list[tuple[str, str]]:
    rows = asyncio.run(store.read(events.unforwarded))
    return [(row["kind"], row["facts"]["round"]) for row in rows]


def test_work_that_fails_is_told_once_tried_again_and_told_when_it_goes_well(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(rounds, "BACKOFF", (0.01, 0.01))
    parts, ended, tries = of(store, tmp_path), asyncio.Event(), list[int]()

    async def act() -> float | None:
        tries.append(len(tries))
        if len(tries) < 3:
            assert set(parts.condition.faults) <= {"sweep"}
            raise StoreError("the disk is full")
        if len(tries) == 4:
            ended.set()
        return 0.01

    asyncio.run(until(parts, Round(name="sweep", act=act), ended))

    assert parts.condition.faults == {}
    assert parts.condition.failures == {"sweep": 2}
    assert told(store) == [("hub.faltered", "sweep"), ("hub.recovered", "sweep")]
    assert "Traceback" not in capsys.readouterr().err


def test_a_fault_of_the_program_leaves_its_trace_and_ends_nothing(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(rounds, "BACKOFF", (0.01, 0.01))
    parts, ended, tries = of(store, tmp_path), asyncio.Event(), list[int]()

    async def act() -> float | None:
        tries.append(1)
        if len(tries) == 1:
            raise ZeroDivisionError
        ended.set()
        return None

    asyncio.run(until(parts, Round(name="probe", act=act), ended))

    assert "ZeroDivisionError" in capsys.readouterr().err


def test_work_without_an_end_counts_as_well_after_a_while(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "BACKOFF", (0.01, 0.01))
    monkeypatch.setattr(rounds, "MENDED_AFTER", 0.01)
    parts, ended, tries = of(store, tmp_path), asyncio.Event(), list[int]()

    async def act() -> float | None:
        tries.append(1)
        if len(tries) == 1:
            raise StoreError("the disk is full")
        while parts.condition.faults:  # noqa: ASYNC110 - nothing is set when a fault is taken back
            await asyncio.sleep(0)
        ended.set()
        await asyncio.Event().wait()
        return None

    asyncio.run(until(parts, Round(name="send", act=act, endless=True), ended))

    assert parts.condition.stuck == []


def test_work_is_done_at_once_when_somebody_rings(store: Store, tmp_path: Path) -> None:
    parts, ended, tries = of(store, tmp_path), asyncio.Event(), list[int]()
    bell = parts.bells.sweep

    def ring_or_end() -> None:
        (bell if len(tries) < 3 else ended).set()

    async def act() -> float | None:
        tries.append(1)
        asyncio.get_running_loop().call_soon(ring_or_end)
        return 3600.0

    asyncio.run(until(parts, Round(name="sweep", act=act, bell=bell, every=3600.0), ended))


def test_the_wait_after_failures_doubles_up_to_its_most() -> None:
    assert [backoff(failures) for failures in (1, 2, 3, 5, 6, 1000)] == [1, 2, 4, 16, 30, 30]
