"""When a schedule is due: by the five fields of crontab(5) in a time zone, or every so many seconds.

Pure arithmetic: which time it is now, the caller says. All moments are aware; those that are returned are UTC.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from typing import Protocol
from zoneinfo import ZoneInfo, available_timezones

from croniter import CroniterBadDateError, croniter

from modelyard.core.errors import InvalidInput

MAX_CRON = 200
"""Characters."""
MIN_SECONDS, MAX_SECONDS = 1, 366 * 24 * 3600
"""Of an interval."""
MOST_COUNTED = 1000
"""Times that were missed are counted one by one up to here; that takes a tenth of a second."""


@dataclass(frozen=True, slots=True)
class Field:
    """One of the five fields; `names` stand for the values from `low` on."""

    name: str
    low: int
    high: int
    expected: str
    names: tuple[str, ...] = ()


MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
FIELDS = (
    Field("minute", 0, 59, "0 to 59"),
    Field("hour", 0, 23, "0 to 23"),
    Field("day of the month", 1, 31, "1 to 31"),
    Field("month", 1, 12, "1 to 12, or jan to dec", MONTHS),
    Field("day of the week", 0, 7, "0 to 7, where 0 and 7 are Sunday, or sun to sat", DAYS),
)
FORM = "`*`, a value, a range as 1-5, a list as 1,15, or steps as */10"
EXAMPLE = "expected five fields (minute, hour, day of the month, month, day of the week), as in '30 6 * * mon-fri'"
_ITEM = re.compile(r"(?:\*|(?P<first>\w{1,3})(?:-(?P<last>\w{1,3}))?)(?:/(?P<step>\d{1,2}))?\Z", re.ASCII)
_BEGIN = datetime(2000, 1, 1)


class When(Protocol):
    """A rule that says when."""

    def after(self, moment: datetime) -> datetime:
        """Return the first time after `moment`; of an interval, that after the due time `moment`."""

    def until(self, first: datetime, now: datetime) -> "Due":
        """Return what is due at `now`, when the time `first` was the next one and is not after `now`."""


@dataclass(frozen=True, slots=True)
class Due:
    """The latest time that is due, how many before it were missed, and the next.

    Past `MOST_COUNTED` of a cron expression `missed` is a lower bound.
    """

    latest: datetime
    missed: int
    following: datetime


@dataclass(frozen=True, slots=True)
class Every:
    """Every so many seconds, from a first time on."""

    seconds: int

    def after(self, moment: datetime) -> datetime:
        return moment + timedelta(seconds=self.seconds)

    def until(self, first: datetime, now: datetime) -> Due:
        step = timedelta(seconds=self.seconds)
        missed = (now - first) // step
        latest = first + missed * step
        return Due(latest, missed, latest + step)


@dataclass(frozen=True, slots=True)
class Cron:
    """The times at which a clock on the wall of `zone` shows what the expression says.

    A time that the clock shows twice, when summer ends, counts the first time; one that it leaps over counts as the
    first moment after the leap.

    Attributes:
        values: the five fields as lists of values, with commas.
        either: of the two days it is enough that one fits, since both are restricted.
    """

    expression: str
    zone: ZoneInfo
    values: str
    either: bool

    def after(self, moment: datetime) -> datetime:
        # What the clock shows now again was taken the first time, so times that come out before `moment` are passed by.
        shown = moment.astimezone(self.zone).replace(tzinfo=None)
        return next(found for found in self._from(shown) if found > moment)

    def until(self, first: datetime, now: datetime) -> Due:
        latest, missed = first, 0
        while (following := self.after(latest)) <= now:
            if missed == MOST_COUNTED:
                latest = max(latest, self._before(now))
                following = self.after(now)
                break
            latest, missed = following, missed + 1
        return Due(latest, missed, following)

    def _from(self, shown: datetime) -> Iterator[datetime]:
        times = self._times(shown)
        while True:
            yield real(times.get_next(), self.zone)

    def _before(self, now: datetime) -> datetime:
        """Return the last time at or before `now`."""
        shown = now.astimezone(self.zone).replace(tzinfo=None, second=0, microsecond=0) + timedelta(minutes=1)
        times = self._times(shown)
        while (found := real(times.get_prev(), self.zone)) > now:
            continue
        return found

    def _times(self, shown: datetime) -> croniter:
        return croniter(self.values, shown, ret_type=datetime, day_or=self.either)


def real(shown: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment, UTC, at which a clock in `zone` shows `shown` (naive) for the first time.

    A time that it leaps over is the first moment after the leap.
    """
    first = shown.replace(tzinfo=zone).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == shown:
        return first
    # PEP 495: of a time in a gap, fold 1 gives a moment before the leap and fold 0 one after it.
    before, after = shown.replace(tzinfo=zone, fold=1).astimezone(UTC), first
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        if middle.astimezone(zone).replace(tzinfo=None) > shown:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)


