import hashlib
import hmac
import json
import socket
from base64 import b64encode
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from holdfast.clock import SystemClock
from holdfast.hub.notify import channel as channels
from holdfast.model.message import Channel, Delivered, Message, Outcome, Refused, TryLater

CLOCK = SystemClock()


def posted(url: str, message: Message, **more: Any) -> Outcome:
    return channels.send(Channel(name="hook", url=f"webhook+{url}", **more), message, CLOCK)


def test_a_message_is_posted_as_json_with_its_key_and_signature(
    sink: Any, message: Message, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"s3cret\n")

    assert posted(f"{sink.url}/in?x=1", message, secret_file=str(secret)) == Delivered()
    assert posted(f"{sink.url}/in", message) == Delivered()

    (path, headers, body), (_path, unsigned, again) = sink.came
    assert path == "/in?x=1"
    assert body == again
    assert headers["idempotency-key"] == message.key
    wanted = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert headers["x-holdfast-signature"] == f"sha256={wanted}"
    assert "x-holdfast-signature" not in unsigned
    assert json.loads(body) == {
        "key": message.key,
        "kind": "open",
        "severity": "critical",
        "title": message.title,
        "body": message.body,
        "checks": ["a"],
        "at": "2026-01-01T12:00:00.500Z",
    }


def test_a_login_in_the_address_is_sent_as_one(sink: Any, message: Message) -> None:
    address = sink.url.replace("http://", "http://ann:p%40ss@")

    assert posted(address, message) == Delivered()

    ((_path, headers, _body),) = sink.came
    assert headers["authorization"] == f"Basic {b64encode(b'ann:p@ss').decode()}"


def test_the_answer_decides_whether_it_is_tried_again(sink: Any, message: Message) -> None:
    cases: list[tuple[int, type[Outcome]]] = [
        (204, Delivered),
        (302, Refused),
        (400, Refused),
        (401, Refused),
        (408, TryLater),
        (425, TryLater),
        (429, TryLater),
        (500, TryLater),
        (599, TryLater),
    ]
    for status, kind in cases:
        sink.answers.append((status, {"Location": f"{sink.url}/elsewhere"}))
        assert isinstance(posted(sink.url, message), kind), status
    assert len(sink.came) == len(cases), "redirects are not followed"


def test_the_wait_the_other_side_asks_for_is_understood(sink: Any, message: Message) -> None:
    soon = format_datetime(datetime.fromtimestamp(CLOCK.wall() + 100, UTC), usegmt=True)
    for text, least, most in [
        ("120", 120, 120),
        (soon, 80, 101),
        ("-5", None, None),
        ("x", None, None),
    ]:
        sink.answers.append((503, {"Retry-After": text}))
        outcome = posted(sink.url, message)
        assert isinstance(outcome, TryLater)
        if least is None or most is None:
            assert outcome.after is None
        else:
            assert outcome.after is not None
            assert least <= outcome.after <= most


def test_nothing_of_an_address_but_its_host_is_told(message: Message) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{unused.getsockname()[1]}"
        outcome = posted(
            f"http://user:passw0rd@{host}/hooks/T0KEN?key=S3CRET", message, timeout=5.0
        )

    assert isinstance(outcome, TryLater)
    assert host in outcome.why
    assert not outcome.may_have_arrived
    assert not any(part in outcome.why for part in ("T0KEN", "S3CRET", "passw0rd"))


def test_a_server_that_does_not_answer_costs_its_timeout(message: Message) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        outcome = posted(url, message, timeout=1.0)
        assert isinstance(outcome, TryLater)
        assert outcome.may_have_arrived


def test_a_key_that_cannot_be_read_is_refused(sink: Any, message: Message, tmp_path: Path) -> None:
    outcome = posted(sink.url, message, secret_file=str(tmp_path / "none"))

    assert isinstance(outcome, Refused)
    assert "cannot be read" in outcome.why
    assert not sink.came
