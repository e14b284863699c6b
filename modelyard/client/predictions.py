"""The part of the client that asks for predictions."""

from collections.abc import Sequence
from typing import Any

from modelyard.client.connected import Connected
from modelyard.client.records import Answer, read_record
from modelyard.client.rows import body_of, plain
from modelyard.client.transport import TRIES
from modelyard.core.reference import parse_reference


class Predictions(Connected):
    """What `Client` inherits."""

    def predict(
        self,
        model: str,
        inputs: Any,
        *,
        entity_ids: Sequence[str | int] | None = None,
        outputs: Sequence[str] = (),
    ) -> Answer:
        """Ask for predictions; a server that says "not now, try again" is asked again, for a few seconds at most.

        Args:
            model: `iris` (the plan decides which version answers), `iris:3` or `iris@candidate`.
            inputs: a DataFrame or Table, an array `(n_rows, n_columns)`, a list of dictionaries or of rows, or one
                dictionary. NaN means a missing value.
            entity_ids: one a row; the same entity is answered by the same version while several share the requests.
            outputs: names of further outputs to give.

        Raises:
            InvalidInput: when a row does not fit the version's signature; the message says where.

        Example:
            >>> yard.predict("churn:3", [{"age": 41, "plan": "pro"}])
        """
        path = f"/predict/{parse_reference(model)}"
        body = body_of(inputs)
        if entity_ids is not None:
            body["entity_ids"] = plain(list(entity_ids))
        if outputs:
            body["options"] = {"outputs": list(outputs)}
        response = self._data.send("POST", path, json=body, tries=TRIES, repeat_only_if_told=True)
        return read_record(response.content, Answer)
