"""A fresh home, seen by a program that no supervisor runs."""

from pathlib import Path

import pytest

from holdfast.home import Home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in ("SERVICE", "GENERATION", "LOG_LEVEL"):
        monkeypatch.delenv(f"HOLDFAST_{name}", raising=False)
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path / "home"))
    return Home(tmp_path / "home")
