"""What the snapshot says, ready for use: tenants, their keys, and each model's versions."""

import threading
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from modelyard.core.errors import DeadlineExceeded, ModelyardError, NotFound
from modelyard.core.signature import Signature
from modelyard.exchange.snapshot import KeyEntry, ModelDocument, Precomputed, ServedVersion, TenantDocument
from modelyard.serving.answer_file import AnswerFile
from modelyard.serving.protocols.decoder import Decoder
from modelyard.serving.protocols.encoder import Encoder
from modelyard.serving.residency import VersionKey


class VersionView:
    """A version with its decoder and encoder, which are made when first used."""

    __slots__ = ("_decoder", "_encoder", "key", "model", "name", "number", "signature", "version")

    def __init__(self, tenant: str, model: str, number: int, version: ServedVersion) -> None:
        self.key: VersionKey = (tenant, version.id, version.digest)
        self.model = model
        self.number = number
        self.name = f"{model}:{number}"
        self.version = version
        self.signature: Signature = version.signature
        self._decoder: Decoder | None = None
        self._encoder: Encoder | None = None

    @property
    def decoder(self) -> Decoder:
        if self._decoder is None:
            self._decoder = Decoder(self.signature)
        return self._decoder

    @property
    def encoder(self) -> Encoder:
        if self._encoder is None:
            self._encoder = Encoder(self.model, self.number, self.signature)
        return self._encoder


class ServedModel:
    """A model's document, and a view of each of its versions. Never changed: a new document makes a new one."""

    __slots__ = ("champion", "digest", "document", "views")

    def __init__(self, tenant: str, digest: str, document: ModelDocument, before: "ServedModel | None") -> None:
        self.digest = digest
        self.document = document
        self.champion = document.plan.champion
        views: dict[int, VersionView] = {}
        for number, version in document.versions.items():
            old = before.views.get(number) if before is not None else None
            kept = old is not None and old.version == version
            views[number] = old if kept and old is not None else VersionView(tenant, document.model, number, version)
        self.views: Mapping[int, VersionView] = views

    def planned(self) -> list[VersionView]:
        """Return the versions that the plan needs loaded.

        Raises:
            NotFound: when the document does not hold one of them.
        """
        numbers = self.document.plan.versions
        lacking = [number for number in numbers if number not in self.views]
        if lacking:
            raise NotFound(f"{self.document.model}:{lacking[0]} is in the plan, but not among the versions")
        return [self.views[number] for number in numbers]


Content = TypeVar("Content")


class Slot(Generic[Content]):
    """A place of something that is served: the one pointer that is swapped.

    Attributes:
        wanted: digest of what shall be served now; empty where nothing shall.
        served: what answers; None before the first use.
        refused: digest of what could not be brought into use, so that it is not tried too often.
        failure: why, as those are told whom nothing else answers.
        retry_at: on `time.monotonic`, when to try it again.
        pending: digest of what is just being brought into use.
    """

    __slots__ = ("_lock", "_waiting", "failure", "name", "pending", "refused", "retry_at", "served", "tenant", "wanted")

    def __init__(self, tenant: str, name: str, wanted: str) -> None:
        self.tenant = tenant
        self.name = name
        self.wanted = wanted
        self.served: Content | None = None
        self.refused = ""
        self.failure: ModelyardError | None = None
        self.retry_at = 0.0
        self.pending = ""
        self._waiting: list[tuple[float, Callable[[ModelyardError | None], None]]] = []
        self._lock = threading.Lock()

    def wait(self, ready: Callable[[ModelyardError | None], None], deadline: float) -> bool:
        """Have `ready` called when something is served; True for the first who waits: that one must fetch it.

        `deadline`: on `time.monotonic`.
        """
        with self._lock:
            if self.served is None:
                self._waiting.append((deadline, ready))
                return len(self._waiting) == 1
        ready(None)
        return False

    def swap(self, served: Content) -> None:
        """Answer from this from now on."""
        with self._lock:
            self.served = served
            waiting, self._waiting = self._waiting, []
        for _, ready in waiting:
            ready(None)

    def expire(self, now: float) -> None:
        """Tell those whose deadline has passed."""
        if not self._waiting:
            return
        with self._lock:
            late = [ready for deadline, ready in self._waiting if deadline <= now]
            self._waiting = [one for one in self._waiting if one[0] > now]
        for ready in late:
            ready(DeadlineExceeded(f"model `{self.name}` was not there within the time allowed"))

    def fail(self, error: ModelyardError) -> None:
        """Tell those who wait that there is nothing to serve."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for _, ready in waiting:
            ready(error)


class StoredSlot(Slot[AnswerFile]):
    """The place of a model's precomputed answers. `told` is what its newest document says of them, if anything."""

    __slots__ = ("told",)

    def __init__(self, tenant: str, name: str) -> None:
        super().__init__(tenant, name, "")
        self.told: Precomputed | None = None


class ModelSlot(Slot[ServedModel]):
    """A model's place; `wanted` names its document. `stored` is the place of its precomputed answers."""

    __slots__ = ("stored",)

    def __init__(self, tenant: str, name: str, wanted: str) -> None:
        super().__init__(tenant, name, wanted)
        self.stored = StoredSlot(tenant, name)


class TenantView:
    """A tenant's document; slots of models live on from one document to the next."""

    __slots__ = ("digest", "document", "id", "mac_key", "number", "origins", "slots")

    def __init__(self, digest: str, document: TenantDocument, before: "TenantView | None") -> None:
        self.digest = digest
        self.document = document
        self.id = document.tenant
        self.number = int(document.tenant)
        self.mac_key = bytes.fromhex(document.mac_key)
        self.origins = frozenset(origin.encode() for origin in document.origins)
        old = before.slots if before is not None else {}
        self.slots: dict[str, ModelSlot] = {}
        for name, wanted in document.models.items():
            slot = old.get(name) or ModelSlot(self.id, name, wanted)
            slot.wanted = wanted
            self.slots[name] = slot


class Snapshot:
    """All tenants at one moment; swapped as a whole.

    Attributes:
        keys: sha256 of a key to whose it is.
        origins: that any tenant allows, for the browser that asks without a key.
    """

    __slots__ = ("keys", "origins", "tenants")

    def __init__(self, tenants: Mapping[str, TenantView]) -> None:
        self.tenants = tenants
        self.keys: dict[str, tuple[TenantView, KeyEntry]] = {
            entry.sha256: (tenant, entry) for tenant in tenants.values() for entry in tenant.document.keys
        }
        self.origins = frozenset(origin for tenant in tenants.values() for origin in tenant.origins)
