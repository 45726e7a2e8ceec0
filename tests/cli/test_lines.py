import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.cli.lines import Readable, as_json, fact, harmless, parse, readable
from holdfast.clock import wall_from_text

AT = "2026-01-31T08:00:00.250Z"


def rows(raw: bytes, log: str = "api") -> tuple[str, ...]:
    return readable(parse(raw), log).rows


@pytest.mark.parametrize(
    "line",
    [
        f"{AT} listening",
        "[2026-01-31T08:00:00.250Z] listening",
        "2026-01-31 08:00:00,250Z listening",
        "2026-01-31T10:00:00.250+02:00 listening",
        "2026-01-31 10:00:00.250 +0200 listening",
        json.dumps({"at": AT, "stream": "stdout", "line": "listening"}),
        json.dumps({"at": AT, "level": "INFO", "service": "api", "message": "listening"}),
    ],
)
def test_the_time_of_a_line_is_found(line: str) -> None:
    assert parse(line.encode()).at == wall_from_text(AT)


@pytest.mark.parametrize(
    "line",
    [
        "listening",
        "at 2026-01-31T08:00:00Z it began",
        "2026-13-31T08:00:00Z",
        "2026-01-31",
        '{"at": 5}',
        '{"at": "noon"}',
        '{"at": "2026-01-31T08:00:00"}',
        '{"at": ',
        "[1, 2]",
        "{" * 100_000,
    ],
)
def test_a_line_without_a_time_has_none(line: str) -> None:
    assert parse(line.encode()).at is None


def test_a_time_without_a_zone_is_local() -> None:
    assert parse(b"2026-01-31 08:00:00,250 INFO root").at is not None


def test_bytes_that_are_no_text_are_shown_escaped() -> None:
    assert rows(b"a\xff\xfeb") == ("a\\xff\\xfeb",)


def test_a_captured_line_shows_its_time_and_text() -> None:
    raw = json.dumps({"at": AT, "stream": "stdout", "line": "hello there"}).encode()

    assert rows(raw) == (f"{AT} hello there",)


def test_a_captured_line_of_stderr_stands_out() -> None:
    raw = json.dumps({"at": AT, "stream": "stderr", "line": "oh"}).encode()

    assert readable(parse(raw), "api") == Readable(rows=(f"{AT} oh",), colour="yellow")


def test_a_line_of_the_client_shows_level_message_and_facts() -> None:
    record = {"at": AT, "level": "INFO", "service": "api", "message": "indexed", "notes": 12}
    raw = json.dumps({**record, "path": "/a b", "ok": True}).encode()

    assert rows(raw) == (f'{AT} INFO     indexed notes=12 path="/a b" ok=true',)


def test_a_line_of_the_client_that_was_captured_as_json_is_unwrapped() -> None:
    inner = json.dumps({"at": AT, "level": "ERROR", "service": "api", "message": "lost"})
    raw = json.dumps({"at": "2027-01-01T00:00:00Z", "stream": "stdout", "line": inner}).encode()

    assert readable(parse(raw), "api") == Readable(rows=(f"{AT} ERROR    lost",), colour="red")


def test_a_shared_log_tells_whose_line_it_is() -> None:
    raw = json.dumps({"at": AT, "level": "INFO", "service": "api", "message": "hit"}).encode()

    assert rows(raw, "policy-hits") == (f"{AT} INFO     api: hit",)


def test_a_trace_stands_below_its_line() -> None:
    record = {"level": "ERROR", "message": "no", "trace": "Traceback:\n  here\n"}

    assert rows(json.dumps(record).encode()) == ("ERROR    no", "    Traceback:", "      here")


@pytest.mark.parametrize("raw", [b'{"event": "x", "level": "info"}', b'{"line": 5}', b"{}", b"[]"])
def test_json_of_others_is_shown_as_it_is(raw: bytes) -> None:
    assert rows(raw) == (raw.decode(),)


def test_as_json_leaves_an_object_as_it_is() -> None:
    raw = f'{{"at":"{AT}",  "stream":"stdout","line":"x"}}'

    assert as_json(parse(raw.encode()), None) == raw


def test_as_json_names_the_log_where_there_are_several() -> None:
    raw = f'{{"at":"{AT}","stream":"stdout","line":"x"}}'.encode()

    assert json.loads(as_json(parse(raw), "api")) == {
        "name": "api",
        "at": AT,
        "stream": "stdout",
        "line": "x",
    }


def test_as_json_makes_an_object_of_plain_text() -> None:
    assert json.loads(as_json(parse(b'say "hi"'), None)) == {"line": 'say "hi"'}


@given(st.binary())
def test_any_bytes_become_rows_and_one_json_object(raw: bytes) -> None:
    raw = raw.replace(b"\n", b"")
    line = parse(raw)

    assert readable(line, "api").rows
    assert "\n" not in as_json(line, "api")
    assert json.loads(as_json(line, "api"))["name"] == "api"


@given(st.text())
def test_a_harmless_text_has_no_control_characters_but_tabs(text: str) -> None:
    assert all(character.isprintable() or _is_harmless(character) for character in harmless(text))


def _is_harmless(character: str) -> bool:
    return character == "\t" or ord(character) > 0x9F


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x1b[2J", "\\x1b[2J"),
        ("done\rfake", "done\\x0dfake"),
        ("a\x00b", "a\\x00b"),
        ("\x9b2J", "\\x9b2J"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("tab\there", "tab\there"),
        ("naïve ✓", "naïve ✓"),
    ],
)
def test_what_moves_a_terminal_is_shown_instead(text: str, shown: str) -> None:
    assert harmless(text) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [("word", "word"), ("", '""'), ("two words", '"two words"'), (None, "null"), ([1], "[1]")],
)
def test_a_fact_is_a_word_or_json(value: object, shown: str) -> None:
    assert fact(value) == shown
