"""Other people's clients against the ping addresses: curl, borgmatic's hook for Healthchecks, and our own commands."""

import json
import shutil
import stat
import subprocess
import sys
import urllib.request
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if sys.platform == "win32":
    pytest.skip("these tests use POSIX processes", allow_module_level=True)

if TYPE_CHECKING:
    from tests.conftest import Machine

BORGMATIC = shutil.which(
    "borgmatic", path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin"
)

RUN = "9a1c4b1e-7f0b-4d0e-8f52-2d4c36c5f0aa"
OTHER_RUN = "0b5e2a55-3c3c-4c1a-9d0f-4f7c3b1f6b11"

CONFIG = """
    [machine]
    name = "box"
    [hub]
    listen = "127.0.0.1:0"
    [alerts]
    evaluate_every = "1s"
    group_wait = "50ms"
    critical_group_wait = "50ms"
    [notify.lines]
    url = "file://{lines}"
    checks = ["export", "nightly", "box-archive"]
    [check.export]
    kind = "ping"
    period = "1d"
"""

BORG = """#!/bin/sh
# Stands for borg, which costs borgmatic a compiler; what speaks to the hub is borgmatic itself.
case "$*" in
    *--version*) echo "borg 1.4.1" ;;
    *) [ -e "$0.broken" ] && { echo "the disk is on fire" >&2; exit 2; } ;;
esac
exit 0
"""


@pytest.fixture
def machine(machine: "Machine") -> "Machine":
    """Return a machine with one check that is pinged, and a file in which everything told stands."""
    machine.config(CONFIG.format(lines=machine.root / "lines.jsonl"))
    machine.has_hub = True
    return machine


def hub_url(machine: "Machine") -> str:
    url = json.loads((machine.home / "hub.json").read_text())["url"]
    assert isinstance(url, str)
    return url


