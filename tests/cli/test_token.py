"""`holdfast token`: who may ask the hub, with no hub running."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from holdfast.home import Home

if TYPE_CHECKING:
    from tests.cli.conftest import Done


def test_a_new_token_is_shown_alone_on_stdout_and_then_never_again(
    run: "Callable[..., Done]", home: Home
) -> None:
    made = run("token", "create", "ci", "--scope", "ping", "--scope", "read")

    assert made.code == 0
    assert re.fullmatch(r"hf_[\w-]{43}\n", made.out)
    assert "shown this once" in made.err
    listed = run("token", "list")
    assert listed.lines[1].split()[:4] == ["1", "ci", "ping", "read"]
    assert made.out.strip() not in listed.out
    assert made.out.strip().encode() not in home.hub_db.read_bytes()


def test_json_tells_what_the_table_tells(run: "Callable[..., Done]", home: Home) -> None:
    made = run("token", "create", "ci", "--scope", "ping", "--expires", "90d", "--json").json

    assert made.pop("token").startswith("hf_")
    assert made["expires_at"] > made["made_at"]
    assert run("token", "list", "--json").json == [made]


def test_a_revoked_token_is_gone_from_the_list(run: "Callable[..., Done]", home: Home) -> None:
    run("token", "create", "ci", "--scope", "ping")

    assert run("token", "revoke", "1").lines == ["token 1 (ci) counts no more"]
    assert run("token", "list").lines == [
        "there are no tokens; `holdfast token create NAME --scope read` makes one"
    ]
    again = run("token", "revoke", "1")
    assert again.code == 2
    assert "there is no token 1" in again.err


def test_a_token_needs_a_scope_that_exists(run: "Callable[..., Done]", home: Home) -> None:
    for words in (("ci",), ("ci", "--scope", "root"), ("ci", "--scope", "read", "--expires", "x")):
        assert run("token", "create", *words).code == 2
    assert not home.hub_db.exists()
