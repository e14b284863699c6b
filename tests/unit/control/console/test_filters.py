"""How the pages write sizes, times, people and values."""

from datetime import UTC, datetime, timedelta

import pytest

from modelyard.control.console.templatetags import console

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, ""),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (24_000, "23.44 KiB"),
        (5 << 20, "5 MiB"),
        (3 << 40, "3 TiB"),
    ],
)
def test_sizes(count: int | None, text: str) -> None:
    assert console.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3, "just now"),
        (-3, "in a moment"),
        (60, "1 minute ago"),
        (59 * 60, "59 minutes ago"),
        (3 * 3600, "3 hours ago"),
        (-5 * 86400, "in 5 days"),
        (40 * 86400, "20 Nov 2026"),
    ],
)
def test_distances(seconds: float, text: str) -> None:
    assert console.distance(NOW, seconds) == text


def test_a_time_has_its_exact_moment_in_the_title() -> None:
    assert console.when(None) == ""
    shown = console.when(datetime.now(UTC) - timedelta(hours=2))
    assert "2 hours ago" in shown
    assert "UTC" in shown


@pytest.mark.parametrize(
    ("actor", "text"),
    [("user:ann", "ann"), ("key:ci", "key ci"), ("system:tend", "system tend"), ("user:", "user"), ("ann", "ann")],
)
def test_people(actor: str, text: str) -> None:
    assert console.who(actor) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, ""),
        (1.0, "100 %"),
        (0.5, "50 %"),
        (0.123, "12.3 %"),
        (0.99996, "> 99.9 %"),
        (0.0, "0 %"),
        (0.0001, "< 0.1 %"),
    ],
)
def test_percentages_do_not_pretend(share: float | None, text: str) -> None:
    assert console.percent(share) == text


@pytest.mark.parametrize(
    ("given", "text"),
    [("a", "a"), (None, "missing"), (0.1 + 0.2, "0.3"), (True, "true"), ([1, "a"], '[1, "a"]'), (3, "3")],
)
def test_values(given: object, text: str) -> None:
    assert console.value(given) == text


@pytest.mark.parametrize(("amount", "text"), [(0, "0"), (1.1e-16, "1.1e-16"), (0.25, "0.25"), ("unknown", "unknown")])
def test_differences_keep_their_magnitude(amount: object, text: str) -> None:
    assert console.exact(amount) == text


def test_lists_are_cut() -> None:
    assert console.some(("a", "b")) == "a, b"
    assert console.some(range(20), 3) == "0, 1, 2, and 17 more"


def test_shapes_and_pairs() -> None:
    assert console.shape((28, -1)) == "[28, any]"
    assert console.pairs({"absolute": 1}) == [("absolute", 1)]
    assert console.pairs(0.5) == [("", 0.5)]
    assert console.pairs(None) == []


def test_a_meter_stays_in_its_bounds_and_has_no_style() -> None:
    for share in (-1.0, 0.5, 2.0, float("nan")):
        drawn = console.meter(share)
        assert "style" not in drawn
        width = float(drawn.split('rect width="')[1].split('"')[0])
        assert 0 <= width <= 100


def test_hostile_labels_are_escaped() -> None:
    assert "<script>" not in console.meter(0.5, "<script>alert(1)</script>")


def test_counts_and_rates_are_whole_and_have_separators() -> None:
    assert [console.number(one) for one in (None, 0, 40_000, 7538.4)] == ["", "0", "40,000", "7,538"]


def test_entries_are_those_of_a_table_whatever_its_keys() -> None:
    assert console.entries({"items": 1, "keys": 2}) == [("items", 1), ("keys", 2)]
    assert console.entries("") == []


@pytest.mark.parametrize(
    ("given", "text"),
    [(309400, "309,400"), (20, "20"), (True, "true"), (0.25, "0.25"), ("late:1", "late:1"), (None, "missing")],
)
def test_what_a_job_told(given: object, text: str) -> None:
    assert console.told(given) == text
