"""How the console's try-it form reaches the data plane: in process when embedded, over HTTP when split.

Either way it brings a pass of the tenant, so that the data plane answers it as it answers anybody.
"""

import json
import threading
import time
from typing import Any
from urllib.parse import quote

import httpx2

from modelyard.control.console.predictor import Predictor
from modelyard.control.tenancy.models import Tenant
from modelyard.core import errors
from modelyard.core.errors import DeadlineExceeded, ModelyardError, Unavailable
from modelyard.core.settings import Settings
from modelyard.exchange import passes
from modelyard.serving.core import Core
from modelyard.serving.message import Request, Response

ERRORS: dict[str, type[ModelyardError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ModelyardError) and kind is not ModelyardError
}


class InProcess:
    """Asks the core that runs in this very process, never through its own port."""

    def __init__(self, core: Core, timeout_seconds: float) -> None:
        self.core = core
        self.timeout_seconds = timeout_seconds

    def predict(self, tenant: Tenant, reference: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
        return self._ask(tenant, "POST", f"/predict/{reference}", _body(rows))

    def stored(self, tenant: Tenant, model: str, entity: str) -> dict[str, Any]:
        return self._ask(tenant, "GET", f"/precomputed/{model}/{entity}")

    def _ask(self, tenant: Tenant, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
        headers = [
            (b"authorization", f"Bearer {_pass(tenant)}".encode()),
            (b"content-type", b"application/json"),
        ]
        answered: list[Response] = []
        there = threading.Event()

        def done(response: Response) -> None:
            answered.append(response)
            there.set()

        self.core.begin(Request(method, path, "", headers, body), done)
        if not there.wait(self.timeout_seconds + 1):
            raise DeadlineExceeded("the model did not answer in time")
        return read_answer(answered[0].status, answered[0].body)


class OverHttp:
    """Asks the data plane that runs elsewhere."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self.url = url.rstrip("/")
        self.client = httpx2.Client(timeout=timeout_seconds + 1, follow_redirects=False, trust_env=False)

    def predict(self, tenant: Tenant, reference: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
        return self._ask(tenant, "POST", f"predict/{quote(reference, safe=':@')}", _body(rows))

    def stored(self, tenant: Tenant, model: str, entity: str) -> dict[str, Any]:
        return self._ask(tenant, "GET", f"precomputed/{quote(model)}/{quote(entity, safe='')}")

    def _ask(self, tenant: Tenant, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {_pass(tenant)}", "Content-Type": "application/json"}
        try:
            answer = self.client.request(method, f"{self.url}/{path}", content=body, headers=headers)
        except httpx2.TimeoutException as error:
            raise DeadlineExceeded("the model did not answer in time") from error
        except httpx2.HTTPError as error:
            raise Unavailable("the data plane cannot be reached just now") from error
        return read_answer(answer.status_code, answer.content)


def predictor_for(settings: Settings, core: Core | None) -> Predictor:
    """Return the predictor that fits how the planes run."""
    if core is not None:
        return InProcess(core, settings.request_timeout_seconds)
    return OverHttp(settings.predict_url, settings.request_timeout_seconds)


def _pass(tenant: Tenant) -> str:
    return passes.issue(str(tenant.pk), tenant.mac_key, time.time())


def _body(rows: list[dict[str, Any]]) -> bytes:
    return json.dumps({"rows": rows}, allow_nan=False).encode()


def read_answer(status: int, body: bytes) -> dict[str, Any]:
    """Return the answer, or raise what the data plane refused with."""
    try:
        answer = json.loads(body)
    except ValueError as error:
        raise Unavailable("the data plane's answer was not understood") from error
    if status == 200 and isinstance(answer, dict):
        return answer
    refusal = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(refusal, dict):
        raise Unavailable(f"the data plane answered with status {status}")
    kind = ERRORS.get(str(refusal.get("code")), Unavailable)
    raise kind(str(refusal.get("message", "")), **(refusal.get("details") or {}))
