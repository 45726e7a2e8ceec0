from dataclasses import replace
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8484", 200),
        ("[::1]:8484", 200),
        ("192.0.2.7", 200),
        ("localhost", 200),
        ("BOX:8484", 200),
        ("evil.example", 421),
        ("box.evil.example", 421),
        ("", 421),
        ("[", 421),
    ],
)
def test_only_a_host_of_its_own_is_answered(desk: Any, host: str, status: int) -> None:
    assert desk.ask("GET", "/healthz", headers={"host": host}).status == status


def test_a_proxy_in_front_sees_to_the_host(desk: Any) -> None:
    desk.parts.settings = replace(desk.parts.settings, behind_proxy=True)

    assert desk.ask("GET", "/healthz", headers={"host": "hub.example"}).status == 200


def test_a_ping_may_call_the_hub_by_any_name(desk: Any) -> None:
    assert (
        desk.ask("GET", f"/ping/{desk.parts.ping_key}/export", headers={"host": "any.name"}).status
        == 200
    )


def test_every_answer_is_dated_and_shut_against_frames_and_caches(desk: Any) -> None:
    for path in ("/healthz", "/nowhere", "/api/v1/checks"):
        headers = desk.ask("GET", path).headers
        assert headers["date"].endswith("GMT")
        assert headers["cache-control"] == "no-store"
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


def test_a_name_the_configuration_gives_the_hub_is_its_own(desk: Any) -> None:
    assert desk.ask("GET", "/healthz", headers={"host": "hub.example"}).status == 421

    desk.parts.settings = replace(desk.parts.settings, hosts=("Hub.Example",))

    for host in ("hub.example", "HUB.example.:443"):
        assert desk.ask("GET", "/healthz", headers={"host": host}).status == 200
    assert desk.ask("GET", "/healthz", headers={"host": "x.hub.example"}).status == 421
