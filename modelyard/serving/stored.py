"""`GET /precomputed/{model}/{entity}`: answers that a scoring has left, told again.

A file is opened, and its digest checked, in a thread of its own, while what answered before answers on. A lookup runs
where the request came in, for it costs some microseconds while the file is in the system's cache; a file whose lookups
are measured to take longer is read in threads, so that it holds up no other request.
"""

import itertools
import logging
import threading
import time
from collections.abc import Callable, Set
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from typing import Any

import msgspec

from modelyard.core.errors import (
    ArtifactCorrupt,
    DeadlineExceeded,
    InvalidInput,
    ModelyardError,
    NotFound,
    Unavailable,
)
from modelyard.core.precomputed import MAX_ENTITY, PROTOCOL
from modelyard.core.settings import Settings
from modelyard.exchange.records import Answered
from modelyard.exchange.snapshot import Precomputed
from modelyard.serving.answer_file import AnswerFile
from modelyard.serving.artifacts import LocalArtifacts
from modelyard.serving.call import Call
from modelyard.serving.delivery import Delivery, send
from modelyard.serving.engine import stopping
from modelyard.serving.message import JSON, NOT_MODIFIED, Headers, Response
from modelyard.serving.protocols.repository import stored_state
from modelyard.serving.recorder import Recorder
from modelyard.serving.served import ModelSlot, ServedModel, StoredSlot

log = logging.getLogger(__name__)

OPENING_THREADS = 2
READING_THREADS = 4
RETRY_SECONDS = 5.0
_SHOWN = 80

Guarded = Callable[[Call, Callable[[Call], None]], None]
"""Runs a step of a call, and answers with what it raises."""


