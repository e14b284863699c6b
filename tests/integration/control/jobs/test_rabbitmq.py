"""RabbitMQ, a node of our own: how we use it, and what happens when it is killed, frozen, or loses its queue."""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from amqp.exceptions import PreconditionFailed
from kombu import Connection, Exchange, Queue

from modelyard.config import broker, celery
from modelyard.config.broker import DELIVERY_LIMIT, QUEUE
from modelyard.control.jobs import services
from modelyard.control.jobs.models import Job, Outbox, State
from modelyard.control.tenancy.models import AuditEntry, Tenant
from modelyard.core.settings import Settings
from tests.integration.control.jobs.conftest import Processes
from tests.integration.control.jobs.handlers import Summing
from tests.servers import shared
from tests.servers.rabbitmq import Node

pytestmark = pytest.mark.django_db(transaction=True)

Until = Callable[..., None]


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="rabbitmq-", dir=os.environ[shared.VARIABLE]))
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def shared_node() -> Iterator[Node]:
    node = Node(_folder())
    node.start()
    yield node
    node.stop()


@pytest.fixture
def node(shared_node: Node, processes: Processes, kind: Callable[[str, Any], str]) -> Node:
    kind("sum", Summing())
    kind("slow", Summing())
    processes.environment["MODELYARD_BROKER_URL"] = shared_node.url
    with Connection(shared_node.url) as connection:
        connection.default_channel.queue_delete(QUEUE)
    return shared_node


def submit(tenant: Tenant, count: int, kind: str = "sum", **payload: Any) -> list[Job]:
    given = {"numbers": [1, 2], **payload}
    return [services.submit(tenant=tenant, kind=kind, payload=given, created_by="x") for _ in range(count)]


def all_done() -> bool:
    return not Job.objects.exclude(state=State.SUCCEEDED).exists()


def effects() -> list[int]:
    return [AuditEntry.objects.filter(verb="job.effect", subject=f"job:{job.pk}").count() for job in Job.objects.all()]


def test_jobs_go_through_a_quorum_queue(tenant: Tenant, node: Node, processes: Processes, until: Until) -> None:
    submit(tenant, 20)
    processes.start("tend")
    processes.start("worker")
    until(all_done)
    assert effects() == [1] * 20
    assert not (processes.home / "broker").exists()
    exchange = Exchange(QUEUE, "topic")
    with Connection(node.url) as connection:
        same = {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT}
        Queue(QUEUE, exchange, QUEUE, queue_arguments=same)(connection.channel()).queue_declare()
        for other in ({"x-queue-type": "classic"}, {**same, "x-delivery-limit": 7}):
            with pytest.raises(PreconditionFailed):
                Queue(QUEUE, exchange, QUEUE, queue_arguments=other)(connection.channel()).queue_declare()


def test_each_worker_takes_one_message_at_a_time_and_only_json() -> None:
    told = broker.options(Settings.read({}, broker_url="amqp://guest:guest@127.0.0.1//"))
    assert (told["worker_prefetch_multiplier"], told["accept_content"], told["task_serializer"]) == (
        1,
        ["json"],
        "json",
    )
    assert told["broker_transport_options"] == {"confirm_publish": True}
    assert told["result_backend"] is None


def test_a_pickled_message_is_never_opened(
    tenant: Tenant, node: Node, processes: Processes, until: Until, tmp_path: Path
) -> None:
    marker = tmp_path / "opened"
    evil = f"cos\nsystem\n(S'touch {marker}'\ntR.".encode()
    with Connection(node.url) as connection:
        queue = broker.options(Settings.read({}, broker_url=node.url))["task_queues"][0]
        for headers in ({"task": "modelyard.work", "id": "1"}, {}):
            connection.Producer().publish(
                evil, exchange=queue.exchange, routing_key=QUEUE, declare=[queue], headers=headers,
                content_type="application/x-python-serialize", content_encoding="binary", serializer=None,
            )  # fmt: skip
    processes.start("worker")
    processes.start("tend")
    submit(tenant, 3)
    until(all_done)
    assert not marker.exists()


def test_a_queue_that_is_deleted_loses_nothing(tenant: Tenant, node: Node, processes: Processes, until: Until) -> None:
    submit(tenant, 2, "slow")  # they hold the worker, so that the other messages still lie there
    submit(tenant, 28)
    tend = processes.start("tend")
    until(lambda: not Outbox.objects.exists())
    worker = processes.start("worker")
    until(lambda: Job.objects.filter(state=State.RUNNING).count() == 2)
    with Connection(node.url) as connection:
        assert connection.default_channel.queue_delete(QUEUE) > 20
    until(all_done, seconds=120)
    assert effects() == [1] * 30
    assert (tend.poll(), worker.poll()) == (None, None)


