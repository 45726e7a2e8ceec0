import json
from dataclasses import replace
from pathlib import Path

from holdfast.hub.notify import file
from holdfast.model.message import Delivered, Message, Refused, TryLater


def test_a_message_is_one_line_and_a_repeat_is_none(message: Message, tmp_path: Path) -> None:
    target = tmp_path / "told here.jsonl"
    url = target.as_uri()
    other = replace(message, key="other", body="one\ntwo")

    for each in (message, message, other, message, other):
        assert file.send(url, each) == Delivered()

    lines = target.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["key"] for line in lines] == [message.key, "other"]


def test_half_a_line_of_a_killed_writer_told_nobody(message: Message, tmp_path: Path) -> None:
    target = tmp_path / "told"
    target.write_text(f'{{"key":"{message.key}","kind":"op', encoding="utf-8")

    assert file.send(target.as_uri(), message) == Delivered()
    assert json.loads(target.read_text(encoding="utf-8").splitlines()[-1])["key"] == message.key


def test_a_file_that_cannot_be_written_is_tried_again(message: Message, tmp_path: Path) -> None:
    assert isinstance(file.send((tmp_path / "none" / "x").as_uri(), message), TryLater)


def test_a_path_that_depends_on_where_one_stands_is_refused(message: Message) -> None:
    assert isinstance(file.send("file://notes/x", message), Refused)
