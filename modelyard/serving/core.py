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
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import partial

from modelyard.artifacts.store import ArtifactStore
from modelyard.core.errors import ModelyardError, NotFound, TooLarge, Unavailable
from modelyard.core.schema import openapi
from modelyard.core.settings import Settings
from modelyard.core.tensors import take
from modelyard.exchange.medium import FolderMedium, Medium
from modelyard.exchange.spool import Spool
from modelyard.serving import origins
from modelyard.serving.access import authorise
from modelyard.serving.addresses import Address, Verb, find_address
from modelyard.serving.artifacts import LocalArtifacts
from modelyard.serving.call import BodyProtocol, Call, Part
from modelyard.serving.delivery import Delivery, internal, send
from modelyard.serving.engine import Engine, stopping
from modelyard.serving.loader import Loader
from modelyard.serving.message import JSON, Done, Headers, Request, Response
from modelyard.serving.pickup import Pickup
from modelyard.serving.protocols import oip, repository
from modelyard.serving.protocols.checking import COMPARED, nearest
from modelyard.serving.protocols.rows import RowsProtocol, to_json
from modelyard.serving.recorder import Recorder
from modelyard.serving.refusal import refusal
from modelyard.serving.router import choose, representative
from modelyard.serving.served import ModelSlot, ServedModel, TenantView, VersionView
from modelyard.serving.stored import StoredAnswers, describe
from modelyard.serving.work import Work

log = logging.getLogger(__name__)

LARGE_BODY_BYTES = 64 << 10
"""Bodies from this size on are decoded in a thread, so that a server's loop does not stall."""

DECODING_THREADS = 2
CLOCK_SECONDS = 0.25
SCOPE = "predict"
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,100}\Z")
_ROWS = RowsProtocol()
_OIP = oip.OipProtocol()

Step = Callable[[Call, Address, ServedModel], None]


