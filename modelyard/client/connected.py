"""What every part of the client asks through, and how it reads the answers."""

from collections.abc import Iterator, Mapping
from typing import Any

from modelyard.client.records import Record, as_record, read_record
from modelyard.client.transport import Transport


class Connected:
    """What the parts of `Client` inherit: the control plane and the data plane, which may be one server."""

    _control: Transport
    _data: Transport

    def _get(self, path: str, kind: type[Record], params: Mapping[str, Any] | None = None) -> Record:
        return as_record(self._control.get(path, params), kind)

    def _list(self, path: str, kind: type[Record], filters: Mapping[str, str] | None = None) -> Iterator[Record]:
        for item in self._control.pages(path, filters):
            yield as_record(item, kind)

    def _send(self, method: str, path: str, kind: type[Record], json: Any) -> Record:
        return read_record(self._control.send(method, path, json=json).content, kind)
