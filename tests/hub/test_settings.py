import json
import socket
from pathlib import Path

import pytest

from holdfast.errors import ConfigError
from holdfast.home import Home
from holdfast.hub.settings import read_settings
from holdfast.model.hub import HubSettings
from holdfast.model.wire import to_plain


def test_the_settings_are_those_the_supervisor_left(tmp_path: Path) -> None:
    left = HubSettings(machine="box", listen="127.0.0.1:9", dead_man_every=5.0)
    home = Home(tmp_path)
    home.config_pointer.write_text(json.dumps({"hub": to_plain(left)}))

    assert read_settings(home) == left


def test_a_home_without_settings_goes_by_the_defaults_and_the_host_name(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert read_settings(home) == HubSettings(machine=socket.gethostname())

    home.config_pointer.write_text(json.dumps({"config": "/x"}))
    assert read_settings(home) == HubSettings(machine=socket.gethostname())


@pytest.mark.parametrize("text", ["{", '{"hub": 3}', '{"hub": {"listen": 8484}}'])
def test_settings_that_cannot_be_read_are_refused_with_their_place(
    tmp_path: Path, text: str
) -> None:
    home = Home(tmp_path)
    home.config_pointer.write_text(text)

    with pytest.raises(ConfigError, match=r"config\.json"):
        read_settings(home)
