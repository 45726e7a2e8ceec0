"""A content is whole, or the words say why not."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.statefile.content import Kind, fault, json_value, kind_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("x.json", Kind.JSON),
        ("x.JSON", Kind.JSON),
        (".x.json", Kind.JSON),
        ("x.json.bak", Kind.JSON),
        ("x.json.tmp.123", Kind.JSON),
        ("x.json~", Kind.JSON),
        ("x.json-old", Kind.JSON),
        ("x.jsonl", Kind.LINES),
        ("x.ndjson", Kind.LINES),
        ("x.jsonl.1", Kind.LINES),
        ("STATE.md", Kind.TEXT),
        ("x.markdown", Kind.TEXT),
        ("current-agent-id.txt", Kind.TEXT),
        ("STATE.md.bak", Kind.TEXT),
        ("x.jsonnet", Kind.OTHER),
        ("x.json5", Kind.OTHER),
        ("x.json.gz", Kind.OTHER),
        (".x.json.swp", Kind.OTHER),
        ("json", Kind.OTHER),
        ("watchdog.status", Kind.OTHER),
        ("x.", Kind.OTHER),
        ("", Kind.OTHER),
    ],
)
def test_the_name_says_what_a_file_should_hold(name: str, kind: Kind) -> None:
    assert kind_of(name) is kind


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b" \n", "only white space"),
        (b"\0" * 64, "NUL bytes"),
        (b'{"a":1}\0\0', "NUL bytes"),
        (b"{}{}", "more than one document: another begins at line 1, column 3"),
        (b'{"a":', "no JSON: Expecting value at line 1, column 6"),
        (b'{"a": NaN}', "NaN is no JSON"),
        (b'"\xff"', "not UTF-8: byte 1"),
        (b"\xef\xbb\xbf", "byte order mark and nothing else"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'"\\ud800"', "surrogate"),
    ],
    ids=lambda fact: repr(fact[:12]),
)
def test_what_is_not_one_json_document_is_told_in_words(content: bytes, words: str) -> None:
    why = fault(content, Kind.JSON)

    assert why is not None
    assert why.startswith("it ")
    assert words in why


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b'{"a":1}\n{"a"', "line 2 is bad"),
        (b'{"a":1}\n12', "line 2 is cut"),
        (b'{"a":1}\n\n{}\n', "line 2 is bad: it is empty"),
        (b'{"a":1}\n{}{}\n', "line 2 is bad: it holds more than one"),
        (b'{"a":1}\n\0\0\0', "line 2 is bad: it holds NUL"),
        (b"\xef\xbb\xbf", "byte order mark"),
    ],
)
def test_a_cut_or_bad_line_makes_a_log_invalid(content: bytes, words: str) -> None:
    why = fault(content, Kind.LINES)

    assert why is not None
    assert words in why


@pytest.mark.parametrize("content", [b'{"a":1}\n[2]\n', b'{"a":1}', b'{"a":1}\r\n"x"\r\n', b"1\n"])
def test_whole_lines_are_valid(content: bytes) -> None:
    assert fault(content, Kind.LINES) is None


@pytest.mark.parametrize("content", [b"", b"\0", b"text\0", b"\xff", b"\xef\xbb\xbf"])
def test_text_is_utf8_without_nul(content: bytes) -> None:
    assert fault(content, Kind.TEXT) is not None


def test_of_other_files_only_the_empty_and_the_blank_are_known_to_be_bad() -> None:
    assert fault(b"", Kind.OTHER) == "it is empty"
    assert fault(b"\0\0", Kind.OTHER) == "it holds nothing but NUL bytes"
    assert fault(b"\xff\0\xfe", Kind.OTHER) is None
    assert fault("# naïve\n".encode(), Kind.TEXT) is None


texts = st.text(st.characters(codec="utf-8"), max_size=8)
scalars = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | texts
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(texts, scalars, max_size=3)


@settings(max_examples=50)
@given(value=values, indent=st.none() | st.integers(0, 3))
def test_every_document_is_read_as_it_was_written(value: object, indent: int | None) -> None:
    content = json.dumps(value, indent=indent, ensure_ascii=False).encode()

    assert json_value(content) == value
    assert json_value(b"\xef\xbb\xbf" + content + b"\r\n") == value
    assert fault(content, Kind.JSON) is None


@settings(max_examples=50)
@given(value=st.dictionaries(texts, scalars, min_size=1, max_size=3), data=st.data())
def test_no_cut_document_is_valid(value: object, data: st.DataObject) -> None:
    content = json.dumps(value).encode()
    cut = data.draw(st.integers(0, len(content) - 1))

    assert fault(content[:cut], Kind.JSON) is not None
    assert fault(content[:cut] + bytes(len(content) - cut), Kind.JSON) is not None
