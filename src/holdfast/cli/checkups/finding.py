"""One thing the doctor looked at, and what came of it."""

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How well a thing is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was looked at, what was found, and what to do about it where it is not well."""

    check: str
    grade: Grade
    found: str
    advice: str = ""


def well(check: str, found: str) -> Finding:
    """Return a finding that asks for nothing."""
    return Finding(check=check, grade=Grade.OK, found=found)


def warning(check: str, found: str, advice: str) -> Finding:
    """Return a finding that works and may disappoint."""
    return Finding(check=check, grade=Grade.WARN, found=found, advice=advice)


def failure(check: str, found: str, advice: str) -> Finding:
    """Return a finding that keeps Holdfast from its work."""
    return Finding(check=check, grade=Grade.FAIL, found=found, advice=advice)
