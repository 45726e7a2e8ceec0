import pytest

from holdfast.cli.state.printable import printable


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a b.json", "a b.json"),
        ("été.md", "été.md"),
        ("e\x1b[31m", "e\\x1b[31m"),
        ("a\nb\x9bc\x7f", "a\\nb\\x9bc\\x7f"),
        ("gnp\u202e.json", "gnp\\u202e.json"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(name: str, shown: str) -> None:
    assert printable(name) == shown
