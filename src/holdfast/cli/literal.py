"""A parser for scripts: what they pass on is taken as it stands, whatever it looks like."""

import argparse
from collections.abc import Collection, Sequence
from typing import Any

# Stands for a word `--` that is meant as such; no word of a command line can hold a NUL.
_DASHES = "\0--"


class LiteralParser(argparse.ArgumentParser):
    """A parser that leaves the words after `--` as they are, and those of an option that takes two.

    Python 3.11 removes a second `--`, and takes a value that begins with `-` for an option; a script
    passes on what it was given.
    """

    def parse_known_args(  # type: ignore[override]  # typed for the one way it is called
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse the words, hiding from argparse what it would take for something else."""
        takes_two = {
            word: action.dest
            for word, action in self._option_string_actions.items()
            if action.nargs == 2
        }
        words, pairs = _without_pairs(args or (), takes_two)
        found, rest = super().parse_known_args(words, namespace)
        for name, value in vars(found).items():
            setattr(found, name, _shown(value))
        for word, pair in pairs:
            name = takes_two[word]
            setattr(found, name, [*getattr(found, name), pair])
        return found, rest


def _without_pairs(
    args: Sequence[str], takes_two: Collection[str]
) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Part the words into those for argparse, and the options that take two with what they take."""
    rest = list(reversed(args))
    kept: list[str] = []
    pairs: list[tuple[str, list[str]]] = []
    while rest:
        word = rest.pop()
        if word == "--":
            kept += [word, *(_DASHES if one == "--" else one for one in reversed(rest))]
            break
        if word in takes_two and len(rest) > 1:
            pairs.append((word, [rest.pop(), rest.pop()]))
        else:
            kept.append(word)
    return kept, pairs


def _shown(value: Any) -> Any:
    if isinstance(value, list):
        return [_shown(one) for one in value]
    return "--" if value == _DASHES else value