def read_cron(expression: str, zone: str) -> Cron:
    """Read an expression, as crontab(5) has it, and the name of a time zone.

    The library is given lists of values alone: it takes more than crontab(5), and reads some of it in another way
    (`5-5` as every minute).

    Raises:
        InvalidInput: naming the field that does not fit, and what is expected there.
    """
    fields = expression.lower().split()
    if len(expression) > MAX_CRON or len(fields) != len(FIELDS):
        raise InvalidInput.at("cron", f"got {expression[:60]!r}, which has {len(fields)} fields; {EXAMPLE}")
    values = [_listed(text, field) for text, field in zip(fields, FIELDS, strict=True)]
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    if either and "*" in (values[2], values[4]):  # `1-31` or `0-6`: each day fits, whatever the other says
        values[2] = values[4] = "*"
    found = Cron(" ".join(fields), read_zone(zone), " ".join(values), either)
    try:
        found._times(_BEGIN).get_next()
    except CroniterBadDateError:
        raise InvalidInput.at("cron", f"{found.expression!r} never comes: no month has such a day") from None
    return found


def _listed(text: str, field: Field) -> str:
    """Return a field as a list of its values, `*` where that is all."""
    values: set[int] = set()
    for item in text.split(","):
        found = _ITEM.match(item)
        span = _span(found["first"], found["last"], bool(found["step"]), field) if found else range(0)
        step = int(found["step"] or 1) if found else 0
        if not span or step < 1:
            raise InvalidInput.at("cron", f"the {field.name} is {text[:40]!r}, expected {field.expected}: {FORM}")
        values |= set(span[::step])
    if field.high == 7:
        values = {value % 7 for value in values}
    whole = range(field.low, 7 if field.high == 7 else field.high + 1)
    return "*" if values == set(whole) else ",".join(map(str, sorted(values)))


def _span(first: str | None, last: str | None, stepped: bool, field: Field) -> range:
    """Return the values from `first` to `last`; none where they are no values, or the wrong way round."""
    if first is None:
        return range(field.low, field.high + (0 if field.high == 7 else 1))
    low, high = _value(first, field), _value(last or first, field)
    if low is None or high is None:
        return range(0)
    if field.names == DAYS and last == "sun" and low > 0:
        high = 7
    return range(low, (field.high if stepped and last is None else high) + 1)


def _value(text: str, field: Field) -> int | None:
    if text in field.names:
        return field.low + field.names.index(text)
    value = int(text) if text.isdigit() else -1
    return value if field.low <= value <= field.high else None


def read_zone(name: str) -> ZoneInfo:
    """Return the time zone by its IANA name.

    Raises:
        InvalidInput: with the nearest name, when there is none.
    """
    if name not in _zones():
        # Without its continent too: most people know their city.
        ends = {zone.rpartition("/")[2].lower(): zone for zone in sorted(_zones())}
        asked = name.lower().replace(" ", "_")[:60]
        near = get_close_matches(asked, ends, 1) or get_close_matches(asked.rpartition("/")[2], ends, 1)
        hint = f"did you mean {ends[near[0]]!r}?" if near else "expected a name as 'Europe/Berlin' or 'UTC'"
        raise InvalidInput.at("time_zone", f"there is no time zone {name[:60]!r}; {hint}")
    return ZoneInfo(name)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
