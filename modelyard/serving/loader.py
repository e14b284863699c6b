"""From a served version to a warm runtime: fetch, check the digest, load, try on sample rows."""

import logging
import time
from pathlib import Path
from typing import cast

from modelyard.core.errors import Misconfigured, ModelRefused, Unavailable
from modelyard.core.settings import Settings
from modelyard.core.tensors import Batch
from modelyard.exchange.snapshot import ServedVersion
from modelyard.runtimes.runtime import Runtime, runtime_class
from modelyard.sandbox.environments import interpreter
from modelyard.sandbox.isolated import IsolatedRuntime
from modelyard.sandbox.limits import Limits
from modelyard.serving.artifacts import LocalArtifacts
from modelyard.serving.cost import Cost
from modelyard.serving.protocols.decoder import Decoder

log = logging.getLogger(__name__)

WARM_UP_RUNS = 5
WARM_UP_ROWS = 32
PRUNE_SECONDS = 3600.0


class Loader:
    """Blocks; called in the engine's loading threads."""

    def __init__(self, artifacts: LocalArtifacts, settings: Settings) -> None:
        self._artifacts = artifacts
        self._pruned = time.monotonic()
        self._environments: dict[str, Path] = settings.environments
        for name, python in self._environments.items():
            if not python.is_file():
                log.warning("environment.gone", extra={"environment": name})
        self._limits = Limits.of(settings).within(settings.request_timeout_seconds)

    def load(self, tenant: str, version: ServedVersion, cost: Cost) -> Runtime:
        """Return a runtime that has answered the version's sample rows; what that cost goes into `cost`.

        Raises:
            ModelyardError, OSError: when it cannot be had; nothing of it stays loaded.
        """
        path = self._artifacts.fetch(tenant, version.digest)
        runtime = self._open(path, version)
        try:
            self._warm_up(runtime, version, cost)
        except BaseException:
            runtime.unload()
            raise
        return runtime

    def prune(self, keep: set[str]) -> None:
        """Once an hour, forget local artifacts of long ago that are not in `keep`."""
        if time.monotonic() - self._pruned >= PRUNE_SECONDS:
            self._pruned = time.monotonic()
            self._artifacts.prune(keep)

    def _open(self, path: Path, version: ServedVersion) -> Runtime:
        if not version.isolated:
            return runtime_class(version.runtime).load(path, version.signature)
        child = IsolatedRuntime.load(
            path,
            version.signature,
            runtime=version.runtime,
            limits=self._limits,
            python=self._interpreter(version.environment),
        )
        return cast(Runtime, child)

    def _interpreter(self, environment: str) -> Path | None:
        """Return what runs the child, None for our own.

        Raises:
            Unavailable: the environment is gone from this machine: a later try succeeds once it is back.
        """
        if not environment:
            return None
        try:
            return interpreter(environment, self._environments)
        except Misconfigured as error:
            raise Unavailable(error.message) from None

    @staticmethod
    def _warm_up(runtime: Runtime, version: ServedVersion, cost: Cost) -> None:
        """Run the sample rows one at a time and as one larger batch, twice at least: the first run is never typical."""
        if not version.sample:
            return
        decoder = Decoder(version.signature)
        singles = [decoder.from_rows([row]) for row in version.sample[:WARM_UP_RUNS]]
        many = decoder.from_rows((version.sample * WARM_UP_ROWS)[:WARM_UP_ROWS])
        _check(runtime, singles[0], version)
        for batch in [*singles, *singles[:WARM_UP_RUNS], many, many]:
            started = time.thread_time()
            runtime.predict(batch)
            cost.measured(batch.n_rows, time.thread_time() - started)


def _check(runtime: Runtime, batch: Batch, version: ServedVersion) -> None:
    answer = runtime.predict(batch)
    lacking = [output.name for output in version.signature.outputs if output.name not in answer]
    if lacking:
        raise ModelRefused(f"the model gives no output `{lacking[0]}`, which its signature names")
    for name, array in answer.items():
        if array.ndim < 1 or len(array) != batch.n_rows:
            raise ModelRefused(f"the model's output `{name}` has shape {array.shape}: expected {batch.n_rows} rows")
