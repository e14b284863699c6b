"""How we use the broker; the embedded one keeps messages as files in the home folder."""

import os
import socket
import uuid
from contextlib import suppress
from time import monotonic_ns
from typing import Any

from kombu.entity import Exchange, Queue
from kombu.transport import filesystem
from kombu.utils.json import dumps

from modelyard.config import folders
from modelyard.core.settings import Settings

WAIT_SECONDS = 0.3
QUEUE = "modelyard"
DELIVERY_LIMIT = 20
"""How often RabbitMQ hands out a message whose worker dies of it; the job itself is found by its row."""
ANSWER_SECONDS = 10.0
"""How long a broker may take to answer who sends: a frozen one holds up the housekeeper no longer."""
QUEUE_PATIENCE_SECONDS = 60.0
"""How long a queue may refuse messages, while the broker lets us in, before it is made anew."""


class WatchedQueue(Queue):
    """Ends its consumer's connection when the queue goes from under it, so that the worker comes back and declares it.

    py-amqp raises `ConsumerCancelled` once for that, and Celery's worker drops what is raised in its first tenth of a
    second (`celery.worker.loops._quick_drain`): it would wait for ever for messages of a queue that is no more.
    """

    def consume(self, *given: Any, **named: Any) -> Any:
        named["on_cancel"] = lambda _: hang_up(self.channel.connection.sock)
        return super().consume(*given, **named)  # type: ignore[no-untyped-call]


def hang_up(connected: socket.socket) -> None:
    """End a connection, so that who reads from it next finds it lost.

    An `SSLSocket` that is told so forgets first that it is one: reading from it is a `ValueError`, which ends a worker.
    """
    with suppress(OSError):  # it is lost already
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


class FolderChannel(filesystem.Channel):
    """Writes each message under another name first: kombu's own may be read while it is still empty."""

    def _put(self, queue: str, payload: dict[str, Any], **kwargs: Any) -> None:  # type: ignore[override]
        name = f"{monotonic_ns() // 1_000_000:015d}_{uuid.uuid4()}.{queue}.msg"
        target = os.path.join(self.data_folder_out, name)  # noqa: PTH118
        draft = f"{target}.draft"
        with open(draft, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(dumps(payload))  # type: ignore[no-untyped-call]
        os.rename(draft, target)  # noqa: PTH104


class FolderTransport(filesystem.Transport):
    """Kombu's transport over a folder, with whole messages only.

    It waits for messages in short turns: a worker that is told to stop finishes two of them first.
    """

    Channel = FolderChannel

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:  # type: ignore[override]
        super().drain_events(connection, timeout=min(timeout or WAIT_SECONDS, WAIT_SECONDS))  # type: ignore[no-untyped-call]


def options(settings: Settings) -> dict[str, Any]:
    """Return Celery's settings. The job's row holds the truth: a message has no result, and a lost one costs time.

    They are ours alone: what a project around us sets for a Celery of its own does not reach them.
    """
    told: dict[str, Any] = {
        "broker_url": settings.broker_url or "filesystem://localhost/",
        "task_ignore_result": True,
        "result_backend": None,
        "accept_content": ["json"],
        "task_serializer": "json",
        "task_default_queue": QUEUE,
        "task_publish_retry": False,
        "worker_prefetch_multiplier": 1,
        # Else a worker that is busy holds as many messages again, which another, idle one would take.
        "task_acks_late": True,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_channel_error_retry": True,
    }
    if settings.broker_url is None:
        return told | {"broker_transport": "modelyard.config.broker:FolderTransport"} | _folders(settings)
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT}
    exchange = Exchange(QUEUE, "topic")  # type: ignore[no-untyped-call]
    queue = WatchedQueue(QUEUE, exchange, routing_key=QUEUE, queue_arguments=arguments)  # type: ignore[no-untyped-call]
    return told | {
        "task_queues": [queue],
        "task_default_exchange": QUEUE,
        "task_default_exchange_type": "topic",
        "task_default_routing_key": QUEUE,
        "broker_transport_options": {"confirm_publish": True},
    }


def sending(settings: Settings) -> dict[str, Any]:
    """Return the settings of who only sends. A worker waits for messages as long as it takes, and has no such bound."""
    told = options(settings)
    if settings.broker_url is not None:
        told["broker_connection_timeout"] = ANSWER_SECONDS
        told["broker_transport_options"] |= {"read_timeout": ANSWER_SECONDS, "write_timeout": ANSWER_SECONDS}
    return told


def _folders(settings: Settings) -> dict[str, Any]:
    folders.make_folders(settings)
    home = settings.home
    transport = {
        "data_folder_in": str(home / folders.MESSAGES),
        "data_folder_out": str(home / folders.MESSAGES),
        "processed_folder": str(home / folders.TAKEN),
        "control_folder": str(home / folders.CONTROL),
        "store_processed": True,
        "polling_interval": 0.1,
    }
    return {"broker_transport_options": transport}
