"""What the supervisor left for the hub to go by, in the file that remembers the configuration."""

import socket
from dataclasses import replace

from holdfast import statefile
from holdfast.errors import ConfigError, Problem, StateError
from holdfast.home import Home
from holdfast.model.hub import HubSettings
from holdfast.model.wire import from_plain


def read_settings(home: Home) -> HubSettings:
    """Return the settings of the hub of a home; the defaults where nobody has left any.

    Raises:
        ConfigError: they cannot be read.
    """
    try:
        found = statefile.read_json(home.config_pointer)
    except FileNotFoundError:
        found = None
    except StateError as error:
        raise _unreadable(home, error) from error
    plain = found.get("hub") if isinstance(found, dict) else None
    try:
        return _named(HubSettings() if plain is None else from_plain(HubSettings, plain))
    except ValueError as error:
        raise _unreadable(home, error) from error


def _named(settings: HubSettings) -> HubSettings:
    """Return the settings with a name for this machine: the one of the configuration, else that of the host."""
    return settings if settings.machine else replace(settings, machine=socket.gethostname())


def _unreadable(home: Home, error: Exception) -> ConfigError:
    what = f"the settings of the hub cannot be read: {error}"
    return ConfigError(
        (Problem(str(home.config_pointer), what, "write it anew: holdfast reload"),)
    )
