from pathlib import Path

import pytest

from holdfast.clock import SystemClock
from holdfast.hub.notify import channel as channels
from holdfast.model.message import Channel, Delivered, Message, Refused

# What Apprise imports is its own affair.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

send = channels.sending_by(SystemClock())


def test_an_address_may_stand_in_a_file(message: Message, tmp_path: Path) -> None:
    target, secret = tmp_path / "told", tmp_path / "url"
    secret.write_text(f"file://{target}\n", encoding="utf-8")

    assert send(Channel(name="c", url_file=str(secret)), message) == Delivered()
    assert target.exists()


def test_an_address_that_leads_nowhere_is_refused_in_words(
    message: Message, tmp_path: Path
) -> None:
    odd = tmp_path / "odd"
    odd.write_bytes(b"\xff\xfe")
    cases = [
        (Channel(name="c"), "it has no address: give it a url, a url_file or a command"),
        (Channel(name="c", url_file=str(tmp_path / "none")), "No such file or directory"),
        (Channel(name="c", url_file=str(odd)), "it is not text"),
        (Channel(name="c", url="nosuch://T0KEN/x"), "Apprise knows no such nosuch address"),
    ]
    for channel, words in cases:
        outcome = send(channel, message)
        assert isinstance(outcome, Refused)
        assert words in outcome.why
        assert "T0KEN" not in outcome.why
