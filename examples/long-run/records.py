"""What a run has on disk: each file whole at every instant, and those that belong together changed together."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from plans import Plan
from tasks import Product

from holdfast import statefile
from holdfast.clock import SystemClock, utc_text
from holdfast.errors import Corrupt
from holdfast.statefile import Durability, StateFile

MAX_ENTRIES = 50

_NO_HISTORY = {"version": "1.0", "max_entries": MAX_ENTRIES, "entries": []}
_SPAWNED = "spawned"
COMPLETED = "completed"
FAILED = "failed"
WAITING = "waiting"
INTERRUPTED = "interrupted"


class Done(NamedTuple):
    """One task that is done: as its plan writes it, and what came out."""

    task: str
    product: Product


class Ended(NamedTuple):
    """How the agent of a plan ended."""

    plan: Plan
    agent: str
    status: str
    why: str
    done: list[Done]


class Records:
    """The files of one run, in one folder that nobody else writes to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "STATE.md"
        self.issues = folder / "ISSUES.md"
        self.current = folder / "current-agent-id.txt"
        self.history = StateFile(folder / "agent-history.json")
        self.checkpoint = StateFile(folder / "checkpoint.json")
        self.clarifications = StateFile(folder / "clarifications.md")
        self.summaries = folder / "summaries"

    def mend(self, plans: list[Plan]) -> None:
        """Bring into agreement what a killed run left, and restore a history that the disk has lost."""
        for path in (self.checkpoint.path, self.history.path):
            # Who locks a file first finishes, or undoes, what a dead writer began to change together;
            # who only reads would still see the old content.
            with statefile.locked(path):
                pass
        try:
            entries = self._history()["entries"]
        except Corrupt:
            entries = self._restored()["entries"]
        self.current.unlink(missing_ok=True)
        for entry in entries:
            if entry["status"] == _SPAWNED:
                self._end(plans, entry["agent_id"], self._how_it_ended(entry))

    def _history(self) -> dict[str, Any]:
        try:
            found = self.history.read()
        except FileNotFoundError:
            found = None
        return found if isinstance(found, dict) else {**_NO_HISTORY, "entries": []}

    def _restored(self) -> dict[str, Any]:
        """Take the history from what is whole beside it, else make it anew from the summaries."""
        try:
            self.history.recover()
        except Corrupt:
            statefile.rebuild(self.folder)
        return self._history()

    def _how_it_ended(self, entry: dict[str, str]) -> str:
        """Return the status the summary gives, when the run was killed after it had written that."""
        said = self._summary(entry["plan"])
        return said["status"] if said.get("agent") == entry["agent_id"] else INTERRUPTED

    def is_done(self, plan: Plan) -> bool:
        """Tell whether a plan is completed: its summary says so, and stays when the history is pruned."""
        return self._summary(plan.id).get("status") == COMPLETED

    def _summary(self, plan: str) -> dict[str, str]:
        try:
            lines = (self.summaries / f"{plan}-SUMMARY.md").read_text("utf-8").split("\n")
        except FileNotFoundError:
            return {}
        facts = takewhile(lambda line: line != "---", lines[1:] if lines[0] == "---" else [])
        said = {key: value for key, _, value in (line.partition(": ") for line in facts)}
        return {"status": COMPLETED, **said}

    @contextmanager
    def executing(self, plan: Plan, agent: str) -> Iterator[None]:
        """Say who executes what, for as long as the block lasts."""
        statefile.write_atomic(self.current, f"{agent}\n", durability=Durability.ATOMIC)
        try:
            self.history.update(lambda old: _spawned(old, plan, agent), initial=_NO_HISTORY)
            yield
        finally:
            self.current.unlink(missing_ok=True)

    def done(self, plan: Plan) -> list[Done]:
        """Return the tasks of a plan that are done, as far as the plan is still the same."""
        try:
            found: Any = self.checkpoint.read()
        except FileNotFoundError:
            return []
        if found["plan"] != plan.id:
            return []
        pairs = zip(found["done"], map(str, plan.tasks), strict=False)
        return [
            Done(**one) for one, _ in takewhile(lambda pair: pair[0]["task"] == pair[1], pairs)
        ]

    def record(self, plan: Plan, done: list[Done], issue: str | None) -> None:
        """Record that one more task is done; with its issue, so that a kill loses or repeats neither."""
        content = {"plan": plan.id, "done": [one._asdict() for one in done]}
        if issue is None:
            self.checkpoint.write(content)
            return
        with statefile.transaction(self.checkpoint.path, self.issues) as both:
            old = self.issues.read_text("utf-8") if self.issues.exists() else "# Issues\n\n"
            both.write(self.checkpoint.path, _json(content))
            both.write(self.issues, f"{old}- {plan.id}: {issue}\n")

    def end(self, plans: list[Plan], ended: Ended) -> None:
        """Write the summary, and with it the plan has ended; then STATE.md and the history together."""
        if ended.status != WAITING:
            self.summaries.mkdir(mode=0o700, exist_ok=True)
            path = self.summaries / f"{ended.plan.id}-SUMMARY.md"
            statefile.write_atomic(path, _summary_text(ended))
        self._end(plans, ended.agent, ended.status, ended.why)

    def _end(self, plans: list[Plan], agent: str, status: str, why: str = "") -> None:
        with statefile.transaction(self.state, self.history.path) as both:
            history = self._history()
            for entry in history["entries"]:
                if entry["agent_id"] == agent:
                    entry.update(status=status, ended_at=_now())
            both.write(self.history.path, _json(history))
            both.write(self.state, self._state_text(plans, agent, f"{status} {why}".strip()))

    def _state_text(self, plans: list[Plan], agent: str, status: str) -> str:
        done = {plan.id for plan in plans if self.is_done(plan)}
        lines = [f"- [{'x' if plan.id in done else ' '}] {plan.id} {plan.title}" for plan in plans]
        head = f"Agent: {agent}\nStatus: {status}\nDone: {len(done)} of {len(plans)}\n"
        return "\n".join(["# State", "", head, "## Plans", "", *lines, ""])

    def answer(self, question: str) -> str | None:
        """Return what a person answered to the question of a task."""
        try:
            text = str(self.clarifications.read())
        except FileNotFoundError:
            return None
        found = re.search(rf"^- {re.escape(question)}: (.*)$", text, re.MULTILINE)
        return found[1] if found else None

    def clarify(self, question: str, answer: str) -> None:
        """Keep the answer of a person; an earlier one to the same question goes."""

        def clarified(old: object) -> str:
            lines = [
                line for line in str(old).split("\n") if not line.startswith(f"- {question}: ")
            ]
            return "\n".join([*lines[:-1], f"- {question}: {answer}", ""])

        self.clarifications.update(clarified, initial="# Clarifications\n\n")


def _spawned(old: object, plan: Plan, agent: str) -> object:
    assert isinstance(old, dict)
    entry = {"agent_id": agent, "plan": plan.id, "status": _SPAWNED, "spawned_at": _now()}
    # Only the newest is open, so to prune from the front never loses an open one.
    return {**old, "entries": [*old["entries"], entry][-MAX_ENTRIES:]}


def _summary_text(ended: Ended) -> str:
    head = f"---\nplan: {ended.plan.id}\nstatus: {ended.status}\nagent: {ended.agent}\n---\n"
    lines = [f"- {one.task} -> {_compact(one.product)}" for one in ended.done]
    why = [ended.why, ""] if ended.why else []
    return head + "\n".join([f"# {ended.plan.title}", "", *why, *lines, ""])


def _compact(product: Product) -> str:
    return json.dumps(product, ensure_ascii=False, separators=(",", ":"))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _now() -> str:
    return utc_text(SystemClock().wall())
