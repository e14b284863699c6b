"""The housekeeper's wait on a real database: what ends it, and what it outlives."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from django.db import connection, transaction

from modelyard.config.waking import Waker, waker
from modelyard.control.jobs.models import Job
from modelyard.control.jobs.outbox import announce
from modelyard.control.tenancy.services import create_tenant

pytestmark = pytest.mark.django_db(transaction=True)
LONG = 20.0
"""Seconds that no wait of these tests takes which is ended by a message."""


@pytest.fixture
def job() -> Job:
    tenant = create_tenant(name="acme", created_by="system:tests")
    return Job.objects.create(tenant=tenant, kind="none", payload={}, created_by="tests")


@pytest.fixture
def waiting(job: Job) -> Iterator[Waker]:
    """It listens from now on, and nothing has been said since."""
    made = waker()
    while made.wait(0.1):
        pass
    yield made
    made.close()


def elsewhere(do: Callable[[], object]) -> None:
    """Do it with another connection, as another process would."""

    def doing() -> None:
        try:
            do()
        finally:
            connection.close()

    thread = threading.Thread(target=doing)
    thread.start()
    thread.join()


def test_a_message_ends_the_wait(waiting: Waker, job: Job) -> None:
    sender = threading.Timer(0.2, elsewhere, [lambda: announce([job.pk])])
    began = time.monotonic()
    sender.start()
    assert waiting.wait(LONG)
    assert 0.2 <= time.monotonic() - began < LONG / 2
    sender.join()
    assert not waiting.wait(0.1)


def test_a_message_between_two_waits_ends_the_second(waiting: Waker, job: Job) -> None:
    elsewhere(lambda: announce([job.pk]))
    assert waiting.wait(LONG)


def test_what_is_taken_back_wakes_nobody(waiting: Waker, job: Job) -> None:
    def taken_back() -> None:
        with transaction.atomic():
            announce([job.pk])
            transaction.set_rollback(True)

    elsewhere(taken_back)
    assert not waiting.wait(0.2)


def test_a_connection_that_is_lost_is_made_again(waiting: Waker, job: Job) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%'")
            assert cursor.fetchall() == [(True,)]
    else:
        waiting.close()
    began = time.monotonic()
    assert not waiting.wait(0.2)
    assert time.monotonic() - began >= 0.2
    assert not waiting.wait(0.1)
    elsewhere(lambda: announce([job.pk]))
    assert waiting.wait(LONG)
