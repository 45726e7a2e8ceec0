import re
from pathlib import Path
from typing import Any

import pytest

from holdfast.hub import outbox
from holdfast.hub.access import Scope
from holdfast.hub.web import status
from holdfast.hub.web.api import calls

API = "/api/v1"
REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "http.md"


def filled(path: str) -> str:
    return path.replace("{name}", "export").replace("{check}", "export").replace("{id}", "1")


@pytest.mark.parametrize("call", calls(), ids=lambda call: f"{call.method} {call.path}")
def test_each_call_is_for_its_scope_and_for_admins(desk: Any, call: object) -> None:
    from holdfast.hub.web.asked import Call

    assert isinstance(call, Call)
    path = filled(call.path)
    if call.scope is None:
        assert desk.ask(call.method, path).status == 200
        return
    without = desk.ask(call.method, path)
    assert without.status == 401
    assert without.headers["www-authenticate"] == "Bearer"
    assert without.headers["content-type"] == "application/problem+json"
    assert desk.ask(call.method, path, token="hf_wrong").status == 401
    for scope in Scope:
        is_refused = desk.ask(call.method, path, token=scope.value).status in (401, 403)
        assert is_refused is (scope not in (call.scope, Scope.ADMIN)), scope


def test_a_check_is_pinged_paused_resumed_and_removed(desk: Any) -> None:
    made = desk.ask("POST", f"{API}/checks/new/ping", token="ping", json_={"create": True})
    assert made.json == {"name": "new", "outcome": "created", "severity": "ok"}
    failed = desk.ask(
        "POST", f"{API}/checks/new/ping", token="ping", json_={"signal": "fail", "exit_code": 2}
    )
    assert failed.json["severity"] == "critical"

    assert desk.ask("POST", f"{API}/checks/new/pause", token="admin").json["paused"] is True
    assert desk.checks()["new"]["paused"] is True
    assert desk.ask("POST", f"{API}/checks/new/resume", token="admin").json["paused"] is False
    assert desk.ask("DELETE", f"{API}/checks/new", token="admin").status == 200
    assert "new" not in desk.checks()


def test_what_cannot_be_done_is_a_problem_with_its_reason(desk: Any) -> None:
    for method, path, body, status_, word in (
        ("GET", "/checks/nobody", None, 404, "nobody"),
        ("DELETE", "/checks/export", None, 409, "configuration"),
        ("POST", "/checks/home/ping", {}, 409, "takes no pings"),
        ("POST", "/checks/nobody/ping", {}, 404, "nobody"),
        ("POST", "/checks/!/ping", {}, 400, "cannot name a check"),
        ("POST", "/checks/export/ping", {"signal": "yes"}, 400, "yes"),
        ("POST", "/checks/export/ping", {"exit_code": 256}, 400, "256"),
        ("POST", "/checks/export/ping", {"exitcode": 1}, 400, "exitcode"),
        ("POST", "/incidents/export/acknowledge", {"by": "ann"}, 409, "no open incident"),
        ("POST", "/silences", {"pattern": "*"}, 400, "end"),
        ("POST", "/silences", {"pattern": "*", "until": "noon"}, 400, "until"),
        ("DELETE", "/silences/7", None, 404, "7"),
        ("DELETE", "/silences/x", None, 400, "id"),
        ("GET", "/events?limit=-1", None, 400, "limit"),
        ("GET", "/checks?all=1", None, 400, "all"),
        ("POST", "/notifications/test", {}, 404, "channel"),
        ("POST", "/tokens", {"name": "t", "scopes": []}, 400, "scope"),
        ("GET", "/nowhere", None, 404, "/api/v1/nowhere"),
        ("PUT", "/checks", None, 405, "PUT"),
    ):
        reply = desk.ask(method, API + path, token="admin", json_=body)
        assert reply.status == status_, (path, reply.text)
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json["status"] == status_
        assert word in reply.json["detail"], (path, reply.text)


def test_a_body_beyond_1_mb_is_refused(desk: Any) -> None:
    reply = desk.ask("POST", f"{API}/silences", token="admin", body=b" " * 1_000_001)

    assert reply.status == 413