class StoredAnswers:
    """All models' files. Safe in threads; `stop` once."""

    def __init__(self, settings: Settings, artifacts: LocalArtifacts, recorder: Recorder, delivery: Delivery) -> None:
        self._artifacts = artifacts
        self._recorder = recorder
        self._delivery = delivery
        self._inline_seconds: float = settings.inline_seconds
        self._max_queue: int = settings.max_queue
        self._opening = ThreadPoolExecutor(OPENING_THREADS, thread_name_prefix="stored-open")
        self._reading = ThreadPoolExecutor(READING_THREADS, thread_name_prefix="stored-read")
        self._queued = threading.Semaphore(self._max_queue)
        self._files: set[AnswerFile] = set()
        self._lock = threading.RLock()

    def bring(self, slot: ModelSlot, served: ServedModel) -> None:
        """Serve what a model's newest document names. Whether its versions can be loaded is nothing to it."""
        place, told = slot.stored, served.document.precomputed
        with self._lock:
            if slot.wanted != served.digest or told == place.told:
                return
            place.told, place.refused, place.failure = told, "", None
            if told is None:
                place.served, place.pending = None, ""
                place.fail(_nothing(place))
            else:
                self._begin(place, told)

    def look(self, place: StoredSlot, now: float) -> bool:
        """Try again what could not be opened a while ago; False while a file is being opened."""
        told = place.told
        if told is not None and place.refused and now >= place.retry_at:
            with self._lock:
                if place.told == told and not place.pending:
                    self._begin(place, told)
        return not place.pending

    def answer(self, call: Call, place: StoredSlot, entity: str, deadline: float, guarded: Guarded) -> None:
        """Tell what is stored for the entity, once the file is open.

        Raises:
            InvalidInput: when no entity is called so.
            NotFound: when nothing is precomputed, or nothing for this one.
            Unavailable: when the file is missing or damaged.
        """
        if len(entity) > MAX_ENTITY:
            raise InvalidInput(f"an entity of {len(entity)} characters: expected at most {MAX_ENTITY}")
        file = place.served
        if file is not None:
            self._read(call, place, file, entity, deadline, guarded)
            return
        if place.told is None:
            raise _nothing(place)
        if place.failure is not None:
            raise copy(place.failure)

        def ready(error: ModelyardError | None) -> None:
            def resume(call: Call) -> None:
                opened = place.served
                if opened is None:
                    raise copy(error) if error is not None else stopping()
                self._read(call, place, opened, entity, deadline, guarded)

            guarded(call, resume)

        place.wait(ready, deadline)
        if not place.pending and place.served is None:  # it came to its end while this was added
            place.fail(place.failure or _nothing(place))

    def tidy(self, places: Set[StoredSlot]) -> None:
        """Close the files that no place holds any more."""
        with self._lock:
            held = {place.served for place in places if place.served is not None}
            gone = {file for file in self._files if file not in held}
            self._files -= gone
            self._note_in_use()
        for file in gone:
            file.close()

    def stop(self) -> None:
        self._opening.shutdown(wait=True, cancel_futures=True)
        self._reading.shutdown(wait=True)
        self.tidy(set())

    def _begin(self, place: StoredSlot, told: Precomputed) -> None:
        place.pending = told.digest
        try:
            self._opening.submit(self._open, place, told)
        except RuntimeError:  # the server stops
            place.pending = ""
            place.fail(stopping())

    def _open(self, place: StoredSlot, told: Precomputed) -> None:
        started = time.monotonic()
        try:
            file = AnswerFile(self._artifacts.fetch(place.tenant, told.digest), told)
        except Exception as error:
            self._not_opened(place, told, error)
            return
        with self._lock:
            self._files.add(file)
            self._note_in_use()
            if place.told != told:
                return  # another is on its way, or none is wanted any more
            place.refused, place.failure = "", None
            place.swap(file)
            place.pending = ""
        seconds = round(time.monotonic() - started, 3)
        log.info("stored_opened", extra={"action": "stored_opened", "model": place.name, "seconds": seconds})

    def _not_opened(self, place: StoredSlot, told: Precomputed, error: Exception) -> None:
        """Stay with what answers, say why, and try again later."""
        reason = error.message if isinstance(error, ModelyardError) else type(error).__name__
        with self._lock:
            if place.told != told:
                return
            first = place.refused != told.digest
            place.refused, place.retry_at = told.digest, time.monotonic() + RETRY_SECONDS
            text = f"the precomputed answers of model `{place.name}` cannot be served now: {reason}"
            place.failure = Unavailable(text, retry_after=int(RETRY_SECONDS))
            place.pending = ""
            place.fail(place.failure)
        if first:
            self._recorder.event("refused", tenant=place.tenant, model=place.name, message=f"precomputed: {reason}")

    def _broken(self, place: StoredSlot, file: AnswerFile, error: ArtifactCorrupt) -> None:
        """Serve a file no more that turned out to be damaged; the store's own is fetched instead."""
        with self._lock:
            if place.served is file and place.told is not None:
                place.served = None
                self._not_opened(place, place.told, error)
                place.retry_at = 0.0

    def _note_in_use(self) -> None:
        self._artifacts.in_use = frozenset(file.told.digest for file in self._files)

    def _read(
        self, call: Call, place: StoredSlot, file: AnswerFile, entity: str, deadline: float, guarded: Guarded
    ) -> None:
        if file.cost.expected(1) <= self._inline_seconds:
            self._tell(call, place, file, entity)
            return
        if not self._queued.acquire(blocking=False):
            raise Unavailable(f"{self._max_queue} lookups wait already: try again in a second", retry_after=1)

        def step(call: Call) -> None:
            if time.monotonic() > deadline:
                raise DeadlineExceeded("the stored answer was not found within the time allowed")
            self._tell(call, place, file, entity)

        def read() -> None:
            self._queued.release()
            guarded(call, step)

        try:
            self._reading.submit(read)
        except RuntimeError:
            self._queued.release()
            raise stopping() from None

    def _tell(self, call: Call, place: StoredSlot, file: AnswerFile, entity: str) -> None:
        try:
            stored = file.find(entity)
            parts: Any = None if stored is None else _decoded(stored)
        except ArtifactCorrupt as error:
            self._broken(place, file, error)
            raise copy(place.failure or Unavailable(error.message)) from None
        if stored is None:
            text = f"nothing is precomputed for the entity {entity[:_SHOWN]!r} of model `{place.name}`"
            raise NotFound(text, what="entity", number=file.told.number)
        tag = f'W/"{file.told.digest[:32]}"'.encode()
        headers = ((b"etag", tag), (b"x-request-id", call.request_id.encode()))
        if _has(call.request.headers, tag):
            send(call, Response(NOT_MODIFIED, headers, b""))
            return
        told, identity = file.told, self._record(call, place, file.told, entity, parts)
        head = msgspec.json.encode({"model": place.name, "version": told.version})[:-1]
        body = b'%b,%b,"prediction_ids":["%b.0"]}' % (head, stored[1:-1], identity.encode())
        send(call, Response(200, (JSON, *headers), body))

    def _record(self, call: Call, place: StoredSlot, told: Precomputed, entity: str, parts: dict[str, Any]) -> str:
        """Note the answer before it leaves, and return the `<request>` part of its prediction id."""
        tenant = call.tenant
        if tenant is None:
            raise AssertionError("who asks is known before what is asked")
        identity = self._delivery.ids.make(call.at, tenant.number, told.version_id, tenant.mac_key)
        record = Answered(
            id=identity,
            at=call.at,
            tenant=tenant.number,
            model=place.name,
            version=told.version,
            version_id=told.version_id,
            rows=1,
            probability=None,
            seconds=time.monotonic() - call.started,
            inputs={},
            outputs=parts,
            protocol=PROTOCOL,
            request_id=call.request_id,
            entities=[entity],
        )
        self._recorder.record([record])
        return identity


def describe(place: StoredSlot) -> tuple[dict[str, Any], int]:
    """Return what is told of a model's precomputed answers, and with which status.

    Raises:
        NotFound: when there are none.
    """
    if place.told is None:
        raise _nothing(place)
    state, reason = stored_state(place)
    file = place.served
    told = place.told if file is None else file.told
    facts = {name: getattr(told, name) for name in ("number", "version", "entity", "rows", "digest")}
    shown = {"model": place.name, **facts, "state": state.lower(), "reason": reason}
    return shown, 503 if file is None else 200


def _decoded(stored: bytes) -> dict[str, list[Any]]:
    try:
        return msgspec.json.decode(stored, type=dict[str, list[Any]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ArtifactCorrupt("the file of stored answers is damaged: an answer is no JSON") from None


def _has(headers: Headers, tag: bytes) -> bool:
    """Tell whether the client says that it has this answer (RFC 9110, section 13.1.2: the weak comparison)."""
    given = itertools.chain.from_iterable(value.split(b",") for name, value in headers if name == b"if-none-match")
    return any(one.strip().removeprefix(b"W/") == tag.removeprefix(b"W/") for one in given)


def _nothing(place: StoredSlot) -> NotFound:
    return NotFound(f"nothing is precomputed for model `{place.name}`: `modelyard precomputed publish` does that")
