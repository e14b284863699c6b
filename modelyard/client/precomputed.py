"""The part of the client that speaks of answers stored by entity."""

from urllib.parse import quote

from modelyard.client.connected import Connected
from modelyard.client.records import Answer, Job, Precomputation, as_record, read_record
from modelyard.client.transport import API, TRIES, despite
from modelyard.core.errors import InvalidInput
from modelyard.core.reference import check_name


class Precomputed(Connected):
    """What `Client` inherits."""

    def precomputed(self, model: str, entity: str | int) -> Answer:
        """Return the stored answer of an entity, as `predict` returns one of one row.

        Raises:
            NotFound: when nothing is stored for it.

        Example:
            >>> yard.precomputed("churn", "customer-17").predictions[0]
        """
        text = str(entity)
        if text in ("", ".", ".."):
            raise InvalidInput(f"{text!r} names no entity: expected its id")
        path = f"/precomputed/{check_name(model, 'a model')}/{quote(text, safe='')}"
        return read_record(self._data.send("GET", path, tries=TRIES, repeat_only_if_told=True).content, Answer)

    def precomputations(self, model: str) -> list[Precomputation]:
        """Return what stored answers a model had, the newest first; one at most is `current`."""
        return list(self._list(_path(model), Precomputation))

    def publish_precomputed(self, model: str, scoring: Job | str) -> Job:
        """Store the answers of a scoring by entity, and tell them once the job that is returned has succeeded.

        Raises:
            Conflict: when the job is no scoring of the model that has succeeded, or it named no entity.
        """
        key = scoring if isinstance(scoring, str) else scoring.id
        return self._send("POST", _path(model), Job, {"job": key})

    def activate_precomputed(self, model: str, number: int) -> Precomputation:
        """Tell answers from a former file again.

        Raises:
            Conflict: when the file is gone: only the newest are kept.
        """
        return as_record(self._control.send("POST", f"{_path(model)}{number}/activate").json(), Precomputation)

    def withdraw_precomputed(self, model: str, *, despite_consumers: bool = False) -> None:
        """Tell no stored answers of the model any more; `activate_precomputed` takes that back.

        Raises:
            InUse: when somebody is declared to ask for the model by its name, and not `despite_consumers`.
        """
        self._control.send("DELETE", _path(model) + despite(despite_consumers))


def _path(model: str) -> str:
    return f"{API}/models/{check_name(model, 'a model')}/precomputed/"
