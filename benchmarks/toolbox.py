"""Get the programs that the benchmark needs: compile them, or install them into a private cache."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PYTHON_PACKAGES = {
    "atomicwriter": "0.3.0",
    "atomicwrites": "1.4.1",
    "boltons": "26.2.0",
    "circus": "0.19.0",
    "filelock": "4.2.11",
    "safer": "6.1.0",
    "supervisor": "4.3.0",
}
NPM_PACKAGES = {"pm2": "7.0.4", "write-file-atomic": "7.0.1"}
MAX_INSTALL_SECONDS = 300


class NotInstalledError(Exception):
    """A program that a peer needs is not there and cannot be installed; the message says why."""


class Toolbox:
    """Finds each program once and remembers why one is missing."""

    def __init__(self, *, cache: Path, built: Path) -> None:
        self.versions: dict[str, str] = {}
        self._cache = cache
        self._built = built
        self._found: dict[str, Path | NotInstalledError] = {}

    def compiled(self, name: str, *flags: str) -> Path:
        """Compile ``NAME.c`` beside this file with cc."""
        return self._once(f"compiled {name}", lambda: self._compile(name, flags))

    def python_script(self, package: str, script: str) -> Path:
        """Return a script of a package from PyPI, installed into a virtual environment of its own."""
        return self._once(f"python {package}", lambda: self._install_python(package)) / script

    def python_library(self, package: str) -> Path:
        """Return the folder from which a package from PyPI is imported, as `python_script` installs it."""
        scripts = self.python_script(package, "")
        return next(scripts.parent.glob("lib/python*/site-packages"))

    def npm_script(self, package: str, script: str) -> Path:
        """Return a file of a package from npm, installed under a prefix of its own."""
        return self._once(f"npm {package}", lambda: self._install_npm(package)) / script

    def unpacked_debian(self, package: str, program: str) -> Path:
        """Return a program on PATH, else from a Debian package that is unpacked into the cache, not installed."""
        return self._once(f"unpacked {program}", lambda: self._unpack(package, program))

    def installed_debian(self, package: str, program: str) -> Path:
        """Return a program on PATH, after installing its Debian package when this user may."""
        return self._once(f"installed {program}", lambda: self._install_debian(package, program))

    def on_path(self, program: str) -> Path:
        """Return a program on PATH."""
        return self._once(f"path {program}", lambda: _on_path(program))

    def holdfast(self) -> Path:
        """Return the command of the checkout, or of the environment that runs this benchmark."""
        return self._once("holdfast", _find_holdfast)

    def _once(self, key: str, find: Callable[[], Path]) -> Path:
        if key not in self._found:
            try:
                self._found[key] = find()
            except NotInstalledError as missing:
                self._found[key] = missing
        found = self._found[key]
        if isinstance(found, NotInstalledError):
            raise found
        return found

    def _compile(self, name: str, flags: Sequence[str]) -> Path:
        program = self._built / name
        _run([str(_on_path("cc")), "-O2", *flags, "-o", str(program), str(HERE / f"{name}.c")])
        return program

    def _install_python(self, package: str) -> Path:
        version = PYTHON_PACKAGES[package]
        folder = (
            self._cache / f"{package}-{version}-py{sys.version_info.major}{sys.version_info.minor}"
        )
        if not (folder / "complete").exists():
            _fresh(folder)
            _run([sys.executable, "-m", "venv", *_without_pip(), str(folder)])
            _run([*_pip(folder / "bin" / "python"), f"{package}=={version}"])
            (folder / "complete").touch()
        self.versions[package] = version
        return folder / "bin"

    def _install_npm(self, package: str) -> Path:
        version = NPM_PACKAGES[package]
        folder = self._cache / f"{package}-{version}"
        if not (folder / "complete").exists():
            npm = _on_path("npm")
            _fresh(folder)
            quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
            _run([str(npm), "install", *quiet, "--prefix", str(folder), f"{package}@{version}"])
            (folder / "complete").touch()
        self.versions[package] = version
        return folder / "node_modules" / package

    def _unpack(self, package: str, program: str) -> Path:
        if found := shutil.which(program):
            return Path(found)
        folder = self._cache / f"debian-{package}"
        if not (folder / "complete").exists():
            apt_get = _on_path("apt-get")
            _fresh(folder)
            _run([str(apt_get), "download", package], cwd=folder, again_after=_update_lists)
            _run(["dpkg-deb", "-x", str(next(folder.glob("*.deb"))), str(folder)])
            (folder / "complete").touch()
        self.versions[package] = next(folder.glob("*.deb")).name.split("_")[1].replace("%3a", ":")
        return folder / "usr" / "bin" / program

    def _install_debian(self, package: str, program: str) -> Path:
        if not shutil.which(program):
            if sys.platform == "win32" or os.geteuid() != 0:
                raise NotInstalledError(
                    f"{program} is not on PATH, and only root may install {package}"
                )
            command = ["apt-get", "install", "--yes", "--no-install-recommends", package]
            _run([str(_on_path("apt-get")), *command[1:]], again_after=_update_lists)
        self.versions[package] = _run(["dpkg-query", "-W", "-f", "${Version}", package])
        return _on_path(program)


def _on_path(program: str) -> Path:
    found = shutil.which(program)
    if found is None:
        raise NotInstalledError(f"{program} is not on PATH")
    return Path(found)


def _find_holdfast() -> Path:
    for place in (ROOT / ".venv" / "bin" / "holdfast", Path(sys.executable).parent / "holdfast"):
        if place.exists():
            return place
    raise NotInstalledError("holdfast stands neither in .venv/bin nor beside this Python")


def _uv() -> str | None:
    here = ROOT / ".tools" / "bin" / "uv"
    return str(here) if here.exists() else shutil.which("uv")


def _without_pip() -> list[str]:
    return ["--without-pip"] if _uv() else []


def _pip(python: Path) -> list[str]:
    if uv := _uv():
        return [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python)]
    return [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def _fresh(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _update_lists() -> None:
    if sys.platform != "win32" and os.geteuid() == 0:
        _run([str(_on_path("apt-get")), "update", "--quiet"])


def _run(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    again_after: Callable[[], None] | None = None,
) -> str:
    """Run a command; raise NotInstalledError with its last line when it fails, a second time if told to try again."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            timeout=MAX_INSTALL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalledError(f"{command[0]}: {error}") from error
    if done.returncode == 0:
        return done.stdout
    if again_after is not None:
        again_after()
        return _run(command, cwd=cwd)
    last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
    raise NotInstalledError(f"{Path(command[0]).name} ended with {done.returncode}: {last}")