def test_a_silence_is_made_listed_and_ended(desk: Any) -> None:
    made = desk.ask(
        "POST", f"{API}/silences", token="admin", json_={"pattern": "exp*", "for_s": 60.0}
    )
    assert (made.status, made.json["by"]) == (201, "admin")

    listed = desk.ask("GET", f"{API}/silences", token="read").json
    assert [row["pattern"] for row in listed] == ["exp*"]

    assert desk.ask("DELETE", f"{API}/silences/{made.json['id']}", token="admin").status == 200
    assert desk.ask("GET", f"{API}/silences", token="read").json == []


def test_a_token_shows_its_secret_once_and_ends_when_revoked(desk: Any) -> None:
    made = desk.ask(
        "POST", f"{API}/tokens", token="admin", json_={"name": "probe", "scopes": ["read"]}
    ).json
    secret = made.pop("secret")
    assert desk.ask("GET", f"{API}/checks", token=secret).status == 200
    assert made in desk.ask("GET", f"{API}/tokens", token="admin").json

    desk.ask("DELETE", f"{API}/tokens/{made['id']}", token="admin")

    assert desk.ask("GET", f"{API}/checks", token=secret).status == 401


def test_a_test_message_that_nobody_sends_is_shown_as_waiting(desk: Any) -> None:
    from dataclasses import replace

    from holdfast.model.message import Channel

    channels = (Channel(name="pager", url="webhook+http://127.0.0.1:1/"),)
    desk.parts.settings = replace(desk.parts.settings, channels=channels)

    rows = desk.ask("POST", f"{API}/notifications/test", token="admin", json_={}).json

    assert rows == [{"channel": "pager", "state": "pending", "last_error": ""}]
    assert desk.parts.bells.outbox.is_set()
    assert desk.write(outbox.status).loose == 1


def test_readiness_says_what_keeps_people_from_being_told(desk: Any) -> None:
    assert desk.ask("GET", "/readyz").status == 200
    desk.parts.condition.faults["dead man"] = "no answer"
    assert desk.ask("GET", "/readyz").status == 200

    desk.parts.condition.faults["send"] = "the disk is full"

    reply = desk.ask("GET", "/readyz")
    assert (reply.status, reply.text) == (503, "not ready: send\n")


def test_every_metric_is_given_with_its_meaning(desk: Any) -> None:
    desk.parts.condition.swept_mono = desk.parts.clock.monotonic()
    text = desk.ask("GET", "/metrics", token="read").text

    assert set(re.findall(r"# TYPE (\w+)", text)) == set(status.METRICS)
    assert 'holdfast_checks{severity="ok"} 2' in text


def test_the_status_is_shown_without_a_supervisor_too(desk: Any) -> None:
    found = desk.ask("GET", f"{API}/status", token="read").json

    assert found["supervisor"]["state"] == "gone"
    assert found["hub"]["url"] == "http://127.0.0.1:8484"
    assert found["summary"]["counts"]["ok"] == 2


def test_the_description_names_every_call_and_body(desk: Any) -> None:
    described = desk.ask("GET", "/api/openapi.json").json

    named = {(method.upper(), path) for path, of in described["paths"].items() for method in of}
    assert named == {(call.method, call.path) for call in calls()}
    bodies = {call.body.__name__ for call in calls() if call.body}
    assert bodies <= set(described["components"]["schemas"])


def test_the_reference_names_every_call_and_metric() -> None:
    text = REFERENCE.read_text(encoding="utf-8")

    for call in calls():
        assert f"`{call.method} {call.path.removeprefix(API)}`" in text, call.path
        for word in call.query:
            assert f"`{word}" in text, (call.path, word)
    for metric in status.METRICS:
        assert f"`{metric}" in text, metric


def test_a_span_that_no_year_can_be_written_for_is_refused_and_spoils_no_list(desk: Any) -> None:
    asked = (
        ("/silences", {"pattern": "*", "for_s": 1e18}),
        ("/tokens", {"name": "x", "scopes": ["read"], "for_s": 1e18}),
        ("/tokens", {"name": "x", "scopes": ["read"], "for_s": 0}),
        ("/tokens", {"name": "", "scopes": ["read"]}),
        ("/tokens", {"name": "two\nlines", "scopes": ["read"]}),
        ("/checks/export/ping", {"rid": "a\0b"}),
    )
    for path, body in asked:
        assert desk.ask("POST", f"/api/v1{path}", token="admin", json_=body).status == 400, path
    for path in ("/silences", "/tokens"):
        assert desk.ask("GET", f"/api/v1{path}", token="admin").status == 200
