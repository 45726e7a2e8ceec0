from collections.abc import Callable

import pytest

from holdfast.cli import known
from holdfast.errors import UnknownName
from holdfast.home import Home


def test_services_are_those_with_a_record(home: Home, record: Callable[..., None]) -> None:
    record("api")
    (home.services / "api.json.corrupt-1").touch()
    (home.services / ".api.lock").touch()

    assert known.services(home) == {"api"}


def test_logs_are_those_with_a_file(home: Home) -> None:
    for name in ("api.log", "api.log.1", ".health.log.lock", "policy-hits.log"):
        (home.logs / name).touch()

    assert known.logs(home) == {"api", "policy-hits"}


def test_a_home_that_does_not_exist_knows_nothing(home: Home) -> None:
    nowhere = Home(home.root / "nowhere")

    assert known.services(nowhere) == known.logs(nowhere) == frozenset()


def test_a_slip_is_answered_with_the_name_meant() -> None:
    with pytest.raises(UnknownName, match="no service 'apj'; did you mean api"):
        known.require(["db", "apj"], {"api", "db"}, "service")


def test_a_name_from_nowhere_is_answered_with_all_there_are() -> None:
    with pytest.raises(UnknownName, match="known: api, db"):
        known.require(["zzz"], {"api", "db"}, "service")
