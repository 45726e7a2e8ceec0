import json
import sys
from dataclasses import replace
from pathlib import Path

from holdfast.hub.notify import command
from holdfast.model.message import Delivered, Message, Refused, TryLater


def python(code: str, *words: str) -> list[str]:
    return [sys.executable, "-c", code, *words]


def test_a_program_gets_the_message_on_stdin_and_in_its_environment(
    message: Message, tmp_path: Path
) -> None:
    target = tmp_path / "told"
    code = "import os,sys; open(sys.argv[1], 'w').write(sys.stdin.read() + os.environ['HOLDFAST_TITLE'])"

    assert command.send(python(code, str(target)), message, 30.0) == Delivered()

    line, title = target.read_text(encoding="utf-8").split("\n")
    assert json.loads(line)["key"] == message.key
    assert title == message.title


def test_a_program_that_fails_is_quoted_and_tried_again(message: Message) -> None:
    code = "import sys; print('first'); print('no network', file=sys.stderr); sys.exit(3)"

    outcome = command.send(python(code), message, 30.0)

    assert outcome == TryLater(why=f"{sys.executable} ended with 3: no network")


def test_a_program_that_does_not_read_may_succeed(message: Message) -> None:
    assert command.send(["true"], message, 30.0) == Delivered()


def test_a_program_that_hangs_is_killed_with_all_it_started(message: Message) -> None:
    outcome = command.send(["sh", "-c", "sleep 1000 & sleep 1000"], message, 0.2)

    why = "sh did not end within 0.2 s and was killed"
    assert outcome == TryLater(why=why, may_have_arrived=True)


def test_a_message_of_any_length_reaches_a_program(message: Message) -> None:
    names = tuple(f"check-{number}" for number in range(20_000))
    long = replace(message, body="ü" * 200_000, title="\0" + "t" * 200_000, checks=names)
    code = "import json,sys; sys.exit(len(json.load(sys.stdin)['checks']) != 20_000)"

    assert command.send(python(code), long, 30.0) == Delivered()


def test_a_program_that_is_not_there_is_refused(message: Message) -> None:
    outcome = command.send(["/nowhere/at-all"], message, 30.0)

    assert isinstance(outcome, Refused)
    assert "cannot be executed" in outcome.why
