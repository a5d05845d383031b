from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from art_training.errors import UsageError
from art_training.records import StepState, Verdict, VerdictState
from art_training.standards import Met, Standard, StepPassed, Waiver, WaiverState, assess, read_waivers
from art_training.testing.standards import made_up_record, made_up_step

DAYS = st.dates(date(2020, 1, 1), date(2040, 1, 1))
WRITTEN = """
[[waivers]]
requirement = "Overfit: train/loss < 0.05"
by = "Ada"
reason = "noisy labels"
granted = 2026-11-23
until = "2027-02-28"
"""


def waiver(of: str = "x", granted: object = "2026-01-01", until: object = "2026-12-31", **other: str) -> Waiver:
    return Waiver(of, **{"by": "Ada", "reason": "noisy labels", **other}, granted=granted, until=until)


@given(DAYS, DAYS, DAYS)
def test_a_waiver_counts_from_its_first_day_to_its_last_and_on_no_other(one: date, other: date, today: date) -> None:
    granted, until = sorted((one, other))
    assert waiver(granted=granted, until=until).counts(today) is (granted <= today <= until)


@given(DAYS, st.timedeltas(timedelta(0), timedelta(days=400)), DAYS, st.times())
def test_an_expired_waiver_never_makes_a_failed_check_pass(
    granted: date, length: timedelta, today: date, at: time
) -> None:
    failed = made_up_step("Overfit", state=StepState.FAILED)
    record = made_up_record(failed, at=datetime.combine(today, at, UTC))
    given_one = waiver("Overfit: it works", granted, granted + length)
    found = assess(Standard("house", requires=[StepPassed("Overfit")]), record, [given_one])
    counts = granted <= today <= (granted + length)
    assert found.state is (Met.MET if counts else Met.NOT_MET)
    expected = WaiverState.EXPIRED if today > granted + length else WaiverState.NOT_YET
    assert found.waivers[0].state is (WaiverState.USED if counts else expected)


@given(DAYS)
def test_dates_may_be_written_as_text(day: date) -> None:
    assert waiver(granted=day.isoformat(), until=day) == waiver(granted=day, until=datetime.combine(day, time(), UTC))


@given(DAYS, st.integers(1, 1000))
def test_a_waiver_that_ends_before_it_begins_is_refused(day: date, before: int) -> None:
    with pytest.raises(UsageError, match="before it was granted"):
        waiver(granted=day, until=day - timedelta(days=before))


@pytest.mark.parametrize("name", ["by", "reason"])
@pytest.mark.parametrize("value", ["", "  ", None])
def test_nobody_waives_without_a_name_and_a_reason(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=rf"^{name}=.* of a waiver is empty"):
        waiver(**{name: value})


@pytest.mark.parametrize("value", ["soon", None, 7])
def test_what_is_no_date_is_refused(value: object) -> None:
    with pytest.raises(UsageError, match=r"^until=.* is no date; write one such as 2026-11-23"):
        waiver(until=value)


def test_a_file_of_waivers_is_read_with_its_source(tmp_path: Path) -> None:
    (tmp_path / "waivers.toml").write_text(WRITTEN)
    (read,) = read_waivers(tmp_path / "waivers.toml")
    assert (read.by, read.granted, read.until) == ("Ada", date(2026, 11, 23), date(2027, 2, 28))
    assert read.source == str(tmp_path / "waivers.toml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[waiver]]\nby = 'Ada'", "(did you mean 'waivers'?)"),
        ("waivers = 3", "is no list of tables"),
        ("[[waivers]]\nby = 'Ada'", "waiver 1 of FILE has no requirement and no reason and no granted and no until"),
        (WRITTEN + "untill = 3", "waiver 1 of FILE has 'untill' (did you mean 'until'?)"),
        (WRITTEN.replace("2027", "2025"), "waiver 1 of FILE: the waiver of 'Overfit: train/loss < 0.05' ends on"),
        ("[[waivers", "is no TOML"),
    ],
)
def test_a_file_that_holds_something_else_is_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "waivers.toml"
    file.write_text(text)
    with pytest.raises(UsageError) as error:
        read_waivers(file)
    assert told.replace("FILE", str(file)) in str(error.value)


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(UsageError, match=r"none\.toml cannot be read: No such file"):
        read_waivers(Path("none.toml"))


def test_a_verdict_may_be_waived_whatever_the_quotes() -> None:
    check = Verdict("beats baseline 'linear'", VerdictState.FAILED, "no")
    record = made_up_record(
        made_up_step("Overfit", state=StepState.FAILED, checks=[check]), at=datetime(2026, 6, 1, tzinfo=UTC)
    )
    found = assess(
        Standard("house", requires=[StepPassed("Overfit")]), record, [waiver('Overfit:  beats baseline "linear"')]
    )
    assert found.state is Met.MET
