"""The effective configuration as people and programs see it."""

import json
import tomllib
from pathlib import Path

from holdfast.config.load import load
from holdfast.config.show import plain, render

ENVIRON = {"HOME": "/home/ann", "TOPIC": "my-secret-topic"}
DESIGN = Path(__file__).with_name("design.toml")


def test_what_is_shown_loads_again_and_means_the_same(tmp_path: Path) -> None:
    first = tmp_path / "holdfast.toml"
    text = DESIGN.read_text(encoding="utf-8")
    first.write_text(
        text.replace("ntfys://ntfy.example/topic", "desktop://")
        + """
[service.db]
command = ["db", "$$x", "a\\"b\\\\c\\u007f", "é\\n"]
instances = 2
needs = {}
[service.db.restart]
limit = "none"
min_gap = "0s"
"""
    )
    settings = load(first, ENVIRON)
    second = tmp_path / "again" / "holdfast.toml"
    second.parent.mkdir()
    second.write_text(render(settings), encoding="utf-8")

    again = load(second, {})

    assert again.services == settings.services
    assert again.document.backup == settings.document.backup
    assert again.steps == settings.steps
    assert plain(again) == plain(settings)


def test_defaults_are_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "holdfast.toml"
    path.write_text('[defaults.stop]\ntimeout = "3s"\n[service.a]\ncommand = "x y"\n')

    shown = tomllib.loads(render(load(path, ENVIRON)))

    assert shown["service"]["a"]["command"] == ["x", "y"]
    assert shown["service"]["a"]["cwd"] == str(tmp_path)
    assert shown["service"]["a"]["stop"] == {"signal": "TERM", "timeout": "3s"}
    assert shown["service"]["a"]["restart"]["limit"] == "3/1h"
    assert shown["hub"]["listen"] == "127.0.0.1:8484"


def test_no_secret_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "holdfast.toml"
    token = tmp_path / "token"
    token.write_text("hidden-token")
    token.chmod(0o600)
    path.write_text("""
[hub]
database = "postgresql://ann:hidden@db/x"
url = "https://hub.example"
token_file = "token"
[service.a]
command = ["x", "--password", "hidden", "--api-key=hidden", "http://ann:hidden@host/", "plain"]
env = { DB_PASSWORD = "hidden", API_KEY = "hidden", PORT = "80", URL = "redis://:hidden@host" }
[notify.phone]
url = "ntfys://ntfy.example/${TOPIC}"
[notify.disk]
url = "file:///var/log/told"
""")
    settings = load(path, ENVIRON)

    text = render(settings) + json.dumps(plain(settings))

    assert "hidden" not in text.replace("hidden-", "").replace(str(tmp_path), "")
    assert "hidden-token" not in text
    assert "my-secret-topic" not in text
    assert '"ntfys://***"' in text
    assert "postgresql://ann:***@db/x" in text
    assert "file:///var/log/told" in text
    assert '"80"' in text
    assert "plain" in text
