"""Probes and hooks of a whole Holdfast: real servers, real programs."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Machine

# Answers 503 while the file `busy` is there, nothing at all while `deaf` is.
SERVER = """
import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Health(BaseHTTPRequestHandler):
    def do_GET(self):
        while os.path.exists("deaf"):
            pass
        self.send_response(503 if os.path.exists("busy") else 200)
        self.end_headers()
        self.wfile.write(b"body")

print("serving", flush=True)
HTTPServer(("127.0.0.1", int(sys.argv[1])), Health).serve_forever()
"""

HOOK = "import os, json; print('hook ' + json.dumps({k: v for k, v in os.environ.items() if k.startswith('HOLDFAST_')}))"


def command(code: str, *words: str) -> str:
    return json.dumps([sys.executable, "-I", "-c", code, *words])


def folder(machine: "Machine") -> Path:
    return machine.config("").parent


def events_of(machine: "Machine", name: str) -> list[str]:
    return [event["kind"] for event in machine.events() if event["subject"] == name]


def test_others_wait_until_a_web_service_answers_and_a_deaf_one_is_replaced(
    machine: "Machine",
) -> None:
    port = machine.port()
    here = folder(machine)
    (here / "busy").touch()
    machine.config(f"""
        [service.web]
        command = {command(SERVER, str(port))}
        ready = {{ http = "http://127.0.0.1:{port}/" }}
        live = {{ http = "http://127.0.0.1:{port}/", every = "200ms", timeout = "1s", failures = 2 }}
        stop = {{ timeout = "1s" }}
        [service.after]
        command = ["sleep", "8010"]
        needs = ["web"]
    """)
    with machine.beside("up") as starting:
        machine.await_state("web", "starting")
        machine.await_(lambda: b"503" in machine.log("web") or b"serving" in machine.log("web"))
        assert machine.row("after")["state"] == "waiting"
        (here / "busy").unlink()
        assert starting.wait() == 0
    # A server that was starved for a moment is taken for a deaf one, and may just be on its way back.
    old = machine.await_(lambda: machine.row("web")["pid"])
    (here / "deaf").touch()
    machine.await_(lambda: "service.degraded" in events_of(machine, "web"))
    machine.await_(lambda: machine.row("web")["pid"] not in (old, None))
    (here / "deaf").unlink()
    machine.await_state("web", "running")
    assert machine.history("web")[-1]["reason"] == "probe"
    assert machine.row("after")["state"] == "running"


def test_a_service_is_ready_once_it_has_printed_so(machine: "Machine") -> None:
    here = folder(machine)
    code = "import os, time\nprint('up in an hour')\nwhile not os.path.exists('go'): time.sleep(0.01)\nprint('listening on 80', flush=True); time.sleep(9000)"
    machine.config(f"""
        [service.slow]
        command = {command(code)}
        ready = {{ log = "^listening on [0-9]+$" }}
    """)
    with machine.beside("up") as starting:
        machine.await_state("slow", "starting")
        (here / "go").touch()
        assert starting.wait() == 0
    assert machine.row("slow")["state"] == "running"


def test_a_look_by_command_leaves_nothing_when_its_service_goes(machine: "Machine") -> None:
    machine.config("""
        [service.api]
        command = ["sleep", "8011"]
        live = { command = ["sleep", "8012"], every = "100ms", timeout = "60s" }
    """)
    machine.up()
    main = machine.pid("api")
    machine.await_(lambda: looks(machine, main))
    machine.holdfast("stop", "api")
    machine.await_(lambda: not machine.living("api"))


def test_a_look_whose_supervisor_was_killed_is_ended_by_the_next(machine: "Machine") -> None:
    machine.config("""
        [service.api]
        command = ["sleep", "8011"]
        live = { command = ["sleep", "8012"], every = "100ms", timeout = "60s" }
    """)
    machine.up()
    main = machine.pid("api")
    (old,) = machine.await_(lambda: looks(machine, main))
    machine.kill_supervisor()
    machine.adopt("api")
    machine.await_(lambda: not machine.is_alive(old))
    machine.await_(lambda: len(looks(machine, main)) == 1)
    assert machine.pid("api") == main


def looks(machine: "Machine", main: int) -> list[int]:
    return [pid for pid in machine.living("api") if pid != main]


def test_hooks_run_around_a_service_and_what_they_print_is_kept(machine: "Machine") -> None:
    here = folder(machine)
    machine.config(f"""
        [service.api]
        command = ["sleep", "8013"]
        before_start = {command("open('migrated', 'a').write('x'); print('migrating')")}
        after_stop = {command(HOOK)}
        on_failure = {command("print('paging')")}
    """)
    machine.up()
    assert (here / "migrated").read_text() == "x"
    machine.kill(machine.pid("api"))
    machine.await_(lambda: b"paging" in machine.log("api"))
    machine.await_state("api", "running")
    assert (here / "migrated").read_text() == "xx"
    lines = machine.log("api").decode().splitlines()
    told = json.loads(next(line for line in lines if line.startswith("hook "))[5:])
    assert (told["HOLDFAST_REASON"], told["HOLDFAST_EXIT_SIGNAL"]) == ("signal", "9")
    assert "HOLDFAST_INSTANCE" not in told
    machine.holdfast("stop", "api")
    machine.await_(lambda: machine.log("api").count(b"hook {") == 2)
    assert machine.log("api").count(b"paging") == 1


def test_a_service_whose_preparation_fails_is_not_started(machine: "Machine") -> None:
    machine.config("""
        [service.api]
        command = ["sleep", "8014"]
        before_start = ["false"]
    """)
    machine.up(expect=1)
    machine.await_state("api", "backoff", "held")
    assert machine.copies("api") == []
    assert "service.prepare_failed" in events_of(machine, "api")
