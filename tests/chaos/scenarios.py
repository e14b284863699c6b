"""The rows of the reliability table that concern jobs. Each returns its figures, and raises where a promise breaks."""

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

from tests.chaos import handlers
from tests.chaos.world import LIBFAKETIME, World, until
from tests.integration.control import tables

Figures = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """How much of each. The defaults are the table's."""

    jobs: int = 500
    kills: int = 40
    broker_kills: int = 5
    database_kills: int = 3
    trainings: int = 50
    training_kills: int = 24
    kill_after_seconds: float = 8.0
    wiped_jobs: int = 200
    trials_a_point: int = 50
    poison_jobs: int = 3
    frozen: int = 50
    frozen_at_once: int = 10
    frozen_seconds: float = 90.0
    clocks: int = 20
    lease_seconds: float = 30.0


SHORT = Size(
    jobs=30,
    kills=4,
    broker_kills=1,
    database_kills=1,
    trainings=4,
    training_kills=3,
    kill_after_seconds=3.0,
    wiped_jobs=20,
    trials_a_point=2,
    poison_jobs=1,
    frozen=2,
    frozen_at_once=2,
    frozen_seconds=5.0,
    clocks=2,
    lease_seconds=2.0,
)


def outcomes(keys: list[Any]) -> Figures:
    """Return how the jobs stand, and how many effects they had."""
    from modelyard.control.jobs.models import Job
    from modelyard.control.tenancy.models import AuditEntry

    states = list(Job.objects.filter(pk__in=keys).values_list("state", flat=True))
    subjects = [f"job:{key}" for key in keys]
    effects = list(AuditEntry.objects.filter(verb="job.effect", subject__in=subjects).values_list("subject", flat=True))
    completed = states.count("succeeded")
    return {
        "jobs": len(keys),
        "completed": completed,
        "lost": len(keys) - completed,
        "doubled": len(effects) - len(set(effects)),
        "without effect": completed - len(set(effects)),
    }


def expect_once(figures: Figures) -> None:
    assert [figures[name] for name in ("lost", "doubled", "without effect")] == [0, 0, 0], figures


def ended(keys: list[Any]) -> bool:
    from modelyard.control.jobs.models import OPEN, Job

    return not Job.objects.filter(pk__in=keys, state__in=OPEN).exists()


