import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.errors import HoldfastError, Refused
from holdfast.home import Home
from holdfast.hub.listen import address_of, check_safe, open_listeners, url_of
from holdfast.model.hub import HubSettings


@pytest.fixture
def taken() -> Iterator[int]:
    """Return a port of loopback that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.fixture
def last() -> Iterator[int]:
    """Return a port of loopback that the hub can have; Linux gives it to nobody else who takes any."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        port = int(held.getsockname()[1])
        if sys.platform == "linux":  # where another may listen on it before this one does
            yield port
            return
    yield port


def settings(port: int, *, chosen: bool = False) -> HubSettings:
    return HubSettings(listen=f"127.0.0.1:{port}", listen_chosen=chosen)


def port_of(home: Home, wanted: HubSettings) -> int:
    listeners = open_listeners(wanted, home)
    try:
        url = url_of(listeners, is_tls=False)
    finally:
        for listener in listeners:
            listener.close()
    return int(url.removeprefix("http://127.0.0.1:"))


def test_an_address_nobody_chose_gives_way_to_the_last_port_then_to_any(
    tmp_path: Path, taken: int, last: int
) -> None:
    home = Home(tmp_path)
    assert port_of(home, settings(taken)) not in (0, taken)

    home.hub_address.write_text(json.dumps({"url": f"http://127.0.0.1:{last}", "pid": 1}))
    assert port_of(home, settings(taken)) == last


def test_an_address_that_was_chosen_is_kept_or_refused_with_the_reason(
    tmp_path: Path, taken: int
) -> None:
    with pytest.raises(HoldfastError, match=f"cannot listen on 127.0.0.1:{taken}.*in use"):
        open_listeners(settings(taken, chosen=True), Home(tmp_path))


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [
        ("127.0.0.1:8484", "127.0.0.1", 8484),
        ("[::1]:80", "::1", 80),
        ("localhost:0", "localhost", 0),
        (":8484", "0.0.0.0", 8484),
    ],
)
def test_an_address_is_read(listen: str, host: str, port: int) -> None:
    assert address_of(listen) == (host, port)


@pytest.mark.parametrize("listen", ["127.0.0.1", "127.0.0.1:http", "127.0.0.1:70000", ""])
def test_what_is_no_address_is_refused(listen: str) -> None:
    with pytest.raises(Refused, match="no address to listen on"):
        address_of(listen)


def test_secrets_do_not_travel_in_the_clear() -> None:
    for listen in ("0.0.0.0:8484", "192.0.2.1:8484", "[::]:8484", "hub.example:8484"):
        with pytest.raises(Refused, match="TLS"):
            check_safe(HubSettings(listen=listen))
        check_safe(HubSettings(listen=listen, behind_proxy=True))
        check_safe(HubSettings(listen=listen, tls_cert_file="c.pem", tls_key_file="k.pem"))
    for listen in ("127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"):
        check_safe(HubSettings(listen=listen))
