import pytest

from holdfast.errors import StoreError
from holdfast.hub.store import migrate
from holdfast.hub.store.migrate import Migration

ONE = Migration(name="0001_a", sql="CREATE TABLE a (x);")
TWO = Migration(name="0002_b", sql="CREATE TABLE b (x);")
THREE = Migration(name="0003_c", sql="CREATE TABLE c (x);")
PROGRAM = (ONE, TWO, THREE)


def recorded(*had: Migration) -> dict[str, str]:
    return {each.name: each.checksum for each in had}


@pytest.mark.parametrize("count", range(4))
def test_what_comes_after_what_was_taken_is_lacking(count: int) -> None:
    had = recorded(*PROGRAM[:count])

    assert migrate.pending(PROGRAM, had, database="hub.db") == PROGRAM[count:]


@pytest.mark.parametrize(
    ("had", "message"),
    [
        (recorded(*PROGRAM) | {"0004_d": "x"}, "newer Holdfast: it has 0004_d.*up to 0003_c"),
        (recorded(ONE) | {"0002_b": "x"}, "another 0002_b than this program"),
        (recorded(ONE, THREE), "lacks 0002_b and has 0003_c"),
    ],
)
def test_tables_this_program_does_not_know_are_refused(had: dict[str, str], message: str) -> None:
    with pytest.raises(StoreError, match=message):
        migrate.pending(PROGRAM, had, database="hub.db")


def test_the_shipped_ones_are_numbered_without_a_gap() -> None:
    numbers = [int(each.name.partition("_")[0]) for each in migrate.shipped()]

    assert numbers == list(range(1, len(numbers) + 1))