def killed(world: World, size: Size) -> Figures:
    """Workers, children, housekeepers, the broker and the database die at random while jobs run."""
    from modelyard.control.jobs.models import Job

    seconds = 0.2
    world.start("worker", 2)
    world.start("tend", 2)
    keys = world.submit(size.jobs, child="", seconds=seconds)
    plan = ["worker"] * (size.kills // 4) + ["child"] * (size.kills // 2)
    plan += ["tend"] * (size.kills - len(plan))
    if not world.embedded:
        plan += ["broker"] * size.broker_kills + ["database"] * size.database_kills
    world.random.shuffle(plan)
    done: dict[str, int] = dict.fromkeys(plan, 0)
    for what in plan:
        time.sleep(world.random.uniform(0.2, 2.0 if size.jobs < 100 else 4.0))
        if ended(keys):  # a kill that finds nothing to do would show nothing
            keys += world.submit(size.jobs // 5, child="", seconds=seconds)
        done[what] += _kill(what, world)
    until(lambda: ended(keys), 1200)
    rows = Job.objects.filter(pk__in=keys)
    delays = sorted((job.finished_at - job.started_at).total_seconds() - seconds for job in rows)
    reasons = {job.error["message"] for job in rows if job.error}
    figures = outcomes(keys) | {f"{what} kills": count for what, count in done.items() if count}
    figures |= {"attempts failed": sum(job.attempts for job in rows), "leases lost": sum(job.losses for job in rows)}
    if reasons:
        figures["reasons"] = sorted(reasons)[:5]
    figures["p99 delay in s"] = round(delays[int(len(delays) * 0.99)], 1)
    expect_once(figures)
    assert figures["p99 delay in s"] <= 60, figures
    return figures


def _kill(what: str, world: World) -> bool:
    """Kill one of them, and start another; False where there is no child to be killed."""
    if what == "child":
        with suppress(AssertionError):
            until(world.kill_child, 10)
            return True
        return False
    if what == "broker" and world.broker is not None:
        world.broker.kill()
        world.broker.start()
    elif what == "database" and world.database is not None:
        world.database.kill()
        world.database.start()
        _let_go()
    else:
        world.kill_one(what)
    return True


def trained(world: World, size: Size) -> Figures:
    """The same while models are trained: each training makes one version, which is ready."""
    from modelyard.control.jobs.models import Job
    from modelyard.control.registry.models import Version
    from modelyard.control.tenancy.services import create_tenant, system_actor
    from modelyard.control.training.services import train

    actor = system_actor(create_tenant(name="trainer", created_by="system:chaos"), "chaos")
    rows = "".join(f"{row % 7},{row % 11},{'ab'[row % 2]}\n" for row in range(200))
    dataset = tables.ready(actor, f"x,y,kind\n{rows}".encode(), name="small")
    asked = {"target": "kind", "estimator": "DecisionTreeClassifier"}
    said: dict[str, Any] = {"actor": actor, "trainer": "tabular", "model": "small", "dataset": dataset}
    keys: list[Any] = []

    def ask(count: int) -> None:
        seeds = range(len(keys), len(keys) + count)
        keys.extend(train(**said, parameters={**asked, "seed": seed}).pk for seed in seeds)

    ask(size.trainings)
    world.start("worker", 2)
    world.start("tend", 2)
    plan = ["worker", "tend", "child", *([] if world.embedded else ["broker", "database"])]
    plan = [plan[place % len(plan)] for place in range(size.training_kills)]
    done: dict[str, int] = dict.fromkeys(plan, 0)
    for what in plan:
        time.sleep(world.random.uniform(1.0, size.kill_after_seconds))
        if ended(keys):  # a kill that finds nothing to do would show nothing
            ask(2)
        done[what] += _kill(what, world)
    until(lambda: ended(keys), 1200)
    jobs = list(Job.objects.filter(pk__in=keys))
    made = list(Version.objects.filter(tenant=actor.tenant).values_list("job__parent", "state"))
    completed = sum(job.state == "succeeded" for job in jobs)
    figures = {
        "trainings": len(keys),
        "completed": completed,
        "lost": len(keys) - completed,
        "doubled": len(made) - len({key for key, _ in made}),
        "without effect": len(set(keys) - {key for key, state in made if state == "ready"}),
    }
    figures |= {f"{what} kills": count for what, count in done.items() if count}
    figures |= {"reasons": sorted({job.error["message"] for job in jobs if job.error})[:5]}
    expect_once(figures)
    return figures


def wiped(world: World, size: Size) -> Figures:
    """The broker's data is gone while jobs wait."""
    from modelyard.control.jobs.models import Outbox

    world.start("tend")
    keys = world.submit(size.wiped_jobs)
    until(lambda: not Outbox.objects.exists(), 120)
    if world.broker is None:
        messages = world.home / "broker" / "messages"
        gone = len(list(messages.iterdir()))
        for message in messages.iterdir():
            message.unlink(missing_ok=True)
    else:
        from kombu import Connection

        with Connection(world.broker.url) as connection:
            gone = connection.default_channel.queue_delete("modelyard")
    assert gone >= size.wiped_jobs, gone  # more, where some were sent again while they waited
    world.start("worker", 2)
    taken = until(lambda: ended(keys), 300)
    figures = outcomes(keys) | {"messages lost": gone, "seconds": round(taken, 1)}
    expect_once(figures)
    assert taken <= 120, figures
    return figures


POINTS = {
    "submit: before commit": "modelyard.control.jobs.services.announce",
    "relay: before sending": "modelyard.control.jobs.relay.send",
    "relay: after sending": "modelyard.control.jobs.relay._forget",
    "work: after claim": "modelyard.control.jobs.work._run",
    "work: before commit": "modelyard.control.jobs.services.part_ended",
    "work: after commit": "modelyard.control.jobs.work.Report.flush_lines",
}
"""Where a process dies: before this is called; the last dies in the second of its calls."""


def crash(world: World, size: Size) -> Figures:
    """A process dies at each named point between a commit and what follows from it; then everything goes on."""
    from django.db import connection

    from modelyard.control.jobs import relay, sweeper
    from modelyard.control.jobs.models import Job, Outbox
    from modelyard.control.jobs.work import perform_next

    keys: list[Any] = []
    phantoms = 0
    for point, name in POINTS.items():
        for _ in range(size.trials_a_point):
            before = set(Job.objects.values_list("pk", flat=True))
            if not point.startswith("submit"):
                keys += world.submit(1)
            if point.startswith("work"):
                relay.relay(lambda job_id: None)
            _let_go()
            _die_at(point, name, world)
            made = set(Job.objects.values_list("pk", flat=True)) - before - set(keys)
            phantoms += len(made) + Outbox.objects.filter(job__in=made).count()
            time.sleep(world.lease_seconds + 0.1 if point.startswith("work") else 0)
            # One turn of a worker for each message, and none is made up for: a job whose message is lost stays.
            sweeper.sweep_leases()
            sent: list[str] = []
            relay.relay(sent.append)
            for _ in sent:
                perform_next()
            connection.close()
    figures = outcomes(keys) | {
        "points": len(POINTS),
        "trials": size.trials_a_point * len(POINTS),
        "phantoms": phantoms,
    }
    expect_once(figures)
    assert phantoms == 0, figures
    return figures


def _let_go() -> None:
    """Close every connection, and the pool: a child that is forked would share them."""
    from django.db import connections

    for each in connections.all():
        each.close()
        if hasattr(each, "close_pool"):
            each.close_pool()


def _die_at(point: str, name: str, world: World) -> None:
    """Do what the point is in, in a child of ours that dies there."""
    child = os.fork()
    if child == 0:
        try:
            calls = 2 if point == "work: after commit" else 1
            patched = mock.Mock(side_effect=lambda *_, **__: os._exit(9) if patched.call_count >= calls else None)
            with mock.patch(name, patched):
                _act(point, world)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 9, f"{point}: nobody died there"


def _act(point: str, world: World) -> None:
    from modelyard.control.jobs import relay
    from modelyard.control.jobs.work import perform_next

    if point.startswith("submit"):
        world.submit(1)
    elif point == "relay: before sending":
        relay.relay(lambda job_id: relay.send(job_id))
    elif point.startswith("relay"):
        relay.relay(lambda job_id: None)
    else:
        perform_next()


def poison(world: World, size: Size) -> Figures:
    """Jobs that crash, hang and devour; others go on beside them."""
    from modelyard.control.jobs.models import Job, JobLimits
    from modelyard.control.jobs.services import submit
    from modelyard.control.tenancy.services import create_tenant
    from modelyard.core.settings import MIB

    tenant = create_tenant(name="poisoner", created_by="system:chaos")
    limits = JobLimits(seconds=3.0, memory_bytes=256 * MIB, output_bytes=MIB)
    bad = [
        submit(tenant=tenant, kind="chaos", payload={"child": does}, created_by="chaos", limits=limits).pk
        for does in (handlers.CRASH, handlers.HANG, handlers.DEVOUR) * size.poison_jobs
    ]
    good = world.submit(20)
    world.start("worker", 2)
    world.start("tend")
    taken = until(lambda: ended(good), 120)
    until(lambda: ended(bad), 300)
    rows = list(Job.objects.filter(pk__in=bad))
    figures = outcomes(good) | {
        "poison jobs": len(rows),
        "failed": sum(job.state == "failed" for job in rows),
        "most attempts": max(job.attempts for job in rows),
        "reasons": ", ".join(sorted({job.error["code"] for job in rows if job.error})),
        "seconds to the last good one": round(taken, 1),
    }
    expect_once(figures)
    assert figures["failed"] == len(rows), figures
    assert figures["most attempts"] == 3, figures
    assert figures["reasons"] == "child_failed, limit_exceeded", figures
    return figures


def frozen(world: World, size: Size) -> Figures:
    """Workers are stopped for much longer than their lease, and come back when others have done their jobs."""
    from modelyard.control.jobs.models import Job

    started = world.folder / "started"
    world.start("tend")
    keys: list[Any] = []
    stale = 0
    for _ in range(0, size.frozen, size.frozen_at_once):
        workers = world.start("worker", (size.frozen_at_once + 1) // 2)
        mine = world.submit(size.frozen_at_once, started=str(started), seconds=size.lease_seconds)
        until(lambda mine=mine: _count(mine, "running") == len(mine), 120)  # type: ignore[misc]
        for worker in workers:
            os.kill(worker.pid, signal.SIGSTOP)
        tokens = dict(Job.objects.filter(pk__in=mine).values_list("pk", "token"))
        others = world.start("worker", 2)
        time.sleep(size.frozen_seconds)
        until(lambda mine=mine: ended(mine), 300)  # type: ignore[misc]
        for worker in workers:
            os.kill(worker.pid, signal.SIGCONT)
        time.sleep(3)
        stale += sum(job.outcome["token"] <= tokens[job.pk] for job in Job.objects.filter(pk__in=mine))
        keys += mine
        for worker in [*workers, *others]:
            worker.kill()
            worker.wait()
            world.running["worker"].remove(worker)
    figures = outcomes(keys) | {"frozen for s": size.frozen_seconds, "stale commits": stale}
    expect_once(figures)
    assert stale == 0, figures
    return figures


def _count(keys: list[Any], state: str) -> int:
    from modelyard.control.jobs.models import Job

    return int(Job.objects.filter(pk__in=keys, state=state).count())


def clock(world: World, size: Size) -> Figures:
    """Workers and housekeepers whose clocks are an hour off, either way, beside those of the database."""
    from modelyard.control.jobs.models import Job

    library = [str(path) for path in Path("/usr/lib").glob(LIBFAKETIME)]
    assert library, "libfaketime is missing: apt-get install faketime"
    started = world.folder / "started"
    for offset in ("+3600", "-3600"):
        faked = {"LD_PRELOAD": library[0], "FAKETIME": offset, "DONT_FAKE_MONOTONIC": "1"}
        world.start("worker", **faked)
        world.start("tend", **faked)
    keys = world.submit(size.clocks, started=str(started), seconds=size.lease_seconds * 1.5)
    until(lambda: ended(keys), 60 + size.clocks * size.lease_seconds * 1.5)
    runs = len(started.read_text().split())
    figures = outcomes(keys) | {"runs": runs, "leases lost": sum(Job.objects.values_list("losses", flat=True))}
    expect_once(figures)
    assert runs == size.clocks, figures
    return figures


SCENARIOS: dict[str, Callable[[World, Size], Figures]] = {
    "killed": killed,
    "trained": trained,
    "wiped": wiped,
    "crash": crash,
    "poison": poison,
    "frozen": frozen,
    "clock": clock,
}
ON_POSTGRESQL_ALONE = {"clock"}
"""SQLite has no clock of its own: it takes that of the process that asks."""
LEASES = {"crash": 0.3}
"""Seconds of a lease, where a scenario waits for many to run out."""


def run(name: str, size: Size, embedded: bool, seed: int) -> Figures:
    """Do one scenario in a world of its own."""
    from tests.chaos.world import world

    lease = LEASES.get(name, size.lease_seconds)
    random.seed(seed)
    with world(embedded, seed, lease) as made:
        return SCENARIOS[name](made, replace(size, lease_seconds=lease))
