"""The part of the client that has versions trained."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from modelyard.client.connected import Connected
from modelyard.client.records import Job, Trainer, as_record
from modelyard.client.transport import API
from modelyard.core.reference import check_name


class Training(Connected):
    """What `Client` inherits."""

    def trainers(self) -> list[Trainer]:
        """Return the trainers that the server has, with the JSON Schema of what each takes."""
        return [as_record(item, Trainer) for item in self._control.get(f"{API}/trainers/")]

    def train(
        self,
        model: str,
        dataset: str,
        *,
        trainer: str = "tabular",
        description: str = "",
        parameters: Mapping[str, Any] | None = None,
        tenants: Sequence[str] | Literal["all"] | None = None,
        skip_missing: bool = False,
        **more: Any,
    ) -> Job:
        """Have a version of a model trained on a dataset, and return the job; its `outcome` names the version.

        The model is made where there is none.

        `parameters`, and whatever else is named, go to the trainer. An estimator's own parameters go one level deeper:
        they are the trainer's parameter `parameters`.

        Args:
            tenants: names, or "all": each trains a version of its own, of the dataset that it has by that name, and
                `outcome["tenants"]` tells what came of each. For a key of the operator's.
            skip_missing: leave out tenants that lack the dataset, or whose dataset does not fit; else nothing starts.

        Raises:
            InvalidInput: what can be refused before a row is read, as a target that the dataset does not have.

        Example:
            >>> job = yard.train("delays", "flights:1", target="late", estimator="LogisticRegression")
            >>> for event in yard.watch(job): ...

            With `alpha` of the estimator itself:

            >>> own = {"parameters": {"alpha": 0.1}}
            >>> yard.train("delays", "flights:1", target="delay", estimator="ElasticNet", parameters=own)
        """
        body: dict[str, Any] = {
            "model": model,
            "dataset": dataset,
            "parameters": {**(parameters or {}), **more},
            "description": description,
        }
        if tenants is not None:
            body |= {"tenants": tenants if isinstance(tenants, str) else list(tenants), "skip_missing": skip_missing}
        return self._send("POST", f"{API}/trainers/{check_name(trainer, 'a trainer')}/train", Job, body)
