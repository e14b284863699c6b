"""The part of the client that speaks of movable names, and of how a version is named."""

from modelyard.client.connected import Connected
from modelyard.client.records import Alias, Version
from modelyard.client.serving import await_served
from modelyard.client.transport import API, despite, told
from modelyard.core.errors import InvalidInput, NotFound
from modelyard.core.reference import Reference, check_name, parse_reference


class Aliases(Connected):
    """What `Client` inherits."""

    def aliases(self, model: str) -> list[Alias]:
        """Return a model's aliases, by name."""
        return list(self._list(f"{API}/models/{check_name(model, 'a model')}/aliases/", Alias))

    def set_alias(
        self, model: str, name: str, version: Version | int | str, *, wait: bool = True, despite_consumers: bool = False
    ) -> Alias:
        """Let `model@name` mean `version` from now on; `version`, `wait` and consumers as in `promote`."""
        _, number = self._chosen(model, version)
        alias = self._send("PUT", _alias_path(model, name), Alias, {"version": number, **told(despite_consumers)})
        if wait:
            await_served(self._data, f"{model}@{name}", alias.version)
        return alias

    def delete_alias(self, model: str, name: str, *, wait: bool = True, despite_consumers: bool = False) -> None:
        """Forget an alias; the version stays. `wait` as in `promote`, consumers as in `delete`."""
        self._control.send("DELETE", _alias_path(model, name) + despite(despite_consumers))
        if wait:
            await_served(self._data, f"{model}@{name}", None)

    def _numbered(self, model: str, number: int | None) -> tuple[str, int]:
        """Return a model's name and a version's number; an alias is looked up."""
        reference: Reference = parse_reference(model)
        if number is not None:
            if reference.version is not None or reference.alias:
                raise InvalidInput(f"{model!r} names a version already: expected it once")
            return reference.model, number
        if reference.version is not None:
            return reference.model, reference.version
        if reference.alias:
            for alias in self.aliases(reference.model):
                if alias.name == reference.alias:
                    return reference.model, alias.version
            raise NotFound(f"model `{reference.model}` has no alias `{reference.alias}`")
        raise InvalidInput(f"{model!r} names no version: expected one, as in '{model}:3'")

    def _chosen(self, model: str, version: Version | int | str | None) -> tuple[str, int]:
        """Return a model's name and a version's number, whichever way they were named.

        Raises:
            InvalidInput: when `version` is another model's, or there is none.
        """
        if version is None or isinstance(version, int):
            return self._numbered(model, version)
        named = str(version)
        if parse_reference(model) != Reference(parse_reference(named).model):
            raise InvalidInput(f"{named!r} is no version of {model!r}: expected one, as '{model}:3'")
        return self._numbered(named, None)


def _alias_path(model: str, name: str) -> str:
    return f"{API}/models/{check_name(model, 'a model')}/aliases/{check_name(name, 'an alias')}/"
