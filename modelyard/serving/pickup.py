"""Looks every 250 ms for what the control plane has published, and brings it into use.

A tenant's document (keys, names) holds as soon as it is read. A model's document is read when the model is first
used, or again when it changes, and is swapped in when the versions that its plan needs are loaded: until then, and
when they cannot be, what served before serves on.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from modelyard.core.errors import ModelyardError, Unavailable
from modelyard.exchange import publication
from modelyard.exchange.medium import Medium
from modelyard.exchange.snapshot import Index, IndexEntry, ModelDocument, ServedVersion, TenantDocument
from modelyard.serving.engine import Engine, stopping
from modelyard.serving.recorder import Recorder
from modelyard.serving.residency import VersionKey
from modelyard.serving.served import ModelSlot, ServedModel, Snapshot, TenantView, VersionView
from modelyard.serving.stored import StoredAnswers

log = logging.getLogger(__name__)

Document = TypeVar("Document", TenantDocument, ModelDocument)

LOOK_SECONDS = 0.25
RETRY_SECONDS = 5.0
TIDY_SECONDS = 5.0
SWEEP_SECONDS = 600.0
READING_THREADS = 2


class Pickup:
    """The thread that looks, and the snapshot that it last brought into use.

    Attributes:
        snapshot: swapped as a whole; readers take it once a request.
        settled: what was published when a snapshot was first seen is in use, or was refused.
    """

    def __init__(
        self,
        medium: Medium,
        cache: Medium,
        engine: Engine,
        stored: StoredAnswers,
        recorder: Recorder,
        preload: tuple[str, ...],
    ) -> None:
        self.snapshot = Snapshot({})
        self.settled = threading.Event()
        self._medium = medium
        self._cache = cache
        self._engine = engine
        self._stored = stored
        self._recorder = recorder
        self._preload = preload
        self._index: bytes | None = None
        self._refused: dict[str, tuple[str, str]] = {}
        self._reading = ThreadPoolExecutor(READING_THREADS, thread_name_prefix="documents")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="pickup", daemon=True)
        self._tidied = self._swept = time.monotonic()

    @property
    def has_seen(self) -> bool:
        """Tell whether there is a snapshot, even one without tenants."""
        return self._index is not None or bool(self.snapshot.tenants)

    def start(self) -> None:
        """Bring the tenants into use, then load and look in the background."""
        self.look()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._reading.shutdown(wait=True, cancel_futures=True)
        for tenant in self.snapshot.tenants.values():
            for slot in tenant.slots.values():
                slot.fail(stopping())
                slot.stored.fail(stopping())

    def fetch(self, slot: ModelSlot) -> None:
        """Read a model's document for its first use, off this thread."""
        try:
            self._reading.submit(self._refresh, slot, slot.wanted)
        except RuntimeError:  # the server stops
            slot.fail(stopping())

    def expire(self) -> None:
        """Answer the requests that waited too long for a model's document."""
        now = time.monotonic()
        for tenant in self.snapshot.tenants.values():
            for slot in tenant.slots.values():
                slot.expire(now)
                slot.stored.expire(now)

    def look(self) -> None:
        """Read what has changed.

        What lies rotten in the medium leaves the old in use, after a start what this disk kept; the next look tries
        again.
        """
        data = self._read_index()
        if data is not None and data != self._index:
            whole = self._use(data)
            self._index = data if whole else None
            if whole:
                self._keep(publication.INDEX, data)
        if self._index is None and not self.snapshot.tenants:
            kept = self._cache.read(publication.INDEX)
            if kept is not None:
                self._use(kept)
        self._refresh_changed()

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                self.look()
                self._tidy()
            except Exception:
                log.exception("look_failed", extra={"action": "look_failed"})

    def _read_index(self) -> bytes | None:
        try:
            return self._medium.read(publication.INDEX)
        except OSError as error:
            self._refuse("medium", "", Unavailable(f"the medium is out of reach: {error.strerror}"))
            return None

    def _use(self, data: bytes) -> bool:
        """Bring an index into use; False when it, or a document that it names, had to be refused."""
        try:
            return self._take(publication.decode_index(data))
        except ModelyardError as error:
            self._refuse("index", "", error)
            return False

    def _take(self, index: Index) -> bool:
        """Bring the index's tenants into use; False when one had to be refused."""
        old = self.snapshot.tenants
        tenants: dict[str, TenantView] = {}
        whole = True
        for name, entry in index.tenants.items():
            before = old.get(name)
            if before is not None and before.digest == entry.digest:
                tenants[name] = before
                continue
            try:
                tenants[name] = TenantView(entry.digest, self._read_tenant(name, entry), before)
                self._refused.pop(name, None)
            except (ModelyardError, ValueError, OSError) as error:
                whole = False
                self._refuse(name, entry.digest, error)
                if before is not None:
                    tenants[name] = before
        self.snapshot = Snapshot(tenants)
        return whole

    def _refresh_changed(self) -> None:
        """Bring into use the documents of models that are in use, or shall be from the start, and have changed."""
        now = time.monotonic()
        settled = self.has_seen
        for tenant in self.snapshot.tenants.values():
            for slot in tenant.slots.values():
                current = slot.served
                settled = self._stored.look(slot.stored, now) and settled
                if current is None:
                    if not self._is_preloaded(slot):
                        continue
                elif current.digest == slot.wanted:
                    settled = settled and not slot.pending
                    continue
                if slot.refused == slot.wanted and now < slot.retry_at:
                    continue
                settled = False
                if slot.pending != slot.wanted:
                    slot.pending = slot.wanted
                    self._reading.submit(self._refresh, slot, slot.wanted)
        if settled and not self.settled.is_set():
            self._tell_unknown()
            self.settled.set()

    def _tell_unknown(self) -> None:
        """Warn of names for preloading that no model has: a slip there would show as a slow first answer alone."""
        known = {"all", "none"}.union(*(tenant.slots for tenant in self.snapshot.tenants.values()))
        unknown = sorted(set(self._preload) - known)
        if unknown:
            log.warning("preload_unknown", extra={"action": "preload_unknown", "models": ", ".join(unknown)})

    def _is_preloaded(self, slot: ModelSlot) -> bool:
        return "all" in self._preload or slot.name in self._preload

    def _refresh(self, slot: ModelSlot, digest: str) -> None:
        """Read a model's document, load what its plan needs, and swap."""
        try:
            before = slot.served
            served = ServedModel(slot.tenant, digest, self._read_model(slot, digest), before)
            planned = served.planned()
            for view in planned:
                _ = view.decoder, view.encoder
            self._stored.bring(slot, served)
        except Exception as error:
            self._not_taken(slot, digest, error)
            return
        if before is None:
            slot.swap(served)
            if not self._is_preloaded(slot):
                return

        def ready(error: ModelyardError | None) -> None:
            if error is None:
                self._taken(slot, served)
            else:
                self._not_taken(slot, digest, error)

        self._engine.ensure([_loadable(view) for view in planned], ready, pin=self._is_preloaded(slot))

    def _taken(self, slot: ModelSlot, served: ServedModel) -> None:
        if slot.wanted == served.digest:
            slot.refused, slot.failure = "", None
            slot.swap(served)
            self._keep(_good_key(slot), served.digest.encode())
            log.info("swapped", extra={"action": "swapped", "tenant": slot.tenant, "model": slot.name})
        if slot.pending == served.digest:
            slot.pending = ""

    def _not_taken(self, slot: ModelSlot, digest: str, error: Exception) -> None:
        """Stay with what serves, say why, and try again later."""
        first = slot.refused != digest
        slot.refused, slot.retry_at = digest, time.monotonic() + RETRY_SECONDS
        if slot.pending == digest:
            slot.pending = ""
        slot.failure = _as_unavailable(slot.name, error)
        slot.fail(slot.failure)
        if slot.served is not None and slot.served.digest == digest:
            self._fall_back(slot, digest)
        if first:
            self._recorder.event("refused", tenant=slot.tenant, model=slot.name, message=_reason(error))

    def _fall_back(self, slot: ModelSlot, digest: str) -> None:
        """After a start with a plan that cannot be loaded: serve the last good one, if this disk knows it."""
        try:
            good = (self._cache.read(_good_key(slot)) or b"").decode()
            if not good or good == digest:
                return
            served = ServedModel(slot.tenant, good, publication.read_model(self._cache, slot.tenant, good), None)
            planned = served.planned()
        except (ModelyardError, OSError, ValueError) as error:
            log.warning("no_last_good", extra={"action": "no_last_good", "reason": _reason(error)})
            return

        def ready(error: ModelyardError | None) -> None:
            if error is None and slot.served is not None and slot.served.digest == digest:
                slot.swap(served)

        self._engine.ensure([_loadable(view) for view in planned], ready, pin=self._is_preloaded(slot))

    def _read_tenant(self, tenant: str, entry: IndexEntry) -> TenantDocument:
        return self._through_cache(
            publication.tenant_key(tenant, entry.digest),
            lambda medium: publication.read_tenant(medium, tenant, entry.digest),
        )

    def _read_model(self, slot: ModelSlot, digest: str) -> ModelDocument:
        return self._through_cache(
            publication.model_key(slot.tenant, digest),
            lambda medium: publication.read_model(medium, slot.tenant, digest),
        )

    def _through_cache(self, key: str, read: Callable[[Medium], Document]) -> Document:
        """Read from the medium, and keep a copy; from the copy where the medium fails."""
        try:
            document = read(self._medium)
        except (ModelyardError, OSError):
            try:
                return read(self._cache)
            except (ModelyardError, OSError):
                pass
            raise
        self._keep(key)
        return document

    def _keep(self, key: str, data: bytes | None = None) -> None:
        """Keep a copy of `data`, or of what the medium has. That none can be kept is no reason not to serve."""
        try:
            data = self._medium.read(key) if data is None else data
            if data is not None and self._cache.read(key) != data:
                self._cache.write(key, data)
        except OSError as error:
            log.warning("cache_failed", extra={"action": "cache_failed", "reason": error.strerror})

    def _refuse(self, what: str, digest: str, error: Exception) -> None:
        """Say why something is not taken, once for each reason."""
        reason = _reason(error)
        if self._refused.get(what) != (digest, reason):
            self._refused[what] = (digest, reason)
            self._recorder.event("refused", tenant=what if what.isdigit() else None, message=reason)

    def _tidy(self) -> None:
        """Now and then pin what is preloaded, and unload what nothing needs."""
        now = time.monotonic()
        if now - self._tidied < TIDY_SECONDS:
            return
        self._tidied = now
        planned: set[VersionKey] = set()
        named: set[VersionKey] = set()
        pinned: set[VersionKey] = set()
        for tenant in self.snapshot.tenants.values():
            for slot in tenant.slots.values():
                served = slot.served
                if served is not None:
                    views = served.views
                    plan = {views[number].key for number in served.document.plan.versions if number in views}
                    named |= {view.key for view in views.values()}
                    planned |= plan
                    if self._is_preloaded(slot):
                        pinned |= plan
        self._engine.pin(pinned)
        self._stored.tidy({slot.stored for tenant in self.snapshot.tenants.values() for slot in tenant.slots.values()})
        self._engine.retire_idle(planned, named, now)
        if time.monotonic() - self._swept >= SWEEP_SECONDS:
            self._swept = time.monotonic()
            self.sweep()

    def sweep(self, now: float | None = None) -> None:
        """Forget the kept documents that nothing has named for an hour, but for each model's last good one."""
        keep: set[str] = set()
        try:
            for tenant in self.snapshot.tenants.values():
                for slot in tenant.slots.values():
                    good = self._cache.read(_good_key(slot)) or b""
                    keep.add(publication.model_key(slot.tenant, good.decode("ascii", "replace")))
            publication.sweep_documents(self._cache, now=now, keep=keep)
        except (ModelyardError, OSError) as error:
            log.warning("cache_failed", extra={"action": "cache_failed", "reason": _reason(error)})


def _good_key(slot: ModelSlot) -> str:
    return f"good/{slot.tenant}/{slot.name}"


def _loadable(view: VersionView) -> tuple[VersionKey, str, ServedVersion]:
    return view.key, view.name, view.version


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, ModelyardError) else type(error).__name__


def _as_unavailable(name: str, error: Exception) -> Unavailable:
    return Unavailable(f"model `{name}` cannot be served now: {_reason(error)}", retry_after=5)
