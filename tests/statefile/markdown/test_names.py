"""One word finds a key or a heading, and a caller is told which."""

import subprocess
import sys

import pytest

from holdfast.statefile.markdown import (
    MarkdownError,
    NoMatch,
    get_key,
    get_section,
    kinds,
    outline,
    set_key,
    set_section,
)

STATE = """---
Status: front
---
# State

Status: running
Owner: a

## Blockers

- none

## Owner

b
"""


def test_the_outline_names_every_section_and_its_lines() -> None:
    assert [(s.path, s.level, s.first_line, s.last_line) for s in outline(STATE)] == [
        (("State",), 1, 4, 15),
        (("State", "Blockers"), 2, 9, 12),
        (("State", "Owner"), 2, 13, 15),
    ]


@pytest.mark.parametrize(
    ("name", "within", "keys", "headings"),
    [
        ("Status", None, (6,), ()),
        ("Blockers", None, (), (9,)),
        ("Owner", None, (7,), (13,)),
        ("Owner", "State/", (7,), ()),
        ("State/Owner", None, (), (13,)),
        ("Nothing", None, (), ()),
    ],
)
def test_a_name_is_told_to_be_a_key_or_a_heading(
    name: str, within: str | None, keys: tuple[int, ...], headings: tuple[int, ...]
) -> None:
    for text in (STATE, "\ufeff" + STATE):
        found = kinds(text, name, within=within)

        assert found.keys == keys
        assert tuple(section.first_line for section in found.sections) == headings


def test_a_name_without_a_place_for_it_is_an_error() -> None:
    with pytest.raises(NoMatch, match='"State/Blockers"'):
        kinds(STATE, "Status", within="Nowhere")


def test_every_error_is_a_value_error() -> None:
    assert issubclass(MarkdownError, ValueError)


def test_keys_and_sections_do_not_disturb_each_other() -> None:
    changed = set_section(set_key(STATE, "Status", "done"), "Blockers", "x", mode="append-item")

    assert get_key(changed, "Status") == "done"
    assert get_section(changed, "Blockers") == "- none\n- x"
    assert changed == STATE.replace("running", "done").replace("- none\n", "- none\n- x\n")


def test_a_plain_key_is_changed_without_loading_the_parser() -> None:
    program = (
        "import sys; from holdfast.statefile.markdown import kinds, set_key\n"
        "text = '# T\\n\\nStatus: a `b`\\n\\nOwner: c\\n'\n"
        "assert set_key(text, 'Owner', 'd') == text.replace('c', 'd')\n"
        "assert kinds(text, 'Owner').keys == (5,)\n"
        "assert 'markdown_it' not in sys.modules\n"
    )

    subprocess.run([sys.executable, "-c", program], check=True)
