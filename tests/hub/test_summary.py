import asyncio
import json
from pathlib import Path

import pytest

from holdfast.clock import SystemClock
from holdfast.home import Home
from holdfast.hub import checks, summary
from holdfast.hub.parts import Parts
from holdfast.hub.store.interface import Store
from holdfast.hub.summary import Summary
from holdfast.model.check import CheckKind, CheckSpec
from holdfast.model.hub import HubSettings


def test_the_file_says_how_checks_do_and_changes_only_with_them(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "LEAST_PAUSE", 0.0)
    monkeypatch.setattr(summary, "SHARE", 0.0)
    parts = Parts(
        home=Home(tmp_path),
        clock=SystemClock(),
        store=store,
        settings=HubSettings(machine="box"),
        ping_key="key",
    )
    spec = CheckSpec(name="export", kind=CheckKind.PING, period=60.0)
    now, policy = parts.now(), parts.settings.policy
    asyncio.run(store.write(lambda tx: checks.sync(tx, [spec], policy, now)))
    left, path = Summary(parts), parts.home.checks_summary

    asyncio.run(left.act())
    [row] = json.loads(path.read_text())
    assert (row["name"], row["severity"]) == ("export", "ok")
    assert "age_s" not in row
    assert path.stat().st_mode & 0o777 == 0o600

    before = path.stat()
    asyncio.run(left.act())
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    asyncio.run(store.write(lambda tx: checks.pause(tx, "export", parts.now())))
    asyncio.run(left.act())
    assert json.loads(path.read_text())[0]["paused"] is True
