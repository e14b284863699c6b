"""The part of the client that speaks of what serves."""

from typing import Any

from modelyard.client.aliases import Aliases
from modelyard.client.records import Deployment, Version
from modelyard.client.serving import await_served
from modelyard.client.transport import API, told
from modelyard.core.reference import check_name


class Deployments(Aliases):
    """What `Client` inherits."""

    def promote(
        self,
        model: str,
        version: Version | int | str | None = None,
        *,
        reason: str = "",
        wait: bool = True,
        despite_consumers: bool = False,
    ) -> Deployment:
        """Let a `ready` version answer all requests for its model.

        Args:
            version: a record, a number, or a reference, as `iris:3`; None where `model` names it.
            wait: return when the data plane does so without a load before: mostly within a second, for a version
                that runs in a child within some ten; after 40 seconds in any case.

        Raises:
            Conflict: when it is not `ready`.
            InUse: when declared consumers ask in a way that it refuses and that was answered so far, and not
                `despite_consumers`.

        Example:
            >>> yard.promote("iris", 3)
            >>> yard.promote("iris:3", reason="better on the new sensors")
        """
        name, number = self._chosen(model, version)
        return self._deploy(name, "promote", {"version": number, "reason": reason, **told(despite_consumers)}, wait)

    def rollback(self, model: str, *, reason: str = "", wait: bool = True) -> Deployment:
        """Serve again what was served before; called again, what was served before that.

        It is never refused for consumers; the answer's `consumers` names those to tell.
        """
        return self._deploy(model, "rollback", {"reason": reason}, wait)

    def deactivate(
        self, model: str, *, reason: str = "", wait: bool = True, despite_consumers: bool = False
    ) -> Deployment:
        """Answer no more for the model's name alone; by number and by alias its versions answer on.

        `rollback` undoes it.

        Raises:
            InUse: when consumers are declared, and not `despite_consumers`.
        """
        json = {"reason": reason, "despite_consumers": despite_consumers}
        return self._deploy(model, "deactivate", json, wait)

    def deployment(self, model: str) -> Deployment:
        """Return how a model is served now."""
        return self._get(f"{API}/models/{check_name(model, 'a model')}/deployment", Deployment)

    def _deploy(self, model: str, verb: str, json: dict[str, Any], wait: bool) -> Deployment:
        path = f"{API}/models/{check_name(model, 'a model')}/{verb}"
        deployment = self._send("POST", path, Deployment, json)
        if wait:
            await_served(self._data, deployment.model, deployment.champion)
        return deployment
