"""`holdfast config check|show|schema`: the configuration, without anything being started or changed."""

import argparse
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from holdfast.cli import render, settings
from holdfast.errors import ConfigError, Problem

if TYPE_CHECKING:
    from holdfast.config.settings import Settings

COUNTED = ("service", "job", "backup", "check", "agent")
"""Named sections told in the summary, where there are any."""


def run(options: argparse.Namespace) -> int:
    """Do what the action says; 2 when the configuration is wrong."""
    if options.action == "schema":
        from holdfast.config.schema import json_schema

        render.print_json(json_schema())
        return 0
    try:
        found = settings.load(options.config)
    except ConfigError as error:
        return _refuse(error, options)
    return _check(found, options) if options.action == "check" else _print(found, options)


def _refuse(error: ConfigError, options: argparse.Namespace) -> int:
    if options.action == "check" and options.json:
        render.print_json(_verdict(str(_file_meant(options, error)), error.problems, (), ()))
    else:
        for problem in error.problems:
            print(problem, file=sys.stderr)
    return error.exit_code


def _file_meant(options: argparse.Namespace, error: ConfigError) -> object:
    """Return the file that was read, or, when there was none to read, where it was looked for."""
    try:
        return settings.find(options.config).absolute()
    except ConfigError:
        return error.problems[0].place


def _check(found: "Settings", options: argparse.Namespace) -> int:
    from holdfast.config.advice import advice

    warnings = advice(found, settings.environment())
    if options.json:
        render.print_json(_verdict(str(found.path), (), warnings, found.notes))
        return 0
    for warning in warnings:
        print(f"{render.paint('warning', 'yellow')}: {warning}")
    if not options.quiet:
        for note in found.notes:
            print(f"{render.paint('note', 'grey')}: {note}")
        print(f"{render.paint('ok', 'green')}: {found.path} ({summary(found)})")
    return 0


def summary(found: "Settings") -> str:
    """Return how much a configuration holds: 3 services, 1 job."""
    counts = {"service": len(found.services)}
    counts |= {kind: len(getattr(found.document, kind)) for kind in COUNTED[1:]}
    told = [
        f"{count} {kind}{'' if count == 1 else 's'}"
        for kind, count in counts.items()
        if count or kind == "service"
    ]
    return ", ".join(told)


def _verdict(
    file: str, problems: Iterable[Problem], warnings: Iterable[Problem], notes: Iterable[str]
) -> dict[str, object]:
    wrong = [_plain(problem) for problem in problems]
    return {
        "ok": not wrong,
        "file": file,
        "problems": wrong,
        "warnings": [_plain(warning) for warning in warnings],
        "notes": list(notes),
    }


def _plain(problem: Problem) -> dict[str, str]:
    return {"place": problem.place, "what": problem.what, "hint": problem.hint}


def _print(found: "Settings", options: argparse.Namespace) -> int:
    from holdfast.config import show

    if options.json:
        render.print_json(show.plain(found))
    else:
        print(show.render(found), end="")
    return 0
