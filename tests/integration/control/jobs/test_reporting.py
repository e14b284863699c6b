"""What a job says while it runs: how far it is, how long it takes still, and its log."""

import time
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from modelyard.control.jobs import reporting, services
from modelyard.control.jobs.models import KEPT_LINES, Job, JobLine, State
from modelyard.control.jobs.reporting import Pace, Report, clean
from modelyard.control.jobs.services import LeaseLost, Line
from modelyard.control.jobs.work import perform
from modelyard.control.tenancy.models import Tenant
from modelyard.core.errors import Cancelled, InvalidInput
from tests.integration.control.jobs.handlers import Summing
from tests.integration.control.jobs.test_services import Kind, claimed


@pytest.fixture
def held(tenant: Tenant, kind: Kind) -> Job:
    kind("sum", Summing())
    return claimed(services.submit(tenant=tenant, kind="sum", payload={"numbers": []}, created_by="key:ci"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(reporting.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.django_db
def test_progress_has_rows_speed_and_what_is_left(held: Job, clock: list[float]) -> None:
    report = Report(held)
    report(0.0, "reading", rows_done=0, rows_total=1000)
    clock[0] += 2
    report(0.2, rows_done=200, metrics={"loss": 0.5})
    clock[0] += 2
    report(0.4, rows_done=400, metrics={"accuracy": float("nan")})
    job = Job.objects.get()
    assert (job.progress, job.message, job.rows_done, job.rows_total) == (0.4, "reading", 400, 1000)
    assert (job.rows_per_second, job.eta_seconds) == (100, 6)
    assert job.metrics == {"loss": 0.5, "accuracy": "nan"}


def test_what_a_run_before_had_done_makes_this_one_no_faster(clock: list[float]) -> None:
    pace = Pace()
    pace.facts(0.9, 900, 1000)
    clock[0] += 10
    assert pace.facts(0.95, 950, None) == {
        "eta_seconds": 10, "rows_total": 1000, "rows_done": 950, "rows_per_second": 5,
    }  # fmt: skip


def test_without_rows_what_is_left_follows_from_the_fraction(clock: list[float]) -> None:
    pace = Pace()
    found = [pace.facts(0.1, None, None)]
    for step in range(1, 6):
        clock[0] += 1
        found.append(pace.facts(0.1 + step / 10, None, None))
    assert found[:4] == [{"eta_seconds": None}] * 4
    assert found[4:] == [{"eta_seconds": pytest.approx(5)}, {"eta_seconds": pytest.approx(4)}]


def test_of_steps_that_differ_much_nothing_is_foretold(clock: list[float]) -> None:
    """As of a training: it reads in a second, fits for a minute, and measures in no time."""
    pace = Pace()
    found = [pace.facts(0.0, None, None)]
    for seconds, fraction in ((1, 0.1), (60, 0.5), (0.01, 0.58)):
        clock[0] += seconds
        found.append(pace.facts(fraction, None, None))
    assert found == [{"eta_seconds": None}] * 4


@pytest.mark.django_db
def test_many_reports_are_few_writes(held: Job, clock: list[float]) -> None:
    report = Report(held)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        for number in range(100):
            clock[0] += 0.01
            report(number / 100, f"step {number}")
            report.log(f"line {number}")
    assert 2 <= len(queries) <= 6
    report.flush()
    assert Job.objects.get().message == "step 99"
    assert JobLine.objects.count() == 100


@pytest.mark.django_db
def test_old_callers_report_as_before(held: Job) -> None:
    Report(held)(7, "more than all")
    job = Job.objects.get()
    assert (job.progress, job.message, job.rows_done, job.metrics) == (1, "more than all", None, {})


@pytest.mark.django_db
def test_only_the_newest_lines_are_kept_and_the_others_counted(held: Job) -> None:
    services.write_lines(held, [Line(f"a{number}") for number in range(600)])
    services.write_lines(held, [Line(f"b{number}") for number in range(600)])
    job = Job.objects.get()
    lines = list(job.lines.all())
    assert (len(lines), lines[0].number, lines[0].text, lines[-1].number) == (KEPT_LINES, 201, "a200", 1200)
    assert (job.last_line, job.lines_dropped) == (1200, 200)
    report = Report(held)
    for number in range(2500):
        report.log(f"c{number}")
    report.flush()
    job = Job.objects.get()
    assert (job.last_line, job.lines.count(), job.lines_dropped) == (3700, KEPT_LINES, 2700)
    assert job.lines.first().text == "c1500"


@pytest.mark.django_db
@pytest.mark.parametrize(("meanwhile", "first"), [(1, "one"), (KEPT_LINES, "b0")])
def test_lines_that_could_not_be_written_are_written_by_the_next_beat(
    held: Job, monkeypatch: pytest.MonkeyPatch, meanwhile: int, first: str
) -> None:
    report = Report(held)
    report.log("one")
    with monkeypatch.context() as patch:

        def away(*_: Any) -> None:
            for number in range(meanwhile):
                report.log(f"b{number}")
            raise OperationalError

        patch.setattr(services, "write_lines", away)
        with pytest.raises(OperationalError):
            report.flush_lines()
    report.flush_lines()
    job = Job.objects.get()
    assert (job.last_line, job.lines.count()) == (meanwhile + 1, min(meanwhile + 1, KEPT_LINES))
    assert (job.lines.first().text, job.lines.last().text) == (first, f"b{meanwhile - 1}")


@pytest.mark.django_db
def test_a_line_is_what_either_database_takes(held: Job) -> None:
    report = Report(held)
    report.log("one\ntwo\0\x1b[31m\ud800 " + "x" * 600, "warning")
    report(0.5, "a\0b\ud800" + "y" * 300)
    report.flush()
    first, second = JobLine.objects.all()
    assert (first.text, first.level, second.text[:9], len(second.text)) == ("one", "warning", "two  [31m", 500)
    job = Job.objects.get()
    assert (job.message[:4], len(job.message)) == ("a b ", 200)
    with pytest.raises(ValueError):
        report.log("x", "shouting")
    with pytest.raises(InvalidInput, match="16384 bytes"):
        report(0.5, metrics={"curve": [0.5] * 10_000})


def test_a_short_text_stays_as_it_is() -> None:
    assert clean("Grüße, 模型", 20) == "Grüße, 模型"


@pytest.mark.django_db
def test_who_lost_the_job_writes_no_line(held: Job) -> None:
    report = Report(held)
    report.log("late")
    services.release(held)
    claimed(held)
    with pytest.raises(LeaseLost):
        report.flush()
    assert not JobLine.objects.exists()
    with pytest.raises(LeaseLost):
        report(0.5, "late")


@pytest.mark.django_db
def test_the_reason_to_stop_is_raised_until_the_lease_is_lost(held: Job) -> None:
    report = Report(held)
    report.stop(Cancelled("a"))
    report.stop(Cancelled("b"))
    with pytest.raises(Cancelled, match="a"):
        report.check()
    report.stop(LeaseLost())
    report.stop(Cancelled("c"))
    with pytest.raises(LeaseLost):
        report(0.5)


@pytest.mark.django_db(transaction=True)
def test_a_run_leaves_its_lines_also_those_of_its_end(tenant: Tenant, kind: Kind) -> None:
    class Chatty(Summing):
        def run(self, job: Job, report: Any) -> dict[str, Any]:
            report.log(f"attempt {job.attempts + 1}")
            if job.attempts < 1:
                raise RuntimeError("the password is x")
            outcome = super().run(job, report)
            report.log("done")
            return outcome

    kind("chatty", Chatty())
    job = services.submit(tenant=tenant, kind="chatty", payload={"numbers": [1]}, created_by="x")
    perform(job.pk)
    perform(job.pk)
    assert [(line.number, line.text) for line in job.lines.all()] == [
        (1, "attempt 1"),
        (2, "it failed with RuntimeError"),
        (3, "begun again: run 2"),
        (4, "attempt 2"),
        (5, "done"),
    ]
    assert Job.objects.get().state == State.SUCCEEDED


@pytest.mark.django_db(transaction=True)
def test_what_was_said_is_seen_while_the_handler_is_silent(tenant: Tenant, kind: Kind) -> None:
    seen: list[Any] = []

    class Silent(Summing):
        def run(self, job: Job, report: Any) -> dict[str, Any]:
            report(0.1, "first")
            report(0.2, "second")
            report.log("thinking")
            end = time.monotonic() + 10
            while len(seen) < 2 and time.monotonic() < end:
                row = Job.objects.get(pk=job.pk)
                seen[:] = [row.message] * (row.message == "second") + list(row.lines.values_list("text", flat=True))
                time.sleep(0.05)
            return {}

    kind("silent", Silent())
    perform(services.submit(tenant=tenant, kind="silent", payload={}, created_by="x").pk)
    assert seen == ["second", "thinking"]
