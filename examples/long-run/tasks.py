"""What a task can do: each verb is a function from what is known to what came out."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from plans import Task

Product = dict[str, object]


class Known(NamedTuple):
    """What a task may look at: the texts, what the plan has made so far, and what a person answered."""

    texts: Path
    products: list[Product]
    answer: str | None


class Found(NamedTuple):
    """What came out: the product, and an issue that somebody should look at later, if there is one."""

    product: Product
    issue: str | None = None


class Waiting(Exception):
    """The task cannot go on before a person has answered."""


class Failed(Exception):
    """The task cannot be done; the plan ends here."""


def perform(task: Task, known: Known) -> Found:
    """Do one task.

    Raises:
        Waiting: it asks something, and nobody has answered yet.
        Failed: nobody knows how to do it, or what it needs is missing.
    """
    if task.verb not in _VERBS:
        raise Failed(f"nobody knows how to {task.verb}; the verbs are {', '.join(_VERBS)}")
    return _VERBS[task.verb](task.about, known)


def _count(about: str, known: Known) -> Found:
    try:
        words = (known.texts / about).read_text("utf-8").split()
    except OSError as error:
        raise Failed(f"{about} cannot be read: {error.strerror}") from error
    return Found({"words": len(words)}, None if words else f"{about} holds no word")


def _total(_: str, known: Known) -> Found:
    counts = [product["words"] for product in known.products]
    return Found({"total": sum(count for count in counts if isinstance(count, int))})


def _ask(about: str, known: Known) -> Found:
    if known.answer is None:
        raise Waiting(about)
    return Found({"answer": known.answer})


_VERBS: dict[str, Callable[[str, Known], Found]] = {"count": _count, "total": _total, "ask": _ask}
