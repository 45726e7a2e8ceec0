"""What the programs of the hub are given."""

import pytest

from holdfast.hub.environment import of_a_program


def test_a_program_of_the_hub_is_not_taken_for_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOLDFAST_SERVICE", "NOTIFY_SOCKET", "WATCHDOG_USEC"):
        monkeypatch.setenv(name, "hub")
    monkeypatch.setenv("HOLDFAST_INSTANCE", "by which what it leaves behind is found")

    given = of_a_program({"HOLDFAST_TITLE": "hello"})

    assert given["HOLDFAST_TITLE"] == "hello"
    assert "PATH" in given
    assert "HOLDFAST_INSTANCE" in given
    assert not {"HOLDFAST_SERVICE", "NOTIFY_SOCKET", "WATCHDOG_USEC"} & given.keys()
