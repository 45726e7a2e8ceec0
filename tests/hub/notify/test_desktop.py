from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.hub.notify import desktop
from holdfast.model.alert import Telling
from holdfast.model.message import Delivered, Message, Refused, TryLater


def fake(folder: Path, body: str) -> None:
    program = folder / "notify-send"
    program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    program.chmod(0o755)


def test_without_a_session_it_is_refused_so_that_somebody_else_hears(
    message: Message, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    assert desktop.send(message, 5.0) == Refused(why="no desktop: this user has no session bus")


def test_the_words_reach_the_program_whole(
    message: Message, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    fake(tmp_path, f'for word in "$@"; do echo "$word"; done > {tmp_path}/told')

    assert desktop.send(replace(message, title="--help; $(reboot)"), 5.0) == Delivered()
    assert (tmp_path / "told").read_text(encoding="utf-8").splitlines() == [
        "--app-name=Holdfast",
        "--urgency=critical",
        "--",
        "--help; $(reboot)",
        "a: no success für &lt;72h&gt; &amp; more",
    ]


def test_a_desktop_that_refuses_is_asked_again(
    message: Message, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    fake(tmp_path, "echo no server >&2; exit 1")
    assert desktop.send(message, 5.0) == TryLater(why="notify-send ended with 1: no server")

    (tmp_path / "notify-send").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert desktop.send(message, 5.0) == Refused(why="no desktop: notify-send is not installed")


def test_good_news_are_not_urgent_and_no_text_is_too_long_for_the_program(
    message: Message,
) -> None:
    long = replace(message, kind=Telling.RESOLVE, title="\0t", body="&" * 500_000)

    words = desktop.on_linux(long)

    assert "--urgency=normal" in words
    assert words[-2:] == ["t", "&amp;" * desktop.LONGEST]
    assert desktop.on_macos(long)[-2:] == ["t", "&" * desktop.LONGEST]


def test_on_macos_the_texts_are_never_a_part_of_the_script(message: Message) -> None:
    words = desktop.on_macos(replace(message, title='" & (do shell script "reboot") & "'))

    assert words[-3:] == ["--", '" & (do shell script "reboot") & "', message.body]
    assert not any("reboot" in word for word in words[:-3])
