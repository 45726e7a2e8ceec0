"""The style of a text is what can be seen in it."""

import pytest

from holdfast.statefile.jsondoc.layout import Style, style_of


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("1", Style(indent=None)),
        ('{"a":1}', Style(indent=None, comma=",", colon=":")),
        ('{"a": 1, "b": 2}', Style(indent=None)),
        ('["a,b", ":", "c\\",:"]', Style(indent=None)),
        ('["a" ,":b"]', Style(indent=None, comma=" ,")),
        ('{\n\t"a": [1,2],\n\t"b": 2\n}', Style(indent="\t", comma=",")),
        ('{\n"a" : 1, \n"b" : 2\n}', Style(indent="", line_comma=", ", colon=" : ")),
        ('\ufeff{\r\n  "a": 1\r\n}', Style(newline="\r\n")),
        ('{\r   "a": 1\r}', Style(indent="   ", newline="\r")),
        (r'["\u00e9"]', Style(indent=None, escapes=True)),
        (r'["\u0001", "\\u00e9"]', Style(indent=None)),
        (r'["\u00e9", "é"]', Style(indent=None)),
    ],
)
def test_a_text_shows_its_style(text: str, style: Style) -> None:
    assert style_of(text) == style._replace(source=text)


def test_a_colon_inside_a_string_is_no_separator() -> None:
    assert style_of('{"a : b": ["x" , "y : z"]}').colon == ": "
