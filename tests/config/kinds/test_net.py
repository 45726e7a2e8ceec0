"""Addresses."""

import pytest

from holdfast.config.kinds.net import is_loopback, split_address
from holdfast.config.unfit import Unfit


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8484", ("127.0.0.1", 8484)),
        ("[::1]:80", ("::1", 80)),
        (":80", ("", 80)),
        ("hub.example:0", ("hub.example", 0)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, address: tuple[str, int]) -> None:
    assert split_address(text) == address


@pytest.mark.parametrize("text", ["", "80", "host", "::1:80", "[x]:80", "a b:80", "h:65536", "h:"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Unfit):
        split_address(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.255.0.9", "::1", "localhost"])
def test_loopback_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "10.0.0.1", "localhost.example", "host"])
def test_everything_else_is_open(host: str) -> None:
    assert not is_loopback(host)
