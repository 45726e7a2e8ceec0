"""The hub's HTTP application without a server: one request at a time, in this process."""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest

from holdfast.clock import SystemClock
from holdfast.home import Home
from holdfast.hub import access, keys
from holdfast.hub.access import Scope
from holdfast.hub.parts import Parts
from holdfast.hub.store.interface import Tx
from holdfast.hub.store.sqlite import SqliteStore
from holdfast.hub.web.api import application
from holdfast.model.check import CheckKind, CheckSpec
from holdfast.model.hub import HubSettings

T = TypeVar("T")

KEY = "key-of-this-home"


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Desk:
    """A hub's application and what stands behind it."""

    parts: Parts
    secrets: dict[str, str] = field(default_factory=dict)

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: bytes = b"",
        json_: object = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """Make one request; `token` names one of the tokens, by its scope."""
        content = json.dumps(json_).encode() if json_ is not None else body
        given = {"host": "127.0.0.1:8484", "content-length": str(len(content)), **(headers or {})}
        if token is not None:
            given["authorization"] = f"Bearer {self.secrets.get(token, token)}"
        route, _, query = path.partition("?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": route,
            "raw_path": route.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "scheme": "http",
            "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8484),
        }
        return asyncio.run(self._answer(scope, content))

    async def _answer(self, scope: dict[str, Any], content: bytes) -> Reply:
        told: list[Any] = []
        parts = [content[at : at + 65536] for at in range(0, len(content), 65536)] or [b""]

        async def receive() -> dict[str, Any]:
            body = parts.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(parts)}

        async def send(message: Any) -> None:
            told.append(message)

        await application(self.parts)(scope, receive, send)
        start, *rest = told
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return Reply(start["status"], headers, b"".join(each.get("body", b"") for each in rest))

    def write(self, act: Callable[[Tx], T]) -> T:
        return asyncio.run(self.parts.store.write(act))

    def checks(self) -> dict[str, Any]:
        return {row["name"]: row for row in self.ask("GET", "/api/v1/checks", token="read").json}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An application with one token for each scope, and one check of each way to take evidence."""
    clock = SystemClock()
    store = SqliteStore(tmp_path / "hub.db", clock)
    asyncio.run(store.open())
    settings = HubSettings(
        machine="box",
        checks=(
            CheckSpec(name="export", kind=CheckKind.PING, period=3600.0, grace=60.0),
            CheckSpec(name="home", kind=CheckKind.BACKUP),
        ),
    )
    parts = Parts(home=Home(tmp_path), clock=clock, store=store, settings=settings, ping_key=KEY)
    parts.condition.url = "http://127.0.0.1:8484"
    made = Desk(parts)
    made.write(lambda tx: _furnish(tx, made))
    yield made
    asyncio.run(store.close())


def _furnish(tx: Tx, desk: Desk) -> None:
    from holdfast.hub import checks

    settings, now = desk.parts.settings, desk.parts.now()
    checks.sync(tx, settings.checks, settings.policy, now)
    for scope in Scope:
        desk.secrets[scope.value] = keys.new_secret()
        access.create(tx, desk.secrets[scope.value], now, name=scope.value, scopes=[scope])