def asked(machine: "Machine", path: str) -> Any:
    token = (machine.home / "token").read_text().strip()
    request = urllib.request.Request(
        f"{hub_url(machine)}/api/v1{path}", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def check(machine: "Machine", name: str) -> dict[str, Any]:
    """Return a check as the command tells it."""
    (row,) = json.loads(machine.holdfast("checks", name, "--json").stdout)
    found: dict[str, Any] = row
    return found


def pings(machine: "Machine", name: str) -> list[dict[str, Any]]:
    """Return the pings of a check, oldest first."""
    found: list[dict[str, Any]] = asked(machine, f"/checks/{name}")["pings"]
    return found[::-1]


def said(machine: "Machine", name: str) -> list[tuple[str, int | None]]:
    return [(row["signal"], row["exit_code"]) for row in pings(machine, name)]


def told(machine: "Machine") -> list[str]:
    """Return the titles of what was told, oldest first; the line that is being written is not among them."""
    path = machine.root / "lines.jsonl"
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
    return [json.loads(line)["title"] for line in lines]


def curl(*words: str) -> tuple[int, str]:
    """Run curl as a crontab would, and return the status and the body it got."""
    done = subprocess.run(
        ["curl", "-sS", "-m", "10", "-w", "\n%{http_code}", *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    text, _, status = done.stdout.rpartition("\n")
    return int(status), text


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_says_everything_a_client_of_healthchecks_can_say(
    machine: "Machine", tmp_path: Path
) -> None:
    machine.up()
    url = check(machine, "export")["ping_url"]
    key = (machine.home / "ping-key").read_text().strip()
    by_name = f"{hub_url(machine)}/ping/{key}"
    long = tmp_path / "long"
    long.write_text("x" * 12_000)

    for words, answer in (
        ((url,), (200, "OK")),
        ((f"{url}/start?rid={RUN}",), (200, "OK")),
        (("-I", "-o", str(tmp_path / "head"), f"{url}/start?rid={OTHER_RUN}"), (200, "")),
        (("-d", "done: 7 files", f"{url}?rid={RUN}"), (200, "OK")),
        (("--data-raw", "just so you know", f"{url}/log"), (200, "OK")),
        (("--data-binary", f"@{long}", f"{url}/0"), (200, "OK")),
        ((f"{by_name}/export/3",), (200, "OK")),
        ((f"{by_name}/Box%20Archive/start?create=1",), (201, "Created")),
        ((f"{by_name}/box-archive",), (200, "OK")),
        (("-d", "no space left", f"{by_name}/box-archive/fail"), (200, "OK")),
        ((f"{by_name}/nobody",), (404, "not found")),
        ((f"{hub_url(machine)}/ping/{'x' * 22}/export",), (404, "not found")),
        ((f"{hub_url(machine)}/ping/{uuid.uuid4()}",), (404, "not found")),
        ((f"{url}/256",), (400, "invalid url format")),
        ((f"{url}?rid=seven",), (400, "invalid uuid format")),
        (("-X", "PUT", "-d", "x", url), (405, "a ping is a GET, POST or HEAD")),
    ):
        assert curl(*words) == answer, words

    assert b"ping-body-limit: 10000" in (tmp_path / "head").read_bytes().lower()
    rows = pings(machine, "export")
    assert said(machine, "export") == [
        ("success", None),
        ("start", None),
        ("start", None),
        ("success", None),
        ("log", None),
        ("success", 0),
        ("fail", 3),
    ]
    assert [row["run"] for row in rows[:4]] == ["", RUN, OTHER_RUN, RUN]
    assert [row["method"] for row in rows[:5]] == ["GET", "GET", "HEAD", "POST", "POST"]
    assert rows[3]["body"] == "done: 7 files"
    assert len(rows[5]["body"]) == 10_000
    assert all(row["agent"].startswith("curl/") for row in rows)
    assert said(machine, "box-archive") == [("start", None), ("success", None), ("fail", None)]

    failed = check(machine, "export")
    assert (failed["severity"], failed["why"]) == ("critical", "it ended with exit code 3")
    assert failed["last_success_at"] is not None
    machine.await_(lambda: sum("failed" in title for title in told(machine)) >= 1)
    curl(url)
    curl(f"{by_name}/box-archive")
    machine.await_(lambda: any("RESOLVED" in title for title in told(machine)))
    assert check(machine, "export")["severity"] == "ok"


@pytest.mark.skipif(BORGMATIC is None, reason="borgmatic is not installed")
def test_borgmatic_tells_start_success_and_failure_by_its_hook_for_healthchecks(
    machine: "Machine",
) -> None:
    assert BORGMATIC is not None
    machine.up()
    borg = machine.root / "borg"
    borg.write_text(BORG)
    borg.chmod(borg.stat().st_mode | stat.S_IXUSR)
    (machine.root / "source").mkdir()
    key = (machine.home / "ping-key").read_text().strip()
    config = machine.root / "borgmatic.yaml"

    def borgmatic(address: str, *, code: int, more: str = "") -> None:
        config.write_text(
            f"source_directories: [{machine.root}/source]\n"
            f"repositories: [{{path: {machine.root}/repository}}]\n"
            f"local_path: {borg}\n"
            f"user_runtime_directory: {machine.root}\n"
            f"user_state_directory: {machine.root}/state\n"
            "healthchecks:\n"
            f"    ping_url: {address}\n"
            "    send_logs: true\n"
            f"    ping_body_limit: 10000\n{more}"
        )
        done = subprocess.run(
            [BORGMATIC, "create", "-c", str(config), "-v", "1", "--no-color"],
            env={**machine.env, "TMPDIR": str(machine.root)},
            cwd=machine.root,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Healthchecks error" not in done.stdout + done.stderr

    address = f"{hub_url(machine)}/ping/{key}/box-archive"
    borgmatic(address, code=0, more="    create_slug: true\n")
    done = check(machine, "box-archive")
    assert (done["severity"], done["origin"], done["started_at"]) == ("ok", "client", None)
    assert done["last_success_at"] is not None
    assert done["duration_s"] is not None

    (machine.root / "borg.broken").touch()
    borgmatic(done["ping_url"], code=1)
    failed = check(machine, "box-archive")
    assert failed["severity"] == "critical"
    assert failed["last_success_at"] == done["last_success_at"]
    assert said(machine, "box-archive") == [
        *(("start", None), ("log", None), ("success", None)),
        *(("start", None), ("log", None), ("fail", None)),
    ]
    last = pings(machine, "box-archive")[-1]
    assert (last["method"], last["agent"]) == ("POST", "borgmatic")
    assert "returned non-zero exit status 2" in last["body"]
    machine.await_(lambda: any("box-archive" in title for title in told(machine)))


def test_pings_and_runs_reach_their_check_also_while_no_hub_lives(machine: "Machine") -> None:
    machine.has_hub = False
    machine.up()
    for words in (
        ("export", "start", "--rid", RUN),
        ("export", "start", "--rid", OTHER_RUN),
        ("export", "success", "--rid", RUN, "-m", "7 files"),
        ("late", "--create"),
    ):
        assert "kept in the journal" in machine.holdfast("ping", *words).stdout
    machine.holdfast("run", "--check", "nightly", "--", "sh", "-c", "exit 7", expect=7)

    machine.has_hub = True
    machine.up()
    # The hub knows a check it was not told of from the journal, which it reads from its start on.
    machine.await_(lambda: '"nightly"' in machine.holdfast("checks", "--json").stdout)
    machine.await_(lambda: len(asked(machine, "/checks/nightly")["pings"]) == 1)
    rows = pings(machine, "export")
    assert [row["signal"] for row in rows] == ["start", "start", "success"]
    assert [row["run"] for row in rows] == [RUN, OTHER_RUN, RUN]
    assert (rows[2]["body"], rows[2]["method"]) == ("7 files", "journal")
    assert check(machine, "late")["severity"] == "ok"
    assert check(machine, "nightly")["why"] == "its run ended with exit code 7"
    machine.await_(lambda: any("nightly" in title for title in told(machine)))

    machine.holdfast("run", "--check", "nightly", "--", "true")
    machine.await_(lambda: check(machine, "nightly")["severity"] == "ok")
    machine.await_(lambda: any("RESOLVED" in title for title in told(machine)))
    machine.holdfast("ping", "export", "9")
    assert said(machine, "export")[-1] == ("fail", 9)
    machine.holdfast("ping", "nobody", expect=2)


def test_no_ping_is_lost_while_the_hub_is_killed_again_and_again(machine: "Machine") -> None:
    machine.up()
    for number in range(4):
        old = machine.pid("hub")
        machine.kill(old)
        machine.holdfast("ping", "export", "log", "-m", f"ping {number}")
        machine.await_new_pid("hub", old)
        machine.await_state("hub", "running")

    def bodies() -> list[str]:
        return [row["body"] for row in pings(machine, "export")]

    expected = [f"ping {number}" for number in range(4)]
    machine.await_(lambda: sorted(bodies()) == expected)
