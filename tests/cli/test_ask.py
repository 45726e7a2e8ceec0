import json
import os
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from holdfast import statefile
from holdfast.cli import ask
from holdfast.errors import NotRunning, Refused, UnknownName, UsageError
from holdfast.home import Home

if TYPE_CHECKING:
    from tests.cli.conftest import Hub


@pytest.fixture
def silent(home: Home) -> Iterator[socket.socket]:
    """Something that takes connections where the hub of this home was, and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        said = {"url": f"http://127.0.0.1:{server.getsockname()[1]}", "pid": os.getpid()}
        home.hub_address.write_text(json.dumps(said))
        home.token.write_text("hf_secret\n")
        yield server


def test_the_answer_of_the_hub_comes_back_as_it_is(hub: "Hub") -> None:
    assert ask.get("/checks") == []
    assert ask.get("/incidents", open=1, limit=None) == []
    made = ask.post("/checks/night/ping", {"create": True})
    assert made == {"name": "night", "outcome": "created", "severity": "ok"}


@pytest.mark.parametrize("said", ["", "{", "[]", '{"url": 5, "pid": 1}', '{"pid": 1}'])
def test_without_a_hub_it_says_how_to_start_one(home: Home, said: str) -> None:
    if said:
        home.hub_address.write_text(said)

    with pytest.raises(NotRunning, match="holdfast up"):
        ask.get("/checks")


def test_the_token_is_sent_to_nobody_who_took_the_port_of_a_hub_that_is_gone(
    home: Home, silent: socket.socket
) -> None:
    with pytest.raises(NotRunning, match="no hub is running"):
        ask.get("/checks")

    with statefile.hold(
        home.hub_db.with_suffix(".lock")
    ):  # another hub, which has not listened yet
        home.hub_address.write_text(home.hub_address.read_text().replace(str(os.getpid()), "1"))
        with pytest.raises(NotRunning, match="no hub is running"):
            ask.get("/checks")

    silent.setblocking(False)
    with pytest.raises(BlockingIOError):
        silent.accept()


def test_a_hub_that_does_not_answer_in_time_is_as_good_as_none(
    home: Home, silent: socket.socket
) -> None:
    is_held = statefile.hold(home.hub_db.with_suffix(".lock"))
    with is_held, pytest.raises(NotRunning, match=r"did not answer on .* within 0\.1 s"):
        ask.call("GET", "/checks", within=0.1)


def test_what_the_hub_refuses_is_the_error_of_the_command(hub: "Hub", home: Home) -> None:
    with pytest.raises(UnknownName, match="there is no check 'none'"):
        ask.get("/checks/none")
    with pytest.raises(UsageError, match="limit is 'x'"):
        ask.get("/events", limit="x")
    home.token.write_text("hf_wrong")
    with pytest.raises(Refused, match="needs a token that counts"):
        ask.get("/checks")


@pytest.mark.parametrize("content", [b"", b"two\nlines", b"\xff", b"\x7f"])
def test_a_file_that_holds_no_token_is_said(hub: "Hub", home: Home, content: bytes) -> None:
    home.token.write_bytes(content)

    with pytest.raises(Refused, match="token"):
        ask.get("/checks")


@pytest.mark.parametrize("name", ["a b", "ä", "a/b", "..", "\udcff", "a?b#c", "a\r\nb"])
def test_every_name_can_be_asked_for(hub: "Hub", name: str) -> None:
    with pytest.raises(UnknownName):
        ask.get(f"/checks/{ask.part(name)}")


def test_what_is_no_text_is_said_as_well_as_it_can_be(hub: "Hub") -> None:
    body: dict[str, Any] = {"create": True, "body": "a\udcffb"}
    ask.post("/checks/night/ping", body)

    assert ask.get("/checks/night")["pings"][0]["body"] == "a?b"
