"""The data plane's core, free of transport: `begin(request, done)`.

A request passes access -> slot -> protocol (decode) -> router -> engine -> protocol (encode) -> recorder -> `done`.
Nothing on the way asks a database or blocks: what takes long (a first load, a large body, a slow model) goes on
in a thread, and `done` is called from there.
"""

import asyncio
import itertools
import logging
import re
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from modelyard.artifacts.store import ArtifactStore
from modelyard.core.errors import InvalidInput, MethodNotAllowed, ModelyardError, NotFound, TooLarge
from modelyard.core.reference import Reference, parse_reference
from modelyard.core.schema import openapi
from modelyard.core.settings import Settings
from modelyard.exchange.medium import FolderMedium, Medium
from modelyard.exchange.prediction_ids import Maker
from modelyard.exchange.records import Answered, Failed, Record
from modelyard.exchange.spool import Spool
from modelyard.serving.access import authorise
from modelyard.serving.artifacts import LocalArtifacts
from modelyard.serving.call import Call
from modelyard.serving.engine import Engine
from modelyard.serving.loader import Loader
from modelyard.serving.message import JSON, Done, Request, Response
from modelyard.serving.pickup import Pickup
from modelyard.serving.protocols.encoder import outputs_of
from modelyard.serving.protocols.rows import RowsProtocol, to_json
from modelyard.serving.recorder import Recorder
from modelyard.serving.refusal import refusal
from modelyard.serving.router import choose, representative
from modelyard.serving.served import ModelSlot, ServedModel
from modelyard.serving.work import Work

log = logging.getLogger(__name__)

LARGE_BODY_BYTES = 64 << 10
"""Bodies from this size on are decoded in a thread, so that a server's loop does not stall."""

DECODING_THREADS = 2
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,100}\Z")


class Internal(ModelyardError):
    """A mistake of ours; the log has the traceback under the request id."""


