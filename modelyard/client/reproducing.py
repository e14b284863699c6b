"""The part of the client that reads a version's training, and has it run again."""

from modelyard.client.aliases import Aliases
from modelyard.client.records import Job, Reproduction, Trained, Version
from modelyard.client.transport import API


class Reproducing(Aliases):
    """What `Client` inherits."""

    def training(self, model: str, version: Version | int | str | None = None) -> Trained:
        """Return what the version's training told: warnings, metrics beside the baseline, confusion matrix, search.

        `model` is a name, or a reference, as `iris:3`, without `version`.

        Raises:
            NotFound: when the version was pushed and not trained.
        """
        return self._get(f"{self._at(model, version)}/training/", Trained)

    def reproduce(self, model: str, version: Version | int | str | None = None) -> Job:
        """Have a version's training run again, and return the job; its `outcome` tells what is equal.

        Nothing is registered. `model` is a name, or a reference, as `iris:3`, without `version`.

        Raises:
            Conflict: when the version was pushed and not trained, or what it was made with is not there any more.

        Example:
            >>> job = yard.reproduce("iris:3")
            >>> *_, end = yard.watch(job)
            >>> end.data["outcome"]["equal"]
        """
        return self._send("POST", f"{self._at(model, version)}/reproduce", Job, None)

    def reproductions(self, model: str, version: Version | int | str | None = None) -> list[Reproduction]:
        """Return how the version's training was reproduced, the newest first."""
        return list(self._list(f"{self._at(model, version)}/reproductions/", Reproduction))

    def _at(self, model: str, version: Version | int | str | None) -> str:
        name, number = self._chosen(model, version)
        return f"{API}/models/{name}/versions/{number}"
