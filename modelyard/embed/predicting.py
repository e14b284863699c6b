"""`modelyard.predict`: a model of the registry, asked from the project's own code, in this very process.

It goes the way of every prediction (checked against the signature, batched with others, logged, shared among the
plan's arms) without a connection, a key or a question to the database.
"""

import asyncio
import threading
import time
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import msgspec
from asgiref.sync import sync_to_async
from django.db.models import Manager, QuerySet
from django.db.models.query import RawQuerySet

from modelyard.client.records import Answer
from modelyard.client.rows import plain
from modelyard.config.predictor import read_answer
from modelyard.core.errors import DeadlineExceeded, ModelyardError, NotFound
from modelyard.core.reference import Reference, parse_reference
from modelyard.embed.process import core as this_core
from modelyard.embed.rows import body_for
from modelyard.exchange import passes
from modelyard.serving.core import Core, slot_of
from modelyard.serving.message import Request, Response
from modelyard.serving.router import representative
from modelyard.serving.served import Snapshot, TenantView, VersionView

GRACE_SECONDS = 1.0
ROWS = (QuerySet, RawQuerySet, Manager, list, tuple)
"""What may hold none, and is then answered with none."""
_by_name: tuple[Snapshot | None, dict[str, TenantView]] = (None, {})


def predict(
    model: str,
    rows: Any,
    *,
    fields: Mapping[str, str] | None = None,
    entity_ids: Sequence[str | int] | None = None,
    outputs: Sequence[str] = (),
    tenant: str | None = None,
) -> Answer:
    """Predict, in this process.

    Args:
        model: `iris` (the plan decides which version answers), `iris:3` or `iris@candidate`.
        rows: a QuerySet or a manager, a list of model instances or one; a DataFrame or Table, an array
            `(n_rows, n_columns)`, a list of dictionaries or of rows, or one dictionary.
        fields: for a QuerySet or instances: the field of each column that is not called like one, as
            `{"petal length (cm)": "petal_length", "city": "address__city__name"}`.
        entity_ids: one a row; the same entity is answered by the same version while several share the requests.
        outputs: names of further outputs to give.
        tenant: whose model; else `MODELYARD["TENANT"]`, else the only tenant that there is.

    Returns:
        The predictions in the order of the rows; of a QuerySet or a list without rows, none.

    Raises:
        InvalidInput: when a row does not fit the version's signature, or a field for a needed column is missing;
            for the latter no query was run.
        NotFound: when the tenant, the model, the version or the alias is not there.
        Unavailable: when the model cannot be loaded, or too many wait for it.

    Example:
        >>> modelyard.predict("churn", Customer.objects.filter(active=True)).predictions
    """
    reference = parse_reference(model)
    core = this_core()
    owner = _owner(core, tenant or core.settings.tenant)
    body = body_for(rows, lambda: _answering(core, owner, reference).signature, fields, int(core.settings.max_rows))
    if isinstance(rows, ROWS) and not (body.get("data") or body.get("rows")):
        view = _answering(core, owner, reference)
        return Answer(model=view.model, version=view.number, predictions=[])
    if entity_ids is not None:
        body["entity_ids"] = plain(list(entity_ids))
    if outputs:
        body["options"] = {"outputs": list(outputs)}
    response = _ask(core, owner, reference, msgspec.json.encode(body))
    read_answer(response.status, response.body)
    return msgspec.json.decode(response.body, type=Answer, strict=False)


async def apredict(model: str, rows: Any, **options: Any) -> Answer:
    """Predict without holding up the event loop; a QuerySet is read in a thread, as Django's own queries are."""
    return await sync_to_async(predict)(model, rows, **options)


def _owner(core: Core, name: str | None) -> TenantView:
    """Return the tenant as the data plane knows it."""
    global _by_name
    snapshot = core.pickup.snapshot
    known_in, known = _by_name
    if known_in is not snapshot:
        known = {view.document.name: view for view in snapshot.tenants.values()}
        _by_name = snapshot, known
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    found = known.get(name or "")
    if found is not None:
        return found
    raise NotFound(_no_owner(name, list(known)))


def _no_owner(name: str | None, known: list[str]) -> str:
    if not known:
        return (
            "nothing is published yet: make a tenant (`manage.py modelyard tenants create`), "
            "and let `manage.py modelyard tend` run"
        )
    if name is None:
        return (
            f"there are {len(known)} tenants: say which one with `tenant=`, or with MODELYARD['TENANT'] for all calls"
        )
    near = get_close_matches(name, known, 1)
    hint = f"did you mean `{near[0]}`?" if near else "`manage.py modelyard tenants list` shows them"
    return f"there is no tenant `{name}`, or it is not published yet; {hint}"


def _answering(core: Core, owner: TenantView, reference: Reference) -> VersionView:
    """Return the version by whose signature rows are read; waits for the model's document at its first use."""
    slot = slot_of(owner, reference.model)
    there = threading.Event()
    errors: list[ModelyardError] = []

    def ready(error: ModelyardError | None) -> None:
        errors.extend([error] if error else [])
        there.set()

    seconds = core.settings.request_timeout_seconds
    if slot.wait(ready, time.monotonic() + seconds):
        core.pickup.fetch(slot)
    if not there.wait(seconds + GRACE_SECONDS):
        raise DeadlineExceeded(f"the document of model `{reference.model}` did not come in time")
    if slot.served is None:
        raise errors[0] if errors else NotFound(f"model `{reference.model}` is not served")
    return representative(slot.served, reference)


def _ask(core: Core, owner: TenantView, reference: Reference, body: bytes) -> Response:
    bearer = passes.issue(owner.id, owner.document.mac_key, time.time())
    headers = [(b"authorization", f"Bearer {bearer}".encode()), (b"content-type", b"application/json")]
    request = Request("POST", f"/predict/{reference}", "", headers, body)
    answered: list[Response] = []
    there = threading.Event()

    def done(response: Response) -> None:
        answered.append(response)
        there.set()

    if _in_event_loop():
        # The core would put the work behind what this loop has received, and this thread is about to wait for it.
        threading.Thread(target=core.begin, args=(request, done), name="modelyard-predict", daemon=True).start()
    else:
        core.begin(request, done)
    if not there.wait(core.settings.request_timeout_seconds + GRACE_SECONDS):
        raise DeadlineExceeded("the model did not answer in time")
    return answered[0]


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
