"""Run the plans of a folder one after another; a kill at any line loses no task and repeats none."""

import argparse
import secrets
import signal
import sys
from pathlib import Path

from plans import Plan, read_plans
from records import COMPLETED, FAILED, WAITING, Done, Ended, Records
from tasks import Failed, Known, Waiting, perform

from holdfast import statefile
from holdfast.errors import HoldfastError

ASK_AGAIN = 75
"""The exit code of a run that waits for an answer; EX_TEMPFAIL of sysexits.h."""


def run(folder: Path) -> int:
    """Go on where the last run ended, however it ended; return the exit code.

    Raises:
        LockHeld: another executor works in this folder.
    """
    records = Records(folder)
    with statefile.hold(folder / "executor.lock"):
        plans = read_plans(folder)
        records.mend(plans)
        for plan in plans:
            if records.is_done(plan):
                continue
            ended = execute(plan, plans, records)
            print(f"{plan.id} {ended.status} {ended.why}".rstrip(), flush=True)
            if ended.status != COMPLETED:
                return 1 if ended.status == FAILED else ASK_AGAIN
    return 0


def execute(plan: Plan, plans: list[Plan], records: Records) -> Ended:
    """Give a plan to a new agent, which does the tasks that no agent before it has done."""
    agent = secrets.token_hex(4)
    with records.executing(plan, agent):
        done = records.done(plan)
        status, why = COMPLETED, ""
        try:
            work(plan, done, records)
        except Waiting as question:
            status, why = WAITING, f"for an answer to {plan.id}/{len(done) + 1}: {question}"
        except Failed as error:
            status, why = FAILED, str(error)
        ended = Ended(plan, agent, status, why, done)
        records.end(plans, ended)
    return ended


def work(plan: Plan, done: list[Done], records: Records) -> None:
    """Do what is left of a plan, adding to `done`; each task is on the disk before the next begins."""
    for number, task in enumerate(plan.tasks[len(done) :], len(done) + 1):
        products = [one.product for one in done]
        answer = records.answer(f"{plan.id}/{number}")
        found = perform(task, Known(records.folder / "texts", products, answer))
        done.append(Done(str(task), found.product))
        records.record(plan, done, found.issue)
        print(f"{plan.id}/{number} {task}", flush=True)


def answer(folder: Path, question: str, text: str) -> int:
    """Keep the answer to a question for the next run."""
    with statefile.hold(folder / "executor.lock"):
        Records(folder).clarify(question, " ".join(text.split()))
    return 0


def main() -> int:
    """Run, or take an answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where plans/ stands; all state is kept there")
    parser.add_argument("--answer", nargs=2, metavar=("QUESTION", "TEXT"), help="answer 2-01/1")
    wanted = parser.parse_args()
    # An end that is asked for clears current-agent-id.txt on its way out; the next run mends the rest.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        return answer(wanted.folder, *wanted.answer) if wanted.answer else run(wanted.folder)
    except HoldfastError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
