"""What is covered before a configuration is shown."""

import pytest

from holdfast.config.mask import is_secret_name, mask_channel, mask_text, masked


@pytest.mark.parametrize(
    "name", ["PASSWORD", "DB_PASS", "API_KEY", "key", "GITHUB_TOKEN", "--api-key", "clientSecret"]
)
def test_names_of_secrets_are_known(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["PORT", "KEYBOARD", "MONKEY", "PATH", "PASSENGERS", "AUTHOR"])
def test_other_names_are_left_alone(name: str) -> None:
    assert not is_secret_name(name)


def test_only_the_password_of_a_url_is_covered() -> None:
    assert mask_text("a https://ann:pw@host:1/x?y b") == "a https://ann:***@host:1/x?y b"
    assert mask_text("https://host:1/x@y") == "https://host:1/x@y"


def test_a_channel_keeps_its_scheme() -> None:
    assert mask_channel("tgram://token/chat") == "tgram://***"
    assert mask_channel("desktop://") == "desktop://"


def test_tables_are_covered_all_the_way_down() -> None:
    plain = {"job": {"j": {"env": {"TOKEN": "x", "N": "y"}, "keep": 3, "list": [{"a": "b"}]}}}

    assert masked(plain) == {
        "job": {"j": {"env": {"TOKEN": "***", "N": "y"}, "keep": 3, "list": [{"a": "b"}]}}
    }
