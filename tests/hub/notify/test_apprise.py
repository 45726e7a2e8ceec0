import json
import logging
from typing import Any

import pytest

from holdfast.clock import SystemClock
from holdfast.hub.notify import channel as channels
from holdfast.model.message import Channel, Delivered, Message, TryLater

# What Apprise imports is its own affair.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def send(url: str, message: Message) -> object:
    return channels.send(Channel(name="c", url=url), message, SystemClock())


def test_apprise_gets_title_and_body(sink: Any, message: Message) -> None:
    url = sink.url.replace("http://", "json://")

    assert send(f"{url}/T0KEN", message) == Delivered()

    path, _headers, body = sink.came[0]
    told = json.loads(body)
    assert path.startswith("/T0KEN")
    assert (told["title"], told["message"], told["type"]) == (
        message.title,
        message.body,
        "failure",
    )


def test_a_refusal_is_tried_again_and_names_no_token(
    sink: Any,
    message: Message,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    sink.answers.append((500, {}))
    url = sink.url.replace("http://", "json://user:passw0rd@")

    with caplog.at_level(logging.INFO):
        outcome = send(f"{url}/T0KEN", message)

    assert isinstance(outcome, TryLater)
    assert "500" in outcome.why
    told = outcome.why + caplog.text + "".join(capfd.readouterr())
    assert "T0KEN" not in told
    assert "passw0rd" not in told
