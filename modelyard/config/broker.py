"""The embedded broker: messages are files in the home folder."""

import os
import uuid
from time import monotonic_ns
from typing import Any

from kombu.transport import filesystem
from kombu.utils.json import dumps

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
