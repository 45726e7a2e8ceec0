"""Kinds that describe a process and its surroundings: signals, variables, patterns, needs, repositories."""

import difflib
import re
import signal
from typing import Annotated, Any

from holdfast.config.kinds.base import Kind, filled_text, parsed, text
from holdfast.config.origin import Origin
from holdfast.config.unfit import Unfit
from holdfast.home import NAME
from holdfast.model.spec import Condition, Need, OnRestart

SIGNALS = tuple(sorted(member.name.removeprefix("SIG") for member in signal.Signals))

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MACHINE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_REMOTE_REPOSITORY = re.compile(r"[a-z0-9]{2,}:")
_CONDITIONS = [condition.value for condition in Condition]
_ON_RESTART = [reaction.value for reaction in OnRestart]


def _signal(text: str) -> str:
    name = text.upper().removeprefix("SIG")
    if name not in SIGNALS:
        near = difflib.get_close_matches(name, SIGNALS, n=1)
        hint = f'did you mean "{near[0]}"?' if near else "signals are named like TERM, INT, HUP"
        raise Unfit("unknown signal", hint=hint)
    return name


def _variable(text: str) -> str:
    if not _VARIABLE.fullmatch(text):
        raise Unfit("no name of a variable", hint="letters, digits and _ only")
    return text


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise Unfit("not a name", hint="names are small letters, digits, - and _")
    return text


def _machine(text: str) -> str:
    if not _MACHINE.fullmatch(text):
        raise Unfit("not a name", hint="letters, digits, . - and _ only")
    return text


def _expression(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise Unfit(f"not a regular expression: {error}") from error
    return text


def _read_repository(plain: object, origin: Origin) -> str:
    place = filled_text(plain, origin)
    return place if _REMOTE_REPOSITORY.match(place) else origin.resolve(place)


def _read_needs(plain: object, origin: Origin) -> tuple[Need, ...]:
    if isinstance(plain, list):
        names = [text(name, origin) for name in plain]
        if len(set(names)) < len(names):
            raise Unfit("names a service twice")
        return tuple(Need(name=name) for name in names)
    if not isinstance(plain, dict):
        raise Unfit
    return tuple(_need(name, edge, origin) for name, edge in plain.items())


def _need(name: str, edge: object, origin: Origin) -> Need:
    if not isinstance(edge, dict):
        return Need(name=name, condition=Condition(_option(name, edge, _CONDITIONS, origin)))
    for key in edge:
        if key not in {"condition", "on_restart"}:
            raise Unfit(f"unknown key `{key}` of {name}", hint="keys are condition, on_restart")
    condition = _option(name, edge.get("condition", Condition.READY.value), _CONDITIONS, origin)
    reaction = _option(name, edge.get("on_restart", OnRestart.IGNORE.value), _ON_RESTART, origin)
    return Need(name=name, condition=Condition(condition), on_restart=OnRestart(reaction))


def _option(name: str, plain: object, allowed: list[str], origin: Origin) -> str:
    value = text(plain, origin)
    if value not in allowed:
        raise Unfit(f'{name} = "{value}"', hint=f"one of {', '.join(allowed)}")
    return value


def _show_needs(needs: Any) -> object:
    if all(need == Need(name=need.name) for need in needs):
        return [need.name for need in needs]
    return {
        need.name: {"condition": need.condition.value, "on_restart": need.on_restart.value}
        for need in needs
    }


SIGNAL = Kind(expected='a signal such as "TERM"', schema={"type": "string"}, read=parsed(_signal))
VARIABLE = Kind(
    expected="the name of a variable",
    schema={"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
    read=parsed(_variable),
)
NAME_TEXT = Kind(
    expected="a name",
    schema={"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$"},
    read=parsed(_name),
)
MACHINE_NAME = Kind(
    expected="the name of a machine",
    schema={"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$"},
    read=parsed(_machine),
)
EXPRESSION = Kind(
    expected="a regular expression",
    schema={"type": "string", "format": "regex"},
    read=parsed(_expression),
)
REPOSITORY = Kind(
    expected="a path, or a restic repository",
    schema={"type": "string", "minLength": 1},
    read=_read_repository,
    secret=True,
)
NEEDS = Kind(
    expected='a list of services such as ["db"], or a table such as { db = "ready" }',
    schema={
        "anyOf": [
            {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
            {
                "type": "object",
                "additionalProperties": {
                    "anyOf": [
                        {"enum": _CONDITIONS},
                        {
                            "type": "object",
                            "properties": {
                                "condition": {"enum": _CONDITIONS},
                                "on_restart": {"enum": _ON_RESTART},
                            },
                            "additionalProperties": False,
                        },
                    ]
                },
            },
        ]
    },
    read=_read_needs,
    show=_show_needs,
)

Signal = Annotated[str, SIGNAL]
Variable = Annotated[str, VARIABLE]
NameText = Annotated[str, NAME_TEXT]
MachineName = Annotated[str, MACHINE_NAME]
Expression = Annotated[str, EXPRESSION]
Repository = Annotated[str, REPOSITORY]
Needs = Annotated[tuple[Need, ...], NEEDS]
