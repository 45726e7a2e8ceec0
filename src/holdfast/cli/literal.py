"""A parser for scripts: what they pass on is taken as it stands, whatever it looks like."""

import argparse
from collections.abc import Sequence
from typing import Any

# Begins a word that is meant as it stands; no word of a command line can hold a NUL.
_AS_IT_STANDS = "\0"
_DASHES = "--"


class Literal(argparse.Action):
    """A positional argument that may look like an option the parser does not know, or like `-h`."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        _option_string: str | None = None,
    ) -> None:
        """Keep the word."""
        setattr(namespace, self.dest, values)


class LiteralParser(argparse.ArgumentParser):
    """A parser that takes as they are: words after `--`, those of an option that takes two, `Literal` ones.

    Python 3.11 removes a second `--` and the one of `--option=--`, and takes a value that begins
    with `-` for an option; a script passes on what it was given.
    """

    def parse_known_args(  # type: ignore[override]  # typed for the one way it is called
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse the words, hiding from argparse what it would take for something else."""
        words = _Words(self, args or ())
        found, rest = super().parse_known_args(words.kept, namespace)
        for name, pair in words.pairs:
            setattr(found, name, [*getattr(found, name), pair])
        return found, [_shown(word) for word in rest]

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        # The one place all words pass before they are converted, and before any choice is checked.
        return super()._get_value(action, _shown(arg_string))


class _Words:
    """The words of a command line, parted into those for argparse and the pairs some options take."""

    def __init__(self, parser: LiteralParser, args: Sequence[str]) -> None:
        self.kept: list[str] = []
        self.pairs: list[tuple[str, list[str]]] = []
        self._parser = parser
        self._options = parser._option_string_actions
        self._rest = list(reversed(args))
        positionals = parser._get_positional_actions()
        self._is_literal = [isinstance(one, Literal) for one in positionals]
        self._part()

    def _part(self) -> None:
        while self._rest:
            word = self._rest.pop()
            if word == _DASHES:
                behind = reversed(self._rest)
                self.kept += [word, *(_hidden(one) if one == _DASHES else one for one in behind)]
                return
            action = self._options.get(word)
            if self._is_option(word, action):
                self._take_option(word, action)
            else:
                self._take_positional(word)

    def _is_option(self, word: str, action: argparse.Action | None) -> bool:
        if self._parser._parse_optional(word) is None:
            return False
        if not any(self._is_literal[:1]):
            return True
        if action is not None:
            return not _is_help(action)
        return word.partition("=")[0] in self._options or self._is_cluster(word)

    def _is_cluster(self, word: str) -> bool:
        """Return whether a word is several short options in one, such as -qv."""
        actions = [self._options.get(f"-{letter}") for letter in word[1:]]
        return all(one is not None and one.nargs == 0 and not _is_help(one) for one in actions)

    def _take_option(self, word: str, action: argparse.Action | None) -> None:
        name, _, value = word.partition("=")
        if action is None:
            is_cut = value == _DASHES and name in self._options
            self.kept.append(f"{name}={_hidden(value)}" if is_cut else word)
        elif action.nargs == 2 and len(self._rest) > 1:
            self.pairs.append((action.dest, [self._rest.pop(), self._rest.pop()]))
        else:
            self.kept.append(word)
            if action.nargs is None and self._rest and self._rest[-1] != _DASHES:
                self.kept.append(self._rest.pop())

    def _take_positional(self, word: str) -> None:
        is_literal = bool(self._is_literal) and self._is_literal.pop(0)
        self.kept.append(_hidden(word) if is_literal else word)


def _is_help(action: argparse.Action) -> bool:
    return isinstance(action, argparse._HelpAction)


def _hidden(word: str) -> str:
    return _AS_IT_STANDS + word


def _shown(word: Any) -> Any:
    return word.removeprefix(_AS_IT_STANDS) if isinstance(word, str) else word
