"""Write the reference pages from the code, so that they cannot drift from it: `make docs`."""

import argparse
import enum
import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from holdfast import errors, statefile
from holdfast.cli.commands import COMMANDS
from holdfast.cli.parser import EXIT_CODES, build
from holdfast.config.schema import json_schema
from holdfast.model.alert import Telling
from holdfast.model.check import CheckKind, Origin, Severity, Signal
from holdfast.model.job import Result, Trigger
from holdfast.model.kinds import KINDS
from holdfast.model.message import Delivery, Travel
from holdfast.model.notice import TITLES
from holdfast.model.service import Actual, Desired, Health, Reason, Wait
from holdfast.rules.supervise import TABLE
from holdfast.rules.wording import CAUSES

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Written by `make docs` from the code; edits here are lost. -->\n\n"
WIDTH = 100


def commands() -> str:
    """Return the page of all commands, as their own help tells it."""
    parser = build(COMMANDS)
    chosen = next(
        action for action in parser._actions if isinstance(action, argparse._SubParsersAction)
    )
    parts = [f"# Commands\n\n{NOTE}{EXIT_CODES[:1].upper()}{EXIT_CODES[1:]}.\n"]
    for command in COMMANDS:
        page = chosen.choices[command.name]
        page.formatter_class = _wide
        parts.append(f"## holdfast {command.name}\n\n```\n{page.format_help().strip()}\n```\n")
        for name, verb in _verbs_of(page).items():
            verb.formatter_class = _wide
            parts.append(
                f"### holdfast {command.name} {name}\n\n```\n{verb.format_help().strip()}\n```\n"
            )
    return "\n".join(parts)


