"""Patterns mean the same to every engine."""

from holdfast.machine.backup.excludes import for_restic, is_excluded


def test_a_pattern_fits_a_name_anywhere_or_a_path_from_the_top() -> None:
    cases = [
        ("*.tmp", "a/b/x.tmp", True),
        ("*.tmp", "a/x.tmp.txt", False),
        ("cache/", "a/cache", True),
        ("/top", "top", True),
        ("/top", "a/top", False),
        ("build/out", "build/out", True),
        ("build/out", "sub/build/out", False),
        ("build/*/out", "build/a/b/out", False),
        ("**/out", "a/b/out", True),
        ("a/**", "a/b", True),
        ("x[!0-9]", "xa", True),
    ]
    for pattern, path, is_out in cases:
        assert is_excluded(path, [pattern]) is is_out, (pattern, path)


def test_restic_is_told_the_same_in_its_own_words() -> None:
    told = for_restic("/home/[me]", ["*.tmp", "/top", "a/b/", "x[!0]", "cache/"])
    assert told == ["*.tmp", "/home/\\[me]/top", "/home/\\[me]/a/b", "x[^0]", "cache"]
