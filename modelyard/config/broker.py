"""How we use the broker; the embedded one keeps messages as files in the home folder."""

import os
import uuid
from time import monotonic_ns
from typing import Any

from kombu.transport import filesystem
from kombu.utils.json import dumps

from modelyard.config import folders
from modelyard.core.settings import Settings

WAIT_SECONDS = 0.3


class FolderChannel(filesystem.Channel):
    """Writes each message under another name first: kombu's own may be read while it is still empty."""

    def _put(self, queue: str, payload: dict[str, Any], **kwargs: Any) -> None:  # type: ignore[override]
        name = f"{monotonic_ns() // 1_000_000:015d}_{uuid.uuid4()}.{queue}.msg"
        target = os.path.join(self.data_folder_out, name)  # noqa: PTH118
        draft = f"{target}.draft"
        with open(draft, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(dumps(payload))
        os.rename(draft, target)  # noqa: PTH104


class FolderTransport(filesystem.Transport):
    """Kombu's transport over a folder, with whole messages only.

    It waits for messages in short turns: a worker that is told to stop finishes two of them first.
    """

    Channel = FolderChannel

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:  # type: ignore[override]
        super().drain_events(connection, timeout=min(timeout or WAIT_SECONDS, WAIT_SECONDS))


def options(settings: Settings) -> dict[str, Any]:
    """Return Celery's settings. The job's row holds the truth, so a message needs neither result nor acknowledgement.

    They are ours alone: what a project around us sets for a Celery of its own does not reach them.
    """
    told: dict[str, Any] = {
        "broker_url": settings.broker_url or "filesystem://localhost/",
        "task_ignore_result": True,
        "result_backend": None,
        "accept_content": ["json"],
        "task_serializer": "json",
        "task_default_queue": "modelyard",
        "task_publish_retry": False,
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
    }
    if settings.broker_url is None:
        return told | {"broker_transport": "modelyard.config.broker:FolderTransport"} | _folders(settings)
    return told | {
        "task_default_queue_type": "quorum",
        "task_default_exchange_type": "topic",
        "broker_transport_options": {"confirm_publish": True},
    }


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