def _verbs_of(page: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found = (action for action in page._actions if isinstance(action, argparse._SubParsersAction))
    return {name: verb for action in found for name, verb in action.choices.items()}


def _wide(prog: str) -> argparse.HelpFormatter:
    return argparse.RawDescriptionHelpFormatter(prog, width=WIDTH)


def configuration() -> str:
    """Return the page of all sections and keys of holdfast.toml."""
    schema = json_schema()
    parts = [
        f'# Configuration\n\n{NOTE}Every section and key of `holdfast.toml`. Durations are strings (`"500ms"` `"90s"` `"5m"` '
        '`"24h"` `"3d"`), sizes too (`"10MB"`, `"10MiB"`). `holdfast config check` tells everything that is wrong with a file, '
        "`holdfast config show` prints it with defaults filled in, `holdfast config schema` prints the JSON Schema.\n"
    ]
    parts.extend(_sections(_resolved(schema, schema), schema, ""))
    return "\n".join(parts)


def _sections(node: dict[str, Any], root: dict[str, Any], path: str) -> Iterator[str]:
    nested: list[tuple[str, dict[str, Any]]] = []
    rows = []
    for key, value in sorted(node.get("properties", {}).items()):
        found = _resolved(value, root)
        inner = _table_of(found, root)
        if inner is not None:
            nested.append((f"{path}.{key}{inner[0]}".lstrip("."), inner[1]))
        else:
            rows.append(
                f"| `{key}` | {_kind(found)} | {_default(found)} | {_cell(found.get('description', ''))} |"
            )
    if rows:
        title = f"[{path}]" if path else "Top of the file"
        table = "\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *rows])
        yield f"## {title}\n\n{_cell(node.get('description', ''))}\n\n{table}\n".replace(
            "\n\n\n\n", "\n\n"
        )
    for name, inner_node in nested:
        yield from _sections(inner_node, root, name)


def _table_of(node: dict[str, Any], root: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Return the table a key opens, and what stands behind its name, or None for a plain key."""
    if node.get("type") == "array":
        items = _resolved(node.get("items", {}), root)
        return ("[]", items) if "properties" in items else None
    for option in (node, *(_resolved(one, root) for one in node.get("anyOf", ()))):
        if "properties" in option:
            return "", option
        inner = option.get("additionalProperties")
        if isinstance(inner, dict) and "properties" in _resolved(inner, root):
            return ".NAME", _resolved(inner, root)
    return None


def _resolved(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    target: Any = root
    for part in node["$ref"].lstrip("#/").split("/"):
        target = target[part]
    return {**target, **{key: value for key, value in node.items() if key != "$ref"}}


def _kind(node: dict[str, Any]) -> str:
    if "enum" in node:
        return " ".join(f"`{value}`" for value in node["enum"])
    if "anyOf" in node:
        return " or ".join(dict.fromkeys(_kind(one) for one in node["anyOf"]))
    kind = node.get("type", "any")
    return ", ".join(kind) if isinstance(kind, list) else str(kind)


def _default(node: dict[str, Any]) -> str:
    if "default" not in node or node["default"] in (None, "", [], {}):
        return ""
    return f"`{json.dumps(node['default']).strip(chr(34))}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def events() -> str:
    """Return the page of all kinds of events."""
    rows = "\n".join(f"| `{kind}` | {meaning} |" for kind, meaning in sorted(KINDS.items()))
    titles = "\n".join(
        f"| `{kind}` | {title.format(subject='NAME')} |" for kind, title in sorted(TITLES.items())
    )
    return (
        f"# Events\n\n{NOTE}`holdfast events` shows them; `journal/*.jsonl` holds one object a line: `id` (unique and ordered per machine), `at`, "
        f"`kind`, `subject`, and facts. `severity` stands on those a person should hear of.\n\n| kind | meaning |\n|---|---|\n{rows}\n\n"
        f"## Told to people\n\nBeside the incidents of checks these are told whenever they happen, whatever the cooldown, as notices of the machine (`kind` `meta`). "
        f"The failure of a job is told by its check where it has one.\n\n| event | title |\n| --- | --- |\n{titles}\n"
    )


def states() -> str:
    """Return the page of states and their words, with the table of a service: the rule of each cell."""
    words = _words(
        ("desired", Desired),
        ("state", Actual),
        ("health", Health),
        ("restart reasons", Reason),
        ("waits", Wait),
    )
    told = _words(
        ("severity", Severity),
        ("kind of a check", CheckKind),
        ("who made a check", Origin),
        ("what a ping says", Signal),
        ("kind of a message", Telling),
        ("how far a message has come", Travel),
        ("delivery a channel prefers", Delivery),
        ("what began a run of a job", Trigger),
        ("what it came to", Result),
    )
    causes = "\n".join(f"| `{cause}` | {said} |" for cause, said in CAUSES.items())
    cells = "\n".join(
        f"| `{actual.value}` | {event.__name__} | {_first_line(rule)} |"
        for (actual, event), rule in sorted(
            TABLE.items(), key=lambda cell: (list(Actual).index(cell[0][0]), cell[0][1].__name__)
        )
    )
    return (
        f"# States\n\n{NOTE}## Checks, messages, jobs\n\n| fact | words |\n|---|---|\n{told}\n\n{TOLD_APART}\n"
        f"| `cause` | in a message |\n|---|---|\n{causes}\n\n"
        f"## A service\n\nThree facts are kept apart: what is wanted (`desired`), what is the case (`state`), how well it goes (`health`).\n\n"
        f"| fact | words |\n|---|---|\n{words}\n\n{DIAGRAM}\n### The table\n\nWhat is not in the table changes nothing.\n\n"
        f"| in state | when | then |\n|---|---|---|\n{cells}\n"
    )


def _words(*kinds: tuple[str, type[enum.Enum]]) -> str:
    return "\n".join(
        f"| {title} | {' '.join(f'`{member.value}`' for member in kind)} |"
        for title, kind in kinds
    )


TOLD_APART = """Of a check `severity` is what a look finds now, `confirmed` what counts ([how](../explain/alerting.md)). A message is `pending` until a channel is tried, and again after a try that may
be repeated, `sending` while it is, and ends `delivered`, `dead` (refused, or not taken for three days) or `superseded` (a newer one took its place before anybody had it).

`cause` sorts what a look finds:
"""

DIAGRAM = """```mermaid
stateDiagram-v2
    [*] --> down
    down --> waiting: start, something it needs is missing
    down --> starting: start
    waiting --> starting: all it needs is there
    starting --> running: ready
    starting --> failed: cannot be executed
    starting --> stopping: exit, stop, not ready in time
    running --> stopping: exit, stop, restart, lease over, failed probe
    stopping --> down: nothing is left, down is wanted
    stopping --> backoff: nothing is left, another start is due
    stopping --> held: nothing is left, the limit is used up
    stopping --> starting: nothing is left, planned restart
    stopping --> waiting: nothing is left, something it needs is gone
    stopping --> done: nothing is left, ended as wanted
    stopping --> failed: nothing is left, not to be started again
    stopping --> stuck: survived KILL
    stuck --> down: gone at last
    backoff --> starting: the moment has come, or a person
    held --> starting: the window is free, or a person
    running --> orphan: identity cannot be proved
```
"""


def _first_line(rule: object) -> str:
    return (inspect.getdoc(rule) or "").split("\n", maxsplit=1)[0]


def errors_page() -> str:
    """Return the page of the error tree with exit codes."""
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.HoldfastError) and kind.__module__ == errors.__name__
    ]
    rows = "\n".join(
        f"| `{kind.__name__}` | {kind.exit_code} | {_first_line(kind)} |" for kind in kinds
    )
    tree = inspect.getdoc(errors) or ""
    return f"# Errors\n\n{NOTE}```\n{tree}\n```\n\n| error | exit code | meaning |\n|---|---|---|\n{rows}\n"


def statefile_page() -> str:
    """Return the page of the state-file library: every public name with its signature and what it says of itself."""
    parts = [
        f"# State files as a library\n\n{NOTE}`holdfast.statefile` needs the standard library only, and loads each part when it is first used; the jq and Markdown parts load "
        "`jq` and `markdown-it-py`. How it works: [crash safety](../explain/crash-safety.md); from shell scripts: "
        "[state files for scripts](../how-to/state-files.md).\n"
    ]
    for name in sorted(statefile.__all__, key=str.lower):
        thing = getattr(statefile, name)
        parts.append(f"## {name}\n\n{_described(name, thing)}")
        if inspect.isclass(thing) and not issubclass(thing, enum.Enum):
            parts.extend(
                f"### {name}.{method}\n\n{_described(method, member)}"
                for method, member in vars(thing).items()
                if inspect.isfunction(member) and not method.startswith("_")
            )
    return "\n".join(parts)


def _described(name: str, thing: Any) -> str:
    text = inspect.getdoc(thing) or ""
    if inspect.isclass(thing) and issubclass(thing, enum.Enum):
        text += f"\n\nValues: {' '.join(str(member.value) for member in thing)}"
        return f"```text\n{name}\n\n{text}\n```\n"
    if inspect.isclass(thing) and "__init__" not in vars(thing):
        fields = " ".join(getattr(thing, "_fields", getattr(thing, "__dataclass_fields__", ())))
        return f"```text\n{name}: {fields}\n\n{text}\n```\n"
    found = inspect.signature(thing)
    plain = [
        one.replace(annotation=inspect.Parameter.empty) if one.name != "self" else one
        for one in found.parameters.values()
    ]
    shown = found.replace(parameters=plain, return_annotation=inspect.Signature.empty)
    return f"```text\n{name}{_tidy(str(shown))}\n\n{text}\n```\n"


def _tidy(signature: str) -> str:
    """Return a signature without what no caller writes."""
    signature = re.sub(r"<Durability\.(\w+): '\w+'>", r"Durability.\1", signature)
    signature = re.sub(r", ops=<[^>]*>|, clock=None", "", signature).replace(", *)", ")")
    return (
        re.sub(r"<object object at 0x\w+>", "...", signature)
        .replace("(self, ", "(")
        .replace("(self)", "()")
    )


PAGES = {
    "commands.md": commands,
    "configuration.md": configuration,
    "events.md": events,
    "states.md": states,
    "errors.md": errors_page,
    "statefile.md": statefile_page,
}


def main() -> int:
    """Write every page; with `--check` write nothing and fail when one is out of date."""
    check = "--check" in sys.argv[1:]
    stale = []
    for name, page in PAGES.items():
        path, text = REFERENCE / name, page()
        if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            stale.append(name)
        elif not check:
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"out of date: {', '.join(stale)}; run: make docs", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
