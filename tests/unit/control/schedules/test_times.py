"""When schedules are due, over the changes of the clocks too."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from modelyard.control.schedules.times import MOST_COUNTED, Cron, Due, Every, read_cron
from modelyard.core.errors import InvalidInput

MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def following(cron: Cron, begin: str, count: int) -> list[str]:
    found = [cron.after(at(begin))]
    while len(found) < count:
        found.append(cron.after(found[-1]))
    return [f"{one:%m-%d %H:%M}" for one in found]


def test_a_time_that_the_clock_leaps_over_is_the_moment_after() -> None:
    daily = read_cron("30 2 * * *", "Europe/Berlin")
    assert following(daily, "2026-03-28T00:00", 3) == ["03-28 01:30", "03-29 01:00", "03-30 00:30"]
    often = read_cron("*/20 * * * *", "America/New_York")  # 2:00, 2:20 and 2:40 are one moment, 3:00
    assert following(often, "2026-03-08T06:30", 3) == ["03-08 06:40", "03-08 07:00", "03-08 07:20"]


def test_a_time_that_the_clock_shows_twice_counts_once() -> None:
    daily = read_cron("30 2 * * *", "Europe/Berlin")
    assert following(daily, "2026-10-24T12:00", 2) == ["10-25 00:30", "10-26 01:30"]
    often = read_cron("*/20 * * * *", "America/New_York")
    assert following(often, "2026-11-01T05:30", 2) == ["11-01 05:40", "11-01 07:00"]
    assert following(often, "2026-11-01T06:10", 1) == ["11-01 07:00"]  # asked within the second showing


def test_a_day_that_never_was_is_leapt_over() -> None:
    """Samoa went from the 29th to the 31st of December 2011."""
    assert following(read_cron("0 12 30 12 *", "Pacific/Apia"), "2011-12-29T00:00", 1) == ["12-30 10:00"]


def test_half_hours_and_rare_days() -> None:
    """Lord Howe Island moves its clocks by half an hour."""
    assert following(read_cron("15 2 * * *", "Australia/Lord_Howe"), "2026-10-02T16:00", 2) == [
        "10-03 15:30",
        "10-04 15:15",
    ]
    assert read_cron("0 0 29 2 *", "UTC").after(at("2026-01-01")) == at("2028-02-29")


VALUES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


@st.composite
def expressions(draw: st.DrawFn) -> str:
    def field(low: int, high: int) -> str:
        one = st.integers(low, high)
        several = st.lists(one, min_size=1, max_size=3).map(lambda found: ",".join(map(str, found)))
        between = st.tuples(one, one).map(lambda pair: f"{min(pair)}-{max(pair)}")
        return draw(st.one_of(st.just("*"), several, between, st.sampled_from(["*/2", "*/7", "*/15"])))

    # Days that rarely come would leave nothing to compare.
    dates = draw(st.sampled_from(["* * *", "* * 0", "* * 1-5", "*/2 * *", "1,29 * 7", "1 * 0-6", "25-31 3,10,11 *"]))
    return f"{field(*VALUES[0])} {field(*VALUES[1])} {dates}"


def matches(expression: str, shown: datetime) -> bool:
    """Tell whether a clock on the wall shows what the expression says: crontab(5), without a library."""
    fields = expression.split()
    values = (shown.minute, shown.hour, shown.day, shown.month, shown.isoweekday() % 7)
    found = [_within(text, value, *bounds) for text, value, bounds in zip(fields, values, VALUES, strict=True)]
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    day = found[2] or found[4] if either else found[2] and found[4]
    return found[0] and found[1] and found[3] and day


def _within(text: str, value: int, low: int, high: int) -> bool:
    for item in text.split(","):
        span, _, step = item.partition("/")
        first, last = (low, high) if span == "*" else (int(span.partition("-")[0]), int(span.rpartition("-")[2]))
        taken = set(range(first, last + 1, int(step or 1)))
        if value in taken or (high == 7 and value == 0 and 7 in taken):
            return True
    return False


def stepped(expression: str, zone: ZoneInfo, begin: datetime, end: datetime) -> list[datetime]:
    """Return the times after `begin` minute by minute: what the clock shows for the first time, or has leapt over."""
    found = []
    newest = begin.astimezone(zone).replace(tzinfo=None)
    moment = begin
    while (moment := moment + MINUTE) <= end:
        shown = moment.astimezone(zone).replace(tzinfo=None)
        new = [newest + MINUTE * step for step in range(1, max(0, (shown - newest) // MINUTE) + 1)]
        if any(matches(expression, one) for one in new):
            found.append(moment)
        newest = max(newest, shown)
    return found


@settings(max_examples=40, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@example(expression="0-0 0-0 1-1 * *", zone="UTC", begin="2026-11-01T02:00", minutes=0)
@given(
    expression=expressions(),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
    # About the changes of the clocks in Europe, America and Australia.
    begin=st.sampled_from(
        ["2026-03-28T20:00", "2026-10-24T20:00", "2026-11-01T02:00", "2026-03-08T03:00", "2026-04-04T11:00"]
    ),
    minutes=st.integers(0, 59),
)
def test_the_times_are_those_of_a_clock_that_is_watched(expression: str, zone: str, begin: str, minutes: int) -> None:
    start = at(begin) + minutes * MINUTE
    end = start + timedelta(hours=12)
    cron, found, moment = read_cron(expression, zone), [], start
    while (moment := cron.after(moment)) <= end:
        found.append(moment)
    assert found == stepped(expression, ZoneInfo(zone), start, end)


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("0 0 * * 5-7", "0 0 * * 0,5,6"),
        ("0 0 * * fri-sun", "0 0 * * 0,5,6"),
        ("0 0 * * sun-tue", "0 0 * * 0,1,2"),
        ("5-5 * * * *", "5 * * * *"),
        ("0-59 * * * *", "* * * * *"),
        ("5/20 * 1 JAN,3 *", "5,25,45 * 1 1,3 *"),
        ("*/50 2-8/3 * * 7", "0,50 2,5,8 * * 0"),
        ("0 0 1 * 0-6", "0 0 * * *"),
        ("0 0 1-31 6 mon", "0 0 * 6 *"),
        ("0 0 */1 * mon", "0 0 * * 1"),
    ],
)
def test_an_expression_means_what_crontab_says(written: str, means: str) -> None:
    assert read_cron(written, "UTC").values == means


def test_a_day_is_either_of_two_that_are_restricted() -> None:
    """crontab(5): where both are, it is enough that one fits; with a `*` in one, both must."""
    monday_or_first = read_cron("0 0 1 * mon", "UTC")
    assert following(monday_or_first, "2026-05-28T00:00", 3) == ["06-01 00:00", "06-08 00:00", "06-15 00:00"]
    odd_mondays = read_cron("0 0 */2 * mon", "UTC")
    assert following(odd_mondays, "2026-06-02T00:00", 2) == ["06-15 00:00", "06-29 00:00"]


def test_times_that_were_missed_are_counted() -> None:
    hourly = read_cron("0 * * * *", "UTC")
    assert hourly.until(at("2026-01-01T00:00"), at("2026-01-01T03:10")) == Due(
        at("2026-01-01T03:00"), 3, at("2026-01-01T04:00")
    )
    assert hourly.until(at("2026-01-01T00:00"), at("2026-01-01T00:00")).missed == 0
    every = Every(90)
    assert every.until(at("2026-01-01T00:00"), at("2026-01-01T00:04")) == Due(
        at("2026-01-01T00:03"), 2, at("2026-01-01T00:04:30")
    )


def test_a_year_of_missed_minutes_is_not_counted_to_its_end() -> None:
    due = read_cron("* * * * *", "Europe/Berlin").until(at("2025-01-01T00:00"), at("2026-01-01T00:00:30"))
    assert due == Due(at("2026-01-01T00:00"), MOST_COUNTED, at("2026-01-01T00:01"))


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("61 * * * *", "the minute is '61', expected 0 to 59"),
        ("* 24 * * *", "the hour is '24', expected 0 to 23"),
        ("* * 0 * *", "the day of the month is '0', expected 1 to 31"),
        ("* * * 13 *", "the month is '13', expected 1 to 12"),
        ("* * * * funday", "the day of the week is 'funday', expected 0 to 7"),
        ("*/0 * * * *", "the minute is '*/0'"),
        ("1,,2 * * * *", "the minute is '1,,2'"),
        ("5-1 * * * *", "the minute is '5-1'"),
        ("* * * * mon-sat/9x", "the day of the week is 'mon-sat/9x'"),
        ("\u0665 * * * *", "the minute is '\u0665'"),
        ("R * * * *", "the minute is 'r'"),
        ("* * L * *", "the day of the month is 'l'"),
        ("* * * *", "has 4 fields"),
        ("0 * * * * *", "has 6 fields"),
        ("@daily", "has 1 fields"),
        ("", "has 0 fields"),
        ("0 0 31 2 *", "never comes"),
        ("* " * 500, "five fields"),
    ],
)
def test_what_is_no_expression_is_told_by_its_field(expression: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(said)) as told:
        read_cron(expression, "UTC")
    assert told.value.details["places"][0]["place"] == "cron"


@pytest.mark.parametrize(
    ("zone", "near"), [("Europe/Berln", "Europe/Berlin"), ("berlin", "Europe/Berlin"), ("new york", "New_York")]
)
def test_an_unknown_time_zone_is_answered_with_the_nearest(zone: str, near: str) -> None:
    with pytest.raises(InvalidInput, match=near):
        read_cron("* * * * *", zone)
    for wrong in ("../../etc/passwd", "/etc/localtime", "", "Europe", "a\0b"):
        with pytest.raises(InvalidInput, match="there is no time zone"):
            read_cron("* * * * *", wrong)
