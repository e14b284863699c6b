"""The client, put together of its parts: one file a noun. Each verb is one or two requests to the server's API."""

from types import TracebackType

import httpx2

from modelyard.client.charters import Charters
from modelyard.client.choosing import Choosing
from modelyard.client.datasets import Datasets
from modelyard.client.deployments import Deployments
from modelyard.client.jobs import Jobs
from modelyard.client.keys import Keys
from modelyard.client.precomputed import Precomputed
from modelyard.client.predictions import Predictions
from modelyard.client.reproducing import Reproducing
from modelyard.client.schedules import Schedules
from modelyard.client.scoring import Scoring
from modelyard.client.training import Training
from modelyard.client.transport import Transport
from modelyard.client.versions import Versions


class Client(
    Versions,
    Datasets,
    Deployments,
    Choosing,
    Predictions,
    Precomputed,
    Charters,
    Keys,
    Jobs,
    Training,
    Reproducing,
    Scoring,
    Schedules,
):
    """A Modelyard server, seen with one API key.

    Every verb raises the classes of `modelyard.core.errors`, by the code that the server answered with.

    Args:
        url: of the server.
        key: an API key, `yard_...`; what may be done is what its scopes allow.
        predict_url: of the data plane, where it has an address of its own.
        timeout_seconds: for connecting, and for each wait for an answer.
        through: what carries requests, instead of a network: an application in this process, say.

    Example:
        >>> yard = Client("http://127.0.0.1:8000", key="yard_...")
        >>> version = yard.push("scaler.pkl", "iris_predictor.pkl", name="iris", sample=X_test)
        >>> yard.promote("iris", version)
        >>> yard.predict("iris", X_test[:5]).predictions
        [0, 2, 1, 1, 0]
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        predict_url: str | None = None,
        timeout_seconds: float = 60.0,
        through: httpx2.BaseTransport | None = None,
    ) -> None:
        self._control = Transport(url, key, timeout_seconds, through)
        self._data = Transport(predict_url, key, timeout_seconds) if predict_url else self._control

    @property
    def url(self) -> str:
        """Return the server's address, without a slash at its end."""
        return self._control.url

    @property
    def predict_url(self) -> str:
        """Return the data plane's address."""
        return self._data.url

    def close(self) -> None:
        """Close the connections; the client is not used again."""
        self._control.close()
        self._data.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()
