import uuid
from pathlib import Path
from typing import Any

import pytest

from holdfast.errors import StoreError

RUN = "12345678-1234-4234-8234-123456789abc"


def address(desk: Any) -> str:
    url: str = desk.checks()["export"]["ping_url"]
    return url.removeprefix("http://127.0.0.1:8484")


def pings(desk: Any, name: str = "export") -> list[dict[str, object]]:
    found: list[dict[str, object]] = desk.ask("GET", f"/api/v1/checks/{name}", token="read").json[
        "pings"
    ]
    return found


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_a_ping_is_taken_by_every_method_its_clients_use(desk: Any, method: str) -> None:
    reply = desk.ask(method, address(desk))

    assert (reply.status, reply.text) == (200, "" if method == "HEAD" else "OK")
    assert reply.headers["content-length"] == "2"
    assert reply.headers["ping-body-limit"] == "10000"
    assert [row["method"] for row in pings(desk)] == [method]


def test_each_ending_of_the_address_says_what_healthchecks_says(desk: Any) -> None:
    where = address(desk)

    for ending in ("/start", "/log", "/fail", "/0", "/3", "/255", "/"):
        assert desk.ask("GET", f"{where}{ending}?rid={RUN}").text == "OK", ending

    told = [(row["signal"], row["exit_code"], row["run"]) for row in reversed(pings(desk))]
    assert told == [
        ("start", None, RUN),
        ("log", None, RUN),
        ("fail", None, RUN),
        ("success", 0, RUN),
        ("fail", 3, RUN),
        ("fail", 255, RUN),
        ("success", None, RUN),
    ]


def test_a_check_is_found_by_key_and_slug_and_made_when_asked(desk: Any) -> None:
    assert desk.ask("GET", f"/ping/{desk.parts.ping_key}/export/start").status == 200
    assert desk.ask("GET", f"/ping/{desk.parts.ping_key}/new").status == 404
    assert desk.ask("GET", f"/ping/{desk.parts.ping_key}/new?create=0").status == 404

    made, again = (desk.ask("GET", f"/ping/{desk.parts.ping_key}/new?create=1") for _ in range(2))

    assert (made.status, made.text) == (201, "Created")
    assert (again.status, again.text) == (200, "OK")
    assert desk.checks()["new"]["origin"] == "client"


def test_what_is_no_ping_changes_nothing(desk: Any) -> None:
    where = address(desk)
    for method, path, status, text in (
        ("GET", f"/ping/{uuid.uuid4()}", 404, "not found"),
        ("GET", "/ping/wrong-key/export", 404, "not found"),
        ("GET", "/ping/wrong-key/other?create=1", 404, "not found"),
        ("GET", f"/ping/schlüssel/{desk.parts.ping_key}", 404, "not found"),
        ("GET", f"{where}/other", 404, "not found"),
        ("GET", f"{where}/256", 400, "invalid url format"),
        ("GET", f"{where}?rid=7", 400, "invalid uuid format"),
        (
            "GET",
            f"/ping/{desk.parts.ping_key}/%21?create=1".replace("%21", "!"),
            400,
            "invalid slug",
        ),
        ("GET", f"/ping/{desk.parts.ping_key}/home", 409, "goes by what Holdfast finds"),
        ("DELETE", where, 405, "a ping is a GET, POST or HEAD"),
    ):
        reply = desk.ask(method, path)
        assert (reply.status, text in reply.text) == (status, True), path

    assert pings(desk) == []
    assert set(desk.checks()) == {"export", "home"}


def test_the_first_10_kb_of_a_body_are_kept(desk: Any) -> None:
    assert desk.ask("POST", address(desk), body=b"x" * 300_000).status == 200
    assert desk.ask("POST", address(desk), body=b"\xff ok").status == 200
    assert desk.ask("POST", address(desk), body=b"x" * 1_000_001).status == 413

    assert [len(str(row["body"])) for row in pings(desk)] == [4, 10_000]


def test_a_ping_is_asked_for_again_while_the_database_is_away(desk: Any, tmp_path: Path) -> None:
    where = address(desk)

    class Away:
        async def write(self, act: object) -> None:
            raise StoreError("the disk is full")

    desk.parts.store = Away()

    reply = desk.ask("GET", where)

    assert (reply.status, reply.headers["retry-after"]) == (503, "5")


def test_a_failure_wakes_the_sweep_and_a_success_does_not(desk: Any) -> None:
    where, bells = address(desk), desk.parts.bells

    desk.ask("GET", where)
    assert not bells.sweep.is_set()

    desk.ask("GET", f"{where}/fail")
    assert bells.sweep.is_set()
    assert bells.summary.is_set()
