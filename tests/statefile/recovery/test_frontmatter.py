"""A status is taken from the front matter as YAML means it, or refused, never guessed."""

import pytest

from holdfast.statefile.recovery.frontmatter import NotOneWord, status_of


def matter(*lines: str) -> str:
    return "\n".join(["---", *lines, "---", "", "# Summary", "status: not this one", ""])


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("status: failed", "failed"),
        ("status:   failed  ", "failed"),
        ("status:\tfailed", "failed"),
        ("status: in progress", "in progress"),
        ("status: in-progress # since Monday", "in-progress"),
        ("status: a#b", "a#b"),
        ("status : failed", "failed"),
        ('"status": failed', "failed"),
        ("'status': failed", "failed"),
        ('status: "failed"', "failed"),
        ('status: "on # hold" # why', "on # hold"),
        ("status: 'it''s done'", "it's done"),
        ('status: ""', ""),
        ("status: done:ish", "done:ish"),
        ("status: übergeben", "übergeben"),
        ("status:", None),
        ("status: # none yet", None),
        ("status: ~", None),
        ("status: null", None),
        ("statuses: failed", None),
        ("Status: failed", None),
        ("status:failed", None),
        ("  status: failed", None),
        ("# status: failed", None),
        ("plan: 1", None),
    ],
)
def test_a_status_reads_as_in_yaml(line: str, status: str | None) -> None:
    assert status_of(matter("plan: 18-01", line, "tags: [a, b]")) == status


@pytest.mark.parametrize(
    "lines",
    [
        ["status: [failed]"],
        ["status: {a: b}"],
        ["status: |", "  failed"],
        ["status: >-", "  failed"],
        ["status: in", "  progress"],
        ["status:", "  - failed"],
        ["status:", "", "  # which?", "  - failed"],
        ["status: &anchor failed"],
        ["status: *anchor"],
        ["status: !!str failed"],
        ['status: "failed'],
        ['status: "fa\\x69led"'],
        ["status: 'failed"],
        ['status: "failed" twice'],
        ["status: failed: why"],
        ["status: failed:"],
        ["status: @failed"],
        ["status: failed", "status: failed"],
        ["status: failed", '"status": completed'],
    ],
)
def test_what_is_no_single_word_is_refused(lines: list[str]) -> None:
    with pytest.raises(NotOneWord):
        status_of(matter(*lines))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "---",
        "# Summary\nstatus: failed\n",
        "\n---\nstatus: failed\n---\n",
        "---\nstatus: failed\n",
        "---\nstatus: failed\n ---\n",
        "----\nstatus: failed\n----\n",
        "--- # x\nstatus: failed\n---\n",
        "+++\nstatus: failed\n+++\n",
        "---\nplan: 1\n---\nstatus: failed\n",
        "---\n---\nstatus: failed\n---\n",
    ],
)
def test_there_is_no_status_outside_of_front_matter(text: str) -> None:
    assert status_of(text) is None


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("end", ["---", "...", "---  "])
def test_every_kind_of_line_end_and_of_fence_counts(newline: str, end: str) -> None:
    text = newline.join(["--- ", "plan: a\u2028status: no", "status: failed", end, "body"])

    assert status_of(text) == "failed"
