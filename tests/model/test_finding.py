from holdfast.model.finding import WELL, Found, failed, unknown


def test_a_finding_that_is_not_well_says_why() -> None:
    assert (WELL.found, WELL.why) == (Found.WELL, "")
    assert (failed("refused").found, failed("refused").why) == (Found.FAILED, "refused")
    assert (unknown("late").found, unknown("late").why) == (Found.UNKNOWN, "late")
