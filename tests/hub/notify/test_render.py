import json

from holdfast.hub.notify import render
from holdfast.model.message import Message


def test_a_message_is_the_same_bytes_each_time(message: Message) -> None:
    first = render.payload(message)

    assert first == render.payload(message)
    shown = json.loads(first)
    assert list(shown) == ["key", "kind", "severity", "title", "body", "checks", "at"]
    assert shown["at"] == "2026-01-01T12:00:00.500Z"


def test_no_part_of_an_address_is_told() -> None:
    url = "slack://bot@T1JJ3T3L2/A1BRTD4JD/TIiajkdnl%20azkcOXrIdevi7FQ/#chan?format=text"
    text = f"failed {url}\n and A1BRTD4JD and TIiajkdnl azkcOXrIdevi7FQ"

    hidden = render.reason(text, url)

    assert "\n" not in hidden
    for part in ("T1JJ3T3L2", "A1BRTD4JD", "TIiajkdnl", "OXrIdevi"):
        assert part not in hidden
    assert hidden.startswith("failed ***")


def test_a_reason_has_an_end() -> None:
    assert len(render.reason("x" * 10_000)) == render.LONGEST_REASON


def test_the_host_of_an_address_may_be_told() -> None:
    cases = [
        ("https://u:p@hooks.example:8443/x", "hooks.example:8443"),
        ("https://hooks.example/x", "hooks.example"),
        ("https://[odd/x", "***"),
        ("https://host:99999/x", "***"),
    ]
    for url, wanted in cases:
        assert render.host_of(url) == wanted
