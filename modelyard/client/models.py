"""The part of the client that speaks of models."""

from modelyard.client.connected import Connected
from modelyard.client.records import Model
from modelyard.client.transport import API, despite
from modelyard.core.errors import InvalidInput
from modelyard.core.reference import check_name, parse_reference


class Models(Connected):
    """What `Client` inherits."""

    def models(self, **filters: str) -> list[Model]:
        """Return the tenant's models, by name; `filters` are the API's, as `search="iris"`."""
        return list(self._list(f"{API}/models/", Model, filters))

    def model(self, name: str) -> Model:
        """Return one model."""
        return self._get(f"{API}/models/{check_name(name, 'a model')}/", Model)

    def create_model(self, name: str, *, problem: str = "") -> Model:
        """Make a model without versions. `problem` says what is predicted, for whom, and why."""
        json = {"name": check_name(name, "a model"), "problem": problem}
        return self._send("POST", f"{API}/models/", Model, json)

    def delete(self, model: str, number: int | None = None, *, despite_consumers: bool = False) -> None:
        """Delete a version, or, when none is named, a whole model with its aliases, its charter and its consumers.

        Raises:
            InUse: when the plan names it, or an alias names the version; or consumers are declared, and not
                `despite_consumers`.

        Example:
            >>> yard.delete("iris:3")
        """
        reference = parse_reference(model)
        number = number if number is not None else reference.version
        if reference.alias:
            raise InvalidInput(
                f"{model!r} names an alias: expected a model, or a version as in 'iris:3'; see `delete_alias`"
            )
        path = f"{API}/models/{reference.model}/" + (f"versions/{number}/" if number is not None else "")
        self._control.send("DELETE", path + despite(despite_consumers))
