"""What is to be started at boot, in words of a command line."""

from dataclasses import replace

from holdfast.machine.boot.entry import Boot, Scope

BOOT = Boot(name="n", scope=Scope.USER, home="/h", config=None, python="/py", path="/bin")


def test_it_runs_on_the_python_it_was_installed_with() -> None:
    assert BOOT.holdfast == ("/py", "-P", "-m", "holdfast")


def test_a_configuration_is_named_only_where_one_was_chosen() -> None:
    assert BOOT.config_option == ()
    assert replace(BOOT, config="/etc/x.toml").config_option == ("-c", "/etc/x.toml")