class Core:
    """Safe in threads. `start` and `stop` once each."""

    def __init__(self, settings: Settings, medium: Medium, store: ArtifactStore) -> None:
        self.settings = settings
        cache = settings.cache
        self.spool = Spool(settings.spool, medium, settings.max_spool_bytes)
        self.recorder = Recorder(self.spool)
        loader = Loader(LocalArtifacts(cache / "artifacts", store), settings)
        self.engine = Engine(settings, loader, deliver=self._deliver, defer=defer)
        self.pickup = Pickup(medium, FolderMedium(cache / "snapshot"), self.engine, self.recorder, settings.preload)
        self.stopping = False
        self._ids = Maker()
        self._requests = itertools.count()
        self._prefix = secrets.token_hex(5)
        self._decoding = ThreadPoolExecutor(DECODING_THREADS, thread_name_prefix="decode")
        self._rows = RowsProtocol()

    def start(self) -> None:
        """Bring what is published into use; versions load in the background."""
        self.spool.start()
        self.pickup.start()

    def stop(self) -> None:
        """Finish what is under way, seal the spool, unload."""
        self.stopping = True
        self._decoding.shutdown(wait=True)
        self.pickup.stop()
        self.engine.stop()
        self.recorder.tell_drops()
        self.spool.stop()

    def begin(self, request: Request, done: Done) -> None:
        """Answer a request: `done` is called once, maybe before this returns, from any thread. Never raises."""
        call = Call(request, done, self._request_id(request), self._rows)
        if len(request.body) >= LARGE_BODY_BYTES:
            self._decoding.submit(self._guarded, call, self._route)
        else:
            self._guarded(call, self._route)

    def _guarded(self, call: Call, step: Callable[[Call], None]) -> None:
        try:
            step(call)
        except ModelyardError as error:
            self._refuse(call, error)
        except Exception as error:
            self._refuse(call, _internal(call, error))

    def _route(self, call: Call) -> None:
        path = call.request.path
        if path.startswith("/predict/"):
            self._predict(call, path[9:])
        else:
            authorise(self.pickup.snapshot, call.request.header(b"authorization"), "predict")
            raise NotFound("no such address: expected /predict/{model}, or one below /v2")

    def _predict(self, call: Call, text: str) -> None:
        call.tenant = authorise(self.pickup.snapshot, call.request.header(b"authorization"), "predict")
        method = call.request.method
        if method not in ("POST", "GET"):
            raise MethodNotAllowed(f"{method} is not allowed here: expected POST or GET", allow="POST, GET")
        self.ask(call, reference(text), self._describe if method == "GET" else self._infer)

    def ask(self, call: Call, asked: Reference, step: Callable[[Call, Reference, ServedModel], None]) -> None:
        """Go on with `step` once the model's document is there; mostly at once."""
        slot = find_slot(call, asked)
        served = slot.served
        if served is not None:
            step(call, asked, served)
            return

        def ready(error: ModelyardError | None) -> None:
            def resume(call: Call) -> None:
                if error is not None:
                    raise error
                assert slot.served is not None  # noqa: S101 - that is what was waited for
                step(call, asked, slot.served)

            self._guarded(call, resume)

        if slot.wait(ready):
            self.pickup.fetch(slot)

    def _describe(self, call: Call, asked: Reference, served: ServedModel) -> None:
        view = representative(served, asked)
        document = openapi(str(asked), view.signature, self.settings.predict_url)
        self.answer(call, to_json(document))

    def _infer(self, call: Call, asked: Reference, served: ServedModel) -> None:
        limits = served.document.limits
        settings = self.settings
        if limits.max_body_bytes is not None and len(call.request.body) > limits.max_body_bytes:
            raise TooLarge(f"{len(call.request.body)} bytes: expected at most {limits.max_body_bytes} in a body")
        max_rows = min(limits.max_rows or settings.max_rows, settings.max_rows)
        call.view = view = representative(served, asked)
        call.decoded = decoded = call.protocol.decode(call, view, max_rows)
        if asked.version is None and asked.alias is None:
            entity = decoded.entities[0] if decoded.entities else None
            call.view, call.probability = choose(served, entity)
            if call.view is not view and call.view.signature != view.signature:
                call.decoded = decoded = call.protocol.decode(call, call.view, max_rows)
            view = call.view
        timeout = min(limits.timeout_seconds or settings.request_timeout_seconds, settings.request_timeout_seconds)
        work = Work(decoded.batch, time.monotonic() + timeout, call)
        self.engine.submit(view.key, view.name, view.version, work)

    def answer(self, call: Call, body: bytes) -> None:
        """Send a body that needs no record."""
        self._send(call, Response(200, (JSON, (b"x-request-id", call.request_id.encode())), body))

    def _deliver(self, works: Sequence[Work]) -> None:
        """Encode, record in one write, then let the answers leave."""
        ready: list[tuple[Call, Response]] = []
        records: list[Record] = []
        for work in works:
            call: Call = work.context
            try:
                response, record = self._failure(call, work.error) if work.error else self._success(call, work)
            except Exception as error:
                response, record = self._failure(call, _internal(call, error))
            ready.append((call, response))
            if record is not None:
                records.append(record)
        if records:
            self.recorder.record(records)
        for call, response in ready:
            self._send(call, response)

    def _success(self, call: Call, work: Work) -> tuple[Response, Record]:
        view, tenant, decoded = call.view, call.tenant, call.decoded
        if view is None or tenant is None or decoded is None or work.answer is None:
            raise AssertionError("a work is made of these")
        outputs = outputs_of(work.answer)
        identity = self._ids.make(call.at, tenant.number, view.version.id, tenant.mac_key)
        body = call.protocol.encode(call, outputs, identity)
        batch = work.batch
        if batch.matrix is not None:
            inputs: bytes | dict[str, list[object]] = batch.matrix.tobytes()
        else:
            inputs = {name: array.tolist() for name, array in (batch.columns or {}).items()}
        record = Answered(
            id=identity,
            at=call.at,
            tenant=tenant.number,
            model=view.model,
            version=view.number,
            version_id=view.version.id,
            rows=batch.n_rows,
            probability=call.probability,
            seconds=time.perf_counter() - call.started,
            inputs=inputs,
            outputs=outputs,
            protocol=call.protocol.name,
            request_id=call.request_id,
            entities=list(decoded.entities),
        )
        return Response(200, (JSON, (b"x-request-id", call.request_id.encode())), body), record

    def _failure(self, call: Call, error: ModelyardError) -> tuple[Response, Record | None]:
        """Return the refusal, and its record when it was one of a model that the tenant has."""
        body = call.protocol.refuse(error, call.request_id)
        response = refusal(error, body, call.request_id)
        if call.tenant is None or call.model is None:
            return response, None
        view = call.view
        record = Failed(
            at=call.at,
            tenant=call.tenant.number,
            model=call.model,
            code=error.code,
            message=error.message.encode("utf-8", "replace").decode(),
            seconds=time.perf_counter() - call.started,
            protocol=call.protocol.name,
            request_id=call.request_id,
            version=view.number if view is not None else None,
            version_id=view.version.id if view is not None else None,
            probability=call.probability,
        )
        return response, record

    def _refuse(self, call: Call, error: ModelyardError) -> None:
        response, record = self._failure(call, error)
        if record is not None:
            self.recorder.record([record])
        self._send(call, response)

    @staticmethod
    def _send(call: Call, response: Response) -> None:
        try:
            call.done(response)
        except Exception:
            log.exception("door_failed", extra={"action": "door_failed", "request_id": call.request_id})

    def _request_id(self, request: Request) -> str:
        given = request.header(b"x-request-id")
        if given is not None and _REQUEST_ID.match(given):
            return given.decode("ascii")
        return self.new_request_id()

    def new_request_id(self) -> str:
        """Return an id that no other request of any process has."""
        return f"{self._prefix}{next(self._requests):010x}"


def find_slot(call: Call, asked: Reference) -> ModelSlot:
    """Return the tenant's model; another tenant's looks like one that does not exist."""
    assert call.tenant is not None  # noqa: S101 - access comes first
    slot = call.tenant.slots.get(asked.model)
    if slot is None:
        raise NotFound(f"no model is called `{asked.model}`")
    call.model = asked.model
    return slot


def reference(text: str) -> Reference:
    """Read a path's reference; what can name nothing is not found, like all that does not exist."""
    try:
        return parse_reference(text)
    except InvalidInput as error:
        raise NotFound(error.message) from error


def defer(run: Callable[[], None]) -> None:
    """Run after what the thread's event loop has already received, or at once where there is no loop."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        run()
    else:
        loop.call_soon(run)


def _internal(call: Call, error: Exception) -> Internal:
    log.error("internal", extra={"action": "internal", "request_id": call.request_id}, exc_info=error)
    return Internal("something went wrong here; the operator finds it in the log under this request's id")
