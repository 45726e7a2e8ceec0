from dataclasses import replace

import pytest

from holdfast.errors import UnknownName, UsageError
from holdfast.hub import access, keys
from holdfast.hub.access import Scope, Token
from holdfast.hub.store.interface import Tx
from holdfast.model.service import Now

NOW = Now(wall=1_000_000.0, mono=50.0, boot_id="boot")


def later(seconds: float) -> Now:
    return replace(NOW, wall=NOW.wall + seconds)


def make(tx: Tx, secret: str = "hf_one", *scopes: Scope, expires_at: float | None = None) -> Token:
    return access.create(
        tx, secret, NOW, name="grafana", scopes=scopes or (Scope.READ,), expires_at=expires_at
    )


def test_a_token_is_known_by_its_secret_alone(tx: Tx) -> None:
    made = make(tx, "hf_one", Scope.READ, Scope.PING)

    assert access.verify(tx, "hf_one", NOW) == made
    assert made.scopes == {Scope.READ, Scope.PING}
    for wrong in ("hf_two", "hf_one ", "HF_ONE", "one", ""):
        assert access.verify(tx, wrong, NOW) is None


def test_the_secret_itself_is_nowhere_in_the_database(tx: Tx) -> None:
    make(tx, "hf_one")

    row = tx.one("access.token", hash=access.digest("hf_one"))

    assert row is not None
    assert "hf_one" not in map(str, row.values())
    assert len(access.digest("hf_one")) == 64


def test_a_token_is_good_for_its_scopes_and_admin_for_everything(tx: Tx) -> None:
    reader, admin = make(tx, "hf_one", Scope.READ), make(tx, "hf_two", Scope.ADMIN)

    assert [scope for scope in Scope if reader.allows(scope)] == [Scope.READ]
    assert all(admin.allows(scope) for scope in Scope)


def test_a_token_counts_until_it_expires_or_is_revoked(tx: Tx) -> None:
    passing = make(tx, "hf_one", expires_at=NOW.wall + 10)
    lasting = make(tx, "hf_two")
    assert access.verify(tx, "hf_one", later(9.9)) == passing
    assert access.verify(tx, "hf_one", later(10)) is None

    assert access.revoke(tx, lasting.id, later(5)).revoked_at == NOW.wall + 5
    assert access.verify(tx, "hf_two", later(5)) is None
    assert access.tokens(tx) == [passing]
    with pytest.raises(UnknownName, match=f"no token {lasting.id}"):
        access.revoke(tx, lasting.id, later(6))


def test_a_token_without_a_scope_or_with_a_known_secret_is_refused(tx: Tx) -> None:
    with pytest.raises(UsageError, match=r"no scope.*admin agent machine ping read"):
        access.create(tx, "hf_one", NOW, name="x", scopes=())
    first = make(tx, "hf_one")
    with pytest.raises(UsageError, match="known already"):
        make(tx, "hf_one", Scope.ADMIN)
    assert access.verify(tx, "hf_one", NOW) == first


def test_adopting_a_known_secret_changes_nothing_of_it(tx: Tx) -> None:
    first = access.adopt(tx, "hf_one", NOW, name="home", scopes=(Scope.ADMIN,))
    access.revoke(tx, first.id, NOW)

    again = access.adopt(tx, "hf_one", later(9), name="home", scopes=(Scope.ADMIN,))

    assert again == replace(first, revoked_at=NOW.wall)
    assert access.verify(tx, "hf_one", later(9)) is None


def test_a_login_becomes_one_session(tx: Tx) -> None:
    until = access.begin_login(tx, "hf_login", NOW, scopes=(Scope.ADMIN,))
    assert until == NOW.wall + access.LOGIN_LASTS_S
    assert access.verify(tx, "hf_login", NOW) is None

    session = access.redeem(tx, "hf_login", "hf_session", later(1))

    assert session is not None
    assert access.verify(tx, "hf_session", later(2)) == session
    assert access.redeem(tx, "hf_login", "hf_other", later(2)) is None
    assert access.verify(tx, "hf_session", later(2 + access.SESSION_LASTS_S)) is None
    assert access.tokens(tx) == []


def test_a_login_that_waited_too_long_is_worth_nothing(tx: Tx) -> None:
    access.begin_login(tx, "hf_login", NOW, scopes=(Scope.READ,))

    assert access.redeem(tx, "hf_login", "hf_session", later(access.LOGIN_LASTS_S)) is None


def test_what_is_over_does_not_pile_up(tx: Tx) -> None:
    for number in range(3):
        at = later(number * 2 * access.SESSION_LASTS_S)
        access.begin_login(tx, f"hf_unused_{number}", at, scopes=(Scope.READ,))
        access.begin_login(tx, f"hf_login_{number}", at, scopes=(Scope.READ,))
        access.redeem(tx, f"hf_login_{number}", f"hf_session_{number}", at)

    held = [access.digest(f"hf_session_{number}") for number in range(3)]
    assert [tx.one("access.token", hash=each) is not None for each in held] == [False, False, True]


def test_a_secret_is_long_and_never_the_same() -> None:
    drawn = {keys.new_secret() for _ in range(100)}

    assert len(drawn) == 100
    assert all(secret.startswith("hf_") and len(secret) == 46 for secret in drawn)


def test_json_shows_everything_but_the_secret(tx: Tx) -> None:
    made = make(tx, "hf_one", Scope.READ, Scope.PING, expires_at=NOW.wall + 1)

    assert access.as_row(made) == {
        "id": made.id,
        "name": "grafana",
        "scopes": ["ping", "read"],
        "made_at": "1970-01-12T13:46:40.000Z",
        "expires_at": "1970-01-12T13:46:41.000Z",
    }


def test_a_token_with_an_end_that_no_year_can_be_written_for_is_refused(tx: Tx) -> None:
    for expires_at in (NOW.wall, NOW.wall + 1e12):
        with pytest.raises(UsageError, match="at most for a century"):
            access.create(
                tx, "hf_x", NOW, name="x", scopes=[access.Scope.READ], expires_at=expires_at
            )
    assert access.tokens(tx) == []
