"""What is passed over below a watched folder."""

import pytest

from holdfast.machine.watch.ignore import is_ignored


@pytest.mark.parametrize(
    "path",
    [
        ".git/index",
        "src/.git",
        "src/__pycache__/app.cpython-311.pyc",
        "__pycache__",
        "app.pyc",
        "notes.txt~",
        ".app.py.swp",
        ".app.py.swx",
        "src/4913",
        "#app.py#",
        ".#app.py",
        "app.py___jb_tmp___",
        ".goutputstream-A1B2C3",
        "node_modules/x/index.js",
    ],
)
def test_what_tools_and_editors_leave_is_ignored(path: str) -> None:
    assert is_ignored(path)


@pytest.mark.parametrize(
    "path", ["app.py", "src/git/app.py", ".gitignore", ".env", "a~b", "49131", "app.swift", "#a/b"]
)
def test_everything_else_is_not(path: str) -> None:
    assert not is_ignored(path)
