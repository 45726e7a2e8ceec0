"""`holdfast state section`: change one key or one section of a Markdown file, and no other byte."""

import argparse

from holdfast.cli.state import terms
from holdfast.cli.state.change import changed
from holdfast.errors import InvalidContent, UsageError
from holdfast.statefile import markdown
from holdfast.statefile.content import Kind


def run(options: argparse.Namespace) -> int:
    """Change what the name means.

    Raises:
        InvalidContent: it means nothing, several things, or the text is empty or does not fit there.
        UsageError: what was said of the name does not go together.
    """
    is_key = _is_key(options)
    file = terms.state_file(options, Kind.TEXT)
    new = "" if options.mode == "delete" else _new_text(options)
    try:
        return changed(
            options,
            lambda guard: file.update(lambda old: _edited(options, is_key, old, new), **guard),
        )
    except markdown.MarkdownError as error:
        raise InvalidContent(f"{options.path} is as it was: {error}", path=options.path) from error


def _new_text(options: argparse.Namespace) -> str:
    """Return the text on stdin.

    Raises:
        InvalidContent: there is none, as after a command that failed.
    """
    text = terms.stdin_text(options.path)
    if text or options.allow_empty:
        return text
    raise InvalidContent(
        f'the text for "{options.name}" from stdin is empty; {options.path} is as it was; '
        "--allow-empty takes it all the same",
        path=options.path,
    )


def _is_key(options: argparse.Namespace) -> bool | None:
    """Return what the options say of the name; None when only the file can tell.

    Raises:
        UsageError: they contradict each other, or say too little to create it.
    """
    is_key = options.key or options.every
    is_heading = options.heading or options.mode is not None
    if is_key and is_heading:
        raise UsageError(
            "--key and --all are for keys; --heading, --append, --prepend, --append-item and --delete for "
            "sections: say one of both"
        )
    if options.create and not (is_key or is_heading):
        raise UsageError("--create needs to know what to create: say --key or --heading")
    return True if is_key else False if is_heading else None


def _edited(options: argparse.Namespace, is_key: bool | None, old: str, new: str) -> str:
    if is_key is None:
        is_key = _means_key(options, old)
    if not is_key:
        return markdown.set_section(
            old,
            options.name,
            new,
            mode=options.mode or "replace",
            within=options.within,
            create=options.create,
        )
    value = new.removesuffix("\n").removesuffix("\r")
    return markdown.set_key(
        old, options.name, value, within=options.within, every=options.every, create=options.create
    )


def _means_key(options: argparse.Namespace, old: str) -> bool:
    found = markdown.kinds(old, options.name, within=options.within)
    if found.keys and found.sections:
        lines = ", ".join(map(str, [*found.keys, *(one.first_line for one in found.sections)]))
        raise markdown.Ambiguous(
            f'"{options.name}" is a key and a heading (lines {lines}); say --key or --heading'
        )
    if not found.keys and not found.sections:
        raise markdown.NoMatch(
            f'no line gives a key "{options.name}" a value, and no heading is called that; '
            "add it with --create and --key or --heading"
        )
    return bool(found.keys)