def test_a_busy_worker_leaves_messages_to_others(
    tenant: Tenant, node: Node, processes: Processes, until: Until
) -> None:
    submit(tenant, 5, "slow")
    processes.environment["MODELYARD_JOB_RESEND_SECONDS"] = "60"
    processes.start("tend")
    until(lambda: not Outbox.objects.exists())
    processes.start("worker")
    until(lambda: Job.objects.filter(state=State.RUNNING).count() == 2)
    time.sleep(0.5)
    with Connection(node.url) as connection:
        assert connection.default_channel.queue_declare(QUEUE, passive=True).message_count == 3
    until(all_done)
    assert effects() == [1] * 5


def test_a_job_that_outlasts_the_brokers_patience_is_done_once(
    tenant: Tenant, processes: Processes, until: Until, kind: Callable[[str, Any], str]
) -> None:
    """RabbitMQ takes a message back that nobody has acknowledged for half an hour; here for a second."""
    kind("slow", Summing())
    kind("sum", Summing())
    node = Node(_folder(), consumer_timeout=1000, channel_tick_interval=300)
    node.start()
    try:
        processes.environment["MODELYARD_BROKER_URL"] = node.url
        submit(tenant, 2, "slow")
        tend, worker = processes.start("tend"), processes.start("worker")
        until(all_done)
        submit(tenant, 2)
        until(all_done)
        assert effects() == [1] * 4
        assert (tend.poll(), worker.poll()) == (None, None)
    finally:
        node.stop()


def test_a_consumer_whose_queue_is_deleted_is_told_until_it_comes_back(node: Node) -> None:
    """Celery's worker drops what it is told within a tenth of a second of its start."""
    queue = broker.options(Settings.read({}, broker_url=node.url))["task_queues"][0]
    with Connection(node.url) as connection, Connection(node.url) as other, connection.Consumer(queue):
        other.default_channel.queue_delete(QUEUE)
        with suppress(*connection.recoverable_connection_errors):
            connection.drain_events(timeout=10)
        with pytest.raises(connection.recoverable_connection_errors) as lost:
            connection.drain_events(timeout=10)
        assert not isinstance(lost.value, TimeoutError)


@pytest.mark.timeout(400)
def test_a_broker_that_is_killed_and_comes_back_loses_nothing(
    tenant: Tenant, node: Node, processes: Processes, until: Until
) -> None:
    """A young queue often comes back broken (see `config.celery.Sender`), and is made anew then."""
    processes.environment["TEST_QUEUE_PATIENCE_SECONDS"] = "5"
    submit(tenant, 10)
    tend, worker = processes.start("tend"), processes.start("worker")
    until(lambda: Job.objects.filter(state=State.SUCCEEDED).exists())
    node.kill()
    submit(tenant, 10)
    node.start()
    until(all_done, seconds=300)
    assert effects() == [1] * 20
    assert (tend.poll(), worker.poll()) == (None, None)


def test_a_frozen_broker_holds_up_no_housekeeper(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the connection was open before or is made while the broker is frozen."""
    monkeypatch.setattr(broker, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(celery, "ANSWER_SECONDS", 1.0)
    sender = celery.Sender(lambda: broker.sending(Settings.read({}, broker_url=node.url)))
    sender.tell("6d1d1c40-0000-4000-8000-000000000000")
    told: list[BaseException] = []

    def tell() -> None:
        try:
            sender.tell("6d1d1c40-0000-4000-8000-000000000001")
        except Exception as error:
            told.append(error)

    os.kill(node.pid, signal.SIGSTOP)
    try:
        for count in (1, 2):
            thread = threading.Thread(target=tell, daemon=True)
            thread.start()
            thread.join(10)
            assert not thread.is_alive()
            assert len(told) == count
    finally:
        os.kill(node.pid, signal.SIGCONT)
    sender.tell("6d1d1c40-0000-4000-8000-000000000002")
    sender.close()
    with Connection(node.url) as connection:
        queue = connection.SimpleQueue(broker.options(Settings.read({}, broker_url=node.url))["task_queues"][0])
        found = [queue.get(timeout=10).payload[0][0][-1], queue.get(timeout=10).payload[0][0][-1]]
        queue.close()
    assert (found[0], found[-1] in "12") == ("0", True)