class Core:
    """Safe in threads. `start` and `stop` once each."""

    def __init__(self, settings: Settings, medium: Medium, store: ArtifactStore) -> None:
        self.settings = settings
        cache = settings.cache
        self.spool = Spool(settings.spool, medium, settings.max_spool_bytes)
        self.recorder = Recorder(self.spool)
        self._delivery = Delivery(self.recorder)
        artifacts = LocalArtifacts(cache / "artifacts", store)
        loader = Loader(artifacts, settings)
        self.engine = Engine(settings, loader, deliver=self._delivery.deliver, defer=defer)
        self._stored = StoredAnswers(settings, artifacts, self.recorder, self._delivery)
        self.pickup = Pickup(
            medium, FolderMedium(cache / "snapshot"), self.engine, self._stored, self.recorder, settings.preload
        )
        self._stopped = threading.Event()
        self._clock = threading.Thread(target=self._watch_clock, name="clock", daemon=True)
        self._max_rows: int = settings.max_rows
        self._timeout_seconds: float = settings.request_timeout_seconds
        self._stopping = False
        self._requests = itertools.count()
        self._prefix = secrets.token_hex(5)
        self._decoding = ThreadPoolExecutor(DECODING_THREADS, thread_name_prefix="decode")
        self._steps: dict[Verb, Step] = {
            Verb.PREDICT: self._infer,
            Verb.DESCRIBE: self._describe,
            Verb.METADATA: self._metadata,
            Verb.READY: self._ready,
            Verb.PRECOMPUTED: self._precomputed,
        }

    def start(self) -> None:
        """Bring what is published into use; versions load in the background."""
        self.spool.start()
        self._clock.start()
        self.pickup.start()
        if not self.pickup.has_seen:
            log.info("waiting_for_snapshot", extra={"action": "waiting_for_snapshot", "reason": self._awaited()})

    def await_loaded(self, seconds: float) -> bool:
        """Wait until what is preloaded is loaded, or cannot be; False: it takes longer, or nothing is published."""
        return self.pickup.has_seen and self.pickup.settled.wait(seconds)

    def stop(self) -> None:
        """Finish what is under way, seal the spool, unload."""
        self._stopping = True
        self._decoding.shutdown(wait=True)
        self.pickup.stop()
        self._stored.stop()
        self.engine.stop()
        self._stopped.set()
        if self._clock.is_alive():
            self._clock.join()
        self.recorder.tell_drops()
        self.spool.stop()

    def _awaited(self) -> str:
        folder = self.settings.exchange
        return (
            f"nothing that can be read is published in {folder}: expected a `modelyard tend` that publishes there "
            "(MODELYARD_EXCHANGE); until then this server is not ready"
        )

    def begin(self, request: Request, done: Done) -> None:
        """Answer a request: `done` is called once, maybe before this returns, from any thread. Never raises."""
        protocol: BodyProtocol = _OIP if request.path.startswith("/v2") else _ROWS
        request_id, authorization, origin = self._read_headers(request)
        step: Callable[[Call], None] = self._route
        if origin is not None:
            done = origins.marked(self.pickup.snapshot, request, origin, authorization, done)
            if origins.is_preflight(request):
                step = partial(self._preflight, origin)
        call = Call(request, done, request_id, protocol, authorization)
        if len(request.body) < LARGE_BODY_BYTES:
            self._guarded(call, step)
        else:
            self._in_decoding(call, step)

    def _in_decoding(self, call: Call, step: Callable[[Call], None]) -> None:
        """Go on in a thread: the step would keep a server's loop for too long."""
        try:
            self._decoding.submit(self._guarded, call, step)
        except RuntimeError:
            self._delivery.refuse(call, stopping())

    def _watch_clock(self) -> None:
        """Hold deadlines in a thread that waits for nothing else: no medium that hangs may stop it."""
        while not self._stopped.wait(CLOCK_SECONDS):
            try:
                self.engine.expire()
                self.pickup.expire()
                self.recorder.tell_drops()
            except Exception:
                log.exception("clock_failed", extra={"action": "clock_failed"})

    def new_request_id(self) -> str:
        """Return an id that no other request of any process has."""
        return f"{self._prefix}{next(self._requests):010x}"

    def refused(self, error: ModelyardError, headers: Headers, extra: Headers = ()) -> Response:
        """Return a door's own refusal, of a request that is not read to its end."""
        request_id, authorization, origin = self._read_headers(Request("", "", "", headers, b""))
        if origin is not None:
            extra = (*extra, *origins.headers_for(self.pickup.snapshot, origin, authorization))
        return refusal(error, to_json(error.body(request_id)), request_id, extra)

    def _read_headers(self, request: Request) -> tuple[str, bytes | None, bytes | None]:
        """Return the request's id, who asks, and its origin, in one pass; nearly all have no origin."""
        given = authorization = origin = None
        for name, value in request.headers:
            if name == b"authorization":
                authorization = value if authorization is None else authorization
            elif name == b"x-request-id":
                given = value if given is None else given
            elif name == b"origin":
                origin = value if origin is None else b""  # of two neither is believed
        if given is not None and _REQUEST_ID.match(given):
            return given.decode("ascii"), authorization, origin
        return self.new_request_id(), authorization, origin

    def _guarded(self, call: Call, step: Callable[[Call], None]) -> None:
        try:
            step(call)
        except ModelyardError as error:
            self._delivery.refuse(call, error)
        except Exception as error:
            self._delivery.refuse(call, internal(call, error))

    def _route(self, call: Call) -> None:
        request = call.request
        address = find_address(request.method, request.path)
        if address.verb is Verb.LIVE:
            answer(call, {"live": True})
            return
        if address.verb is Verb.SERVER_READY:
            ready = self.pickup.settled.is_set() and not self._stopping
            answer(call, {"ready": ready}, 200 if ready else 503)
            return
        call.tenant = authorise(self.pickup.snapshot, call.authorization, SCOPE)
        if address.error is not None:
            raise copy(address.error)
        if address.verb is Verb.SERVER:
            answer(call, oip.server_metadata())
            return
        if address.verb is Verb.INDEX:
            self._in_decoding(call, self._index)
            return
        self._with_model(call, address, self._steps[address.verb])

    def _preflight(self, origin: bytes, call: Call) -> None:
        send(call, origins.answer_preflight(self.pickup.snapshot, call.request, origin, call.request_id))

    def _with_model(self, call: Call, address: Address, step: Step) -> None:
        """Go on with `step` once the model's document is there; mostly at once."""
        slot = find_slot(call, address.model)
        served = slot.served
        if served is not None:
            named = address.reference.version is not None or address.reference.alias is not None
            own = named or address.verb is Verb.PRECOMPUTED  # these answer whatever the plan is
            if not own and served.champion is None and slot.failure is not None and slot.refused == slot.wanted:
                raise copy(slot.failure)  # a version was promoted: it is only that it cannot be loaded
            step(call, address, served)
            return

        def ready(error: ModelyardError | None) -> None:
            def resume(call: Call) -> None:
                if error is not None or slot.served is None:
                    raise error or Unavailable(f"model `{slot.name}` cannot be served now", retry_after=1)
                step(call, address, slot.served)

            self._guarded(call, resume)

        if slot.wait(ready, call.started + self._timeout_seconds):
            self.pickup.fetch(slot)

    def _index(self, call: Call) -> None:
        if call.tenant is None:
            raise AssertionError("who asks is known before what is asked")
        request = repository.read_request(call.request.body)
        answer(call, repository.index(call.tenant, self.engine.state, ready_only=request.ready))

    def _describe(self, call: Call, address: Address, served: ServedModel) -> None:
        asked = address.reference
        view = representative(served, asked)
        document = openapi(str(asked), view.signature, self.settings.predict_url)
        document["info"]["version"] = str(view.number)  # by which a client sees that its promotion arrived
        answer(call, document)

    def _metadata(self, call: Call, address: Address, served: ServedModel) -> None:
        view = representative(served, address.reference)
        answer(call, oip.model_metadata(address.model_text, view, sorted(served.views)))

    def _ready(self, call: Call, address: Address, served: ServedModel) -> None:
        """Tell whether a request would be answered without a load; where not, begin it."""
        asked = address.reference
        views = [representative(served, asked)]
        if asked.version is None and asked.alias is None:
            views = served.planned()
        queues = [self.engine.queue(view.key, view.name, view.version) for view in views]
        ready = all(queue.is_ready for queue in queues)
        answer(call, {"name": address.model_text, "ready": ready}, 200 if ready else 503)

    def _precomputed(self, call: Call, address: Address, served: ServedModel) -> None:
        slot = find_slot(call, address.model)
        if not address.entity:
            answer(call, *describe(slot.stored))
            return
        deadline = call.started + self._timeout_seconds
        self._stored.answer(call, slot.stored, address.entity, deadline, self._guarded)

    def _infer(self, call: Call, address: Address, served: ServedModel) -> None:
        limits = served.document.limits
        if limits.max_body_bytes is not None and len(call.request.body) > limits.max_body_bytes:
            raise TooLarge(f"{len(call.request.body)} bytes: expected at most {limits.max_body_bytes} in a body")
        max_rows = min(limits.max_rows or self._max_rows, self._max_rows)
        asked = address.reference
        call.view = view = representative(served, asked)
        self._allow(call, view)
        call.decoded = call.protocol.decode(call, view, max_rows)
        if asked.version is not None or asked.alias is not None:
            call.parts = [Part(call, view, None)]
        else:
            call.parts = self._parts(call, served)
        timeout = min(limits.timeout_seconds or self._timeout_seconds, self._timeout_seconds)
        self._submit(call, max_rows, call.started + timeout)

    @staticmethod
    def _allow(call: Call, view: VersionView) -> None:
        version = view.version
        if version.isolated and version.runtime != "onnx" and call.tenant and not call.tenant.document.runs_code:
            raise Unavailable(f"{view.name} carries code, and its tenant does not allow such files to be served")

    @staticmethod
    def _parts(call: Call, served: ServedModel) -> list[Part]:
        """Share the rows among the plan's arms: entities each to their own, all others together."""
        entities = call.decoded.entities if call.decoded is not None else ()
        if not entities or len(served.document.plan.arms) == 1:
            view, probability = choose(served, None)
            return [Part(call, view, probability)]
        chosen: dict[int, tuple[VersionView, float, list[int]]] = {}
        for row, entity in enumerate(entities):
            view, probability = choose(served, entity)
            chosen.setdefault(view.number, (view, probability, []))[2].append(row)
        whole = len(chosen) == 1
        return [Part(call, view, share, None if whole else rows) for view, share, rows in chosen.values()]

    def _submit(self, call: Call, max_rows: int, deadline: float) -> None:
        parts, decoded = call.parts, call.decoded
        if decoded is None or call.view is None:
            raise AssertionError("a request is read before it is submitted")
        if len(parts) > 1:
            call.left, call.lock = len(parts), threading.Lock()
        works: list[Work] = []
        for part in parts:
            batch = decoded.batch
            if part.view is not call.view and part.view.signature != call.view.signature:
                batch = call.protocol.decode(call, part.view, max_rows).batch
            works.append(Work(batch if part.rows is None else take(batch, part.rows), deadline, part))
        for place, (part, work) in enumerate(zip(parts, works, strict=True)):
            try:
                self.engine.submit(part.view.key, part.view.name, part.view.version, work)
            except ModelyardError as error:
                if len(parts) == 1:
                    raise
                for left in works[place:]:
                    left.error = error
                self._delivery.deliver(works[place:])
                return


def answer(call: Call, body: object, status: int = 200) -> None:
    """Send a body that needs no record."""
    send(call, Response(status, (JSON, (b"x-request-id", call.request_id.encode())), to_json(body)))


def find_slot(call: Call, model: str) -> ModelSlot:
    """Return the tenant's model; another tenant's looks like one that does not exist."""
    slot = slot_of(call.tenant, model)
    call.model = model
    return slot


def slot_of(tenant: TenantView | None, model: str) -> ModelSlot:
    """Return a tenant's model by its name.

    Raises:
        NotFound: naming the nearest that there is.
    """
    own = tenant.slots if tenant is not None else {}
    slot = own.get(model)
    if slot is None:
        near = nearest(model, list(itertools.islice(own, COMPARED)))
        raise NotFound(f"no model is called `{model}`" + (f"; did you mean `{near}`?" if near else ""))
    return slot


def defer(run: Callable[[], None]) -> bool:
    """Run after what the thread's event loop has already received; False, and nothing, where there is no loop."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return False
    loop.call_soon(run)
    return True
