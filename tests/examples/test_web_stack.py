"""The programs of the web stack stand on each other, survive each other, and lose no confirmed write."""

import json
import signal
import socket
import subprocess
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

import pytest

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def folder(examples: Path) -> Path:
    return examples / "web-stack"


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def port_of(process: subprocess.Popen[str]) -> str:
    """Wait until a program listens and return its port, which it chose itself."""
    return line_of(process).rsplit(":", 1)[1].split(",")[0].strip()


def ask(port: str, *commands: str) -> list[str]:
    with socket.create_connection(("127.0.0.1", int(port)), timeout=30) as connection:
        connection.sendall("".join(f"{command}\n" for command in commands).encode())
        with connection.makefile("r") as answers:
            return [answers.readline().strip() for _ in commands]


def http(port: str, method: str, path: str, body: str | None = None) -> tuple[int, object]:
    connection = HTTPConnection("127.0.0.1", int(port), timeout=30)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_the_database_keeps_what_it_is_told(start: Start) -> None:
    port = port_of(start("db.py", DB_PORT="0"))

    answers = ask(port, "PING", "GET a", 'SET a {"x": [1]}', "GET a", "INCR n", "INCR n", "KEYS")

    assert answers == [
        'ok "pong"',
        "ok null",
        'ok {"x": [1]}',
        'ok {"x": [1]}',
        "ok 1",
        "ok 2",
        'ok ["a", "n"]',
    ]


@pytest.mark.parametrize(
    "command", ["", "NO", "GET", "SET a", "SET a {", "INCR text", "INCR list"]
)
def test_the_database_refuses_what_makes_no_sense_and_goes_on(start: Start, command: str) -> None:
    port = port_of(start("db.py", DB_PORT="0"))
    ask(port, 'SET text "x"', "SET list [1]")

    refused, alive = ask(port, command, "PING")

    assert refused.startswith("error ")
    assert alive == 'ok "pong"'


def test_a_killed_database_comes_back_with_every_confirmed_write(start: Start) -> None:
    for round_ in range(5):
        database = start("db.py", DB_PORT="0")
        port = port_of(database)
        numbers = [*ask(port, "GET n"), *ask(port, *["INCR n"] * 20)]
        database.kill()
        database.wait()
        assert numbers[0] == ("ok null" if round_ == 0 else f"ok {20 * round_}")
        assert numbers[-1] == f"ok {20 * (round_ + 1)}"


def test_half_a_line_at_the_end_of_the_file_is_cut_off(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "data" / "web-stack.jsonl"
    file.parent.mkdir()
    file.write_text('["a", 1]\n["b", 2')

    port = port_of(start("db.py", DB_PORT="0"))

    assert ask(port, "KEYS", "SET c 3") == ['ok ["a"]', "ok 3"]
    assert file.read_text() == '["a", 1]\n["c", 3]\n'


def test_the_api_stores_and_returns_items(start: Start) -> None:
    database = port_of(start("db.py", DB_PORT="0"))
    port = port_of(start("api.py", API_PORT="0", DB_PORT=database))

    assert http(port, "GET", "/healthz") == (200, "pong")
    assert http(port, "PUT", "/items/a", '{"x": 1}') == (200, {"x": 1})
    assert http(port, "GET", "/items/a") == (200, {"x": 1})
    assert http(port, "GET", "/items") == (200, ["a"])
    assert http(port, "POST", "/visits") == (200, 1)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nothing", None, 404),
        ("PUT", "/nothing", "1", 404),
        ("POST", "/items/a", "1", 404),
        ("PUT", "/items/a", "{", 400),
        ("PUT", "/items/a", "x" * 70_000, 400),
        ("GET", "/items/a%0AKEYS", None, 404),
    ],
)
def test_the_api_refuses_bad_requests(
    start: Start, method: str, path: str, body: str | None, status: int
) -> None:
    database = port_of(start("db.py", DB_PORT="0"))
    port = port_of(start("api.py", API_PORT="0", DB_PORT=database))

    assert http(port, method, path, body)[0] == status
    assert http(port, "GET", "/healthz")[0] == 200


def test_what_the_database_refuses_is_a_conflict(start: Start) -> None:
    database = port_of(start("db.py", DB_PORT="0"))
    port = port_of(start("api.py", API_PORT="0", DB_PORT=database))
    http(port, "PUT", "/items/visits", '"many"')

    assert http(port, "POST", "/visits")[0] == 409


def test_without_a_database_the_api_answers_503_and_goes_on_when_it_is_back(start: Start) -> None:
    database = start("db.py", DB_PORT="0")
    db_port = port_of(database)
    port = port_of(start("api.py", API_PORT="0", DB_PORT=db_port))
    http(port, "POST", "/visits")
    database.kill()
    database.wait()

    assert http(port, "GET", "/healthz")[0] == 503

    port_of(start("db.py", DB_PORT=db_port))
    assert http(port, "POST", "/visits") == (200, 2)


def test_the_worker_counts_and_survives_an_absent_api(start: Start) -> None:
    database = port_of(start("db.py", DB_PORT="0"))
    api = start("api.py", API_PORT="0", DB_PORT=database)
    port = port_of(api)
    worker = start("worker.py", API_PORT=port, WORKER_EVERY="0.01")
    assert line_of(worker) == "visit 1\n"
    api.kill()
    api.wait()
    while line_of(worker).startswith("visit"):
        pass

    start("api.py", API_PORT=port, DB_PORT=database)

    while line_of(worker).startswith("not counted"):
        pass
    assert line_of(worker).startswith("visit")


def test_the_report_tells_what_the_stack_holds(start: Start) -> None:
    database = port_of(start("db.py", DB_PORT="0"))
    port = port_of(start("api.py", API_PORT="0", DB_PORT=database))
    http(port, "POST", "/visits")

    report = start("report.py", API_PORT=port)

    assert line_of(report) == "visits: 1, items: ['visits']\n"
    assert report.wait(timeout=30) == 0


@pytest.mark.parametrize("program", ["db.py", "api.py"])
def test_a_server_ends_at_once_and_well(start: Start, program: str) -> None:
    server = start(program, DB_PORT="0", API_PORT="0")
    port = port_of(server)

    with socket.create_connection(("127.0.0.1", int(port)), timeout=30):
        server.send_signal(signal.SIGTERM)

        assert server.wait(timeout=30) == 0


def test_the_worker_ends_at_once_and_well(start: Start) -> None:
    worker = start("worker.py", API_PORT="1", WORKER_EVERY="3600")
    assert line_of(worker).startswith("not counted")

    worker.send_signal(signal.SIGTERM)

    assert worker.wait(timeout=30) == 0
