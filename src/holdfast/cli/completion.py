"""`holdfast completion`: what a shell needs to complete commands, options, names of services and files."""

import argparse
from collections.abc import Iterator

SERVICE_METAVARS = ("NAME", "NAME|PATTERN|group:G")
FILE_METAVARS = ("FILE", "FILE|DIR")

_BASH = """
_holdfast_names() {
  local folder="${HOLDFAST_HOME:-${XDG_STATE_HOME:-$HOME/.local/state}/holdfast}/services" name
  for name in "$folder"/*.json; do
    name="${name##*/}"
    [ "$name" = "*.json" ] || compgen -W "${name%.json}" -- "$1"
  done
}
"""

_ZSH = """
_holdfast_names() {
  local -a names
  names=(${HOLDFAST_HOME:-${XDG_STATE_HOME:-$HOME/.local/state}/holdfast}/services/*.json(N:t:r))
  compadd -a names
}
"""

# A name completes to the services this home knows, never to a file that happens to lie about.
NAMES = {
    "bash": "_holdfast_names",
    "zsh": "_holdfast_names",
    "tcsh": "",
    "preamble": {"bash": _BASH, "zsh": _ZSH},
}


def run(options: argparse.Namespace) -> int:
    """Print the completion script of a shell."""
    print(script(options.shell))
    return 0


def script(shell: str) -> str:
    """Return the completion script of bash, zsh or tcsh for every command there is."""
    import shtab

    from holdfast.cli.commands import COMMANDS
    from holdfast.cli.parser import build

    parser = build(COMMANDS)
    for action in _actions(parser):
        if action.metavar in SERVICE_METAVARS:
            action.complete = NAMES  # type: ignore[attr-defined]  # how shtab is told
        elif action.metavar in FILE_METAVARS:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # how shtab is told
        elif action.metavar == "DIR":
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]  # how shtab is told
    return str(shtab.complete(parser, shell=shell))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _actions(below)
