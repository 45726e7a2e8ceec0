import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdfast.cli.options.state import VERBS
from holdfast.cli.state import change
from holdfast.cli.state.verbs import PLACES

if TYPE_CHECKING:
    from tests.cli.conftest import Done

State = Callable[..., "Done"]


def test_every_verb_has_a_place() -> None:
    assert sorted(PLACES) == sorted(verb.name for verb in VERBS)


@pytest.mark.parametrize("place", PLACES.values())
def test_every_place_is_a_function(place: str) -> None:
    module, _, name = place.partition(":")
    assert callable(getattr(importlib.import_module(f"holdfast.cli.state.{module}"), name))


@pytest.mark.parametrize("path", ["", "a\0b.json"])
@pytest.mark.parametrize("verb", ["write", "get", "inspect", "recover", "rebuild"])
def test_what_can_be_no_path_is_wrong_use(state: State, verb: str, path: str) -> None:
    done = state(verb, path, stdin="{}")
    assert done.code == 2
    assert len(done.err.splitlines()) == 1


def test_too_little_memory_is_one_message(
    state: State, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_options: object) -> int:
        raise MemoryError

    monkeypatch.setattr(change, "delete", fail)
    done = state("delete", "a.json", "n")
    assert (done.code, "not enough memory" in done.err) == (7, True)


def test_a_verb_nobody_knows_is_wrong_use_and_all_are_named(state: State) -> None:
    done = state("fly", "a.json")
    assert done.code == 2
    assert all(verb.name in done.err for verb in VERBS)


@pytest.mark.parametrize(
    "words", [("set", "n", "2"), ("get", "n"), ("delete", "n"), ("inspect",), ("recover",)]
)
def test_a_verb_loads_nothing_heavy(
    loaded: Callable[..., set[str]], tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "a.json").write_text('{"n": 1}')
    verb, *rest = words
    modules = loaded("state", verb, str(tmp_path / "a.json"), *rest)
    heavy = {"asyncio", "jq", "markdown_it", "msgspec", "socket", "subprocess", "tempfile"}
    assert not modules & {*heavy, "holdfast.config", "holdfast.control", "holdfast.journal"}
