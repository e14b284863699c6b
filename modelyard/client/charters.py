"""The part of the client that speaks of agreements: a model's charter, and who depends on the model."""

from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import structs

from modelyard.client.connected import Connected
from modelyard.client.records import CharterInForce, Consumer, as_record
from modelyard.client.transport import API
from modelyard.core.charter import Charter, charter_from
from modelyard.core.errors import InvalidInput
from modelyard.core.reference import check_name


class Charters(Connected):
    """What `Client` inherits."""

    def charter(self, model: str) -> CharterInForce:
        """Return the charter in force; its `number` is 0 where none was written."""
        return self._get(_charter_path(model), CharterInForce)

    def charter_history(self, model: str) -> list[CharterInForce]:
        """Return every charter that the model had, the newest first."""
        pages = self._control.pages(f"{_charter_path(model)}/history", {})
        return [as_record({**item, "model": model}, CharterInForce) for item in pages]

    def write_charter(
        self, model: str, charter: Charter | None = None, *, reason: str = "", **changes: Any
    ) -> CharterInForce:
        """Agree on another charter: `charter` whole, or the one in force with some fields changed.

        Raises:
            Conflict: when somebody else wrote one since it was read here.

        Example:
            >>> yard.write_charter("iris", metric="accuracy", thresholds=[{"metric": "accuracy", "at_least": 0.9}])
        """
        read = self.charter(model)
        whole = msgspec.to_builtins(charter or read.charter)
        written = charter_from({**whole, **changes})
        body = {"charter": msgspec.to_builtins(structs.asdict(written)), "reason": reason, "replaces": read.number}
        return self._send("PUT", _charter_path(model), CharterInForce, msgspec.to_builtins(body))

    def consumers(self, model: str) -> list[Consumer]:
        """Return who is declared to depend on a model."""
        return list(self._list(f"{API}/models/{check_name(model, 'a model')}/consumers/", Consumer))

    def declare_consumer(
        self, model: str, name: str, *, contact: str = "", purpose: str = "", uses: str = ""
    ) -> Consumer:
        """Note that somebody depends on a model; `uses` is what they ask for, as `iris:3`, else what the plan decides.

        Example:
            >>> yard.declare_consumer("iris", "checkout service", contact="checkout@example.com")
        """
        json = {"contact": contact, "purpose": purpose, "uses": uses}
        return self._send("PUT", _consumer_path(model, name), Consumer, json)

    def remove_consumer(self, model: str, name: str) -> None:
        """Note that somebody does not depend on a model any more."""
        self._control.send("DELETE", _consumer_path(model, name))


def _charter_path(model: str) -> str:
    return f"{API}/models/{check_name(model, 'a model')}/charter"


def _consumer_path(model: str, name: str) -> str:
    if not name.strip() or "/" in name:
        raise InvalidInput(f"{name!r} names no consumer: expected a name without slashes")
    return f"{API}/models/{check_name(model, 'a model')}/consumers/{quote(name.strip(), safe='')}/"
