"""What every artifact store must do. A store's own tests inherit from `StoreSuite` and say how to make one."""

import hashlib
import random
import threading
from abc import abstractmethod
from collections.abc import Iterator

import pytest

from modelyard.artifacts.store import ArtifactStore, Stored
from modelyard.core.errors import ArtifactCorrupt, InvalidInput, NotFound, TooLarge

SEED = 20261120
LIMIT = 64 << 20


def some_bytes(count: int, seed: int = SEED) -> bytes:
    return random.Random(seed).randbytes(count)


def in_chunks(data: bytes, size: int = 65_536) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class StoreSuite:
    """Inherit, give the fixture `store`, and `flip` (change one stored byte behind the store's back)."""

    def end_of_thread(self) -> None:
        """Give back what a thread of the test's own opened."""

    @abstractmethod
    def flip(self, store: ArtifactStore, tenant: str, digest: str, position: int) -> None: ...

    def test_small_and_large_chunks_make_the_same_artifact(self, store: ArtifactStore) -> None:
        data = some_bytes((2 << 20) + 5)
        whole = store.put("1", [data], LIMIT)
        store.delete("1", whole.digest)
        assert store.put("1", in_chunks(data, 7_919), LIMIT) == whole
        assert b"".join(store.open("1", whole.digest)) == data

    @pytest.mark.parametrize("size", [0, 1, 65_536, (3 << 20) + 17])
    def test_what_was_put_comes_back(self, store: ArtifactStore, size: int) -> None:
        data = some_bytes(size)
        stored = store.put("1", in_chunks(data), LIMIT)
        assert stored == Stored(digest_of(data), size)
        assert b"".join(store.open("1", stored.digest)) == data
        with store.local("1", stored.digest) as path:
            assert path.read_bytes() == data
        assert list(store.list("1")) == [stored]

    def test_same_bytes_twice_are_one_artifact(self, store: ArtifactStore) -> None:
        first = store.put("1", [b"same"], LIMIT)
        assert store.put("1", [b"sa", b"", b"me"], LIMIT) == first
        assert list(store.list("1")) == [first]

    def test_too_much_is_refused_while_it_arrives(self, store: ArtifactStore) -> None:
        taken = 0

        def endless() -> Iterator[bytes]:
            nonlocal taken
            while True:
                taken += 1
                yield b"x" * 1000

        with pytest.raises(TooLarge) as caught:
            store.put("1", endless(), 10_000)
        assert taken == 11
        assert caught.value.details == {"max_bytes": 10_000}
        assert list(store.list("1")) == []

    def test_exactly_the_limit_is_taken(self, store: ArtifactStore) -> None:
        assert store.put("1", [b"x" * 10_000], 10_000).size_bytes == 10_000

    def test_upload_cut_anywhere_leaves_nothing_visible(self, store: ArtifactStore) -> None:
        data = some_bytes(100_000)
        chance = random.Random(SEED)
        for cut in sorted(chance.randrange(len(data)) for _ in range(100)):

            def broken(cut: int = cut) -> Iterator[bytes]:
                yield from in_chunks(data[:cut], 4096)
                raise ConnectionError("cut off")

            with pytest.raises(ConnectionError):
                store.put("1", broken(), LIMIT)
            assert list(store.list("1")) == []
            with pytest.raises(NotFound):
                store.open("1", digest_of(data[:cut]))

    def test_one_flipped_byte_is_refused(self, store: ArtifactStore) -> None:
        chance = random.Random(SEED)
        for round_number in range(20):
            data = some_bytes(chance.randrange(1, 3_000_000), round_number)
            stored = store.put("1", [data], LIMIT)
            self.flip(store, "1", stored.digest, chance.randrange(len(data)))
            seen: list[bytes] = []
            with pytest.raises(ArtifactCorrupt):
                seen.extend(store.open("1", stored.digest))
            assert sum(map(len, seen)) < len(data)
            with pytest.raises(ArtifactCorrupt), store.local("1", stored.digest):
                pytest.fail("a rotten artifact was handed out")

    def test_put_again_heals_what_is_rotten(self, store: ArtifactStore) -> None:
        stored = store.put("1", [b"good bytes"], LIMIT)
        self.flip(store, "1", stored.digest, 3)
        assert store.put("1", [b"good bytes"], LIMIT) == stored
        assert b"".join(store.open("1", stored.digest)) == b"good bytes"

    def test_tenants_do_not_see_each_other(self, store: ArtifactStore) -> None:
        mine = store.put("1", [b"mine"], LIMIT)
        assert list(store.list("2")) == []
        with pytest.raises(NotFound):
            store.open("2", mine.digest)
        store.delete("2", mine.digest)
        also = store.put("2", [b"mine"], LIMIT)
        store.delete("1", mine.digest)
        assert b"".join(store.open("2", also.digest)) == b"mine"

    def test_deleted_is_gone_and_deleting_again_is_nothing(self, store: ArtifactStore) -> None:
        stored = store.put("1", [b"short-lived"], LIMIT)
        store.delete("1", stored.digest)
        store.delete("1", stored.digest)
        with pytest.raises(NotFound), store.local("1", stored.digest):
            pytest.fail("a deleted artifact was handed out")
        assert list(store.list("1")) == []

    def test_many_at_once_put_the_same(self, store: ArtifactStore) -> None:
        data, results = some_bytes(2_000_000), []

        def put() -> None:
            results.append(store.put("1", in_chunks(data), LIMIT))
            self.end_of_thread()

        threads = [threading.Thread(target=put) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [Stored(digest_of(data), len(data))] * 8
        assert b"".join(store.open("1", digest_of(data))) == data

    @pytest.mark.parametrize(
        "name",
        ["", ".", "..", "../1", "/etc/passwd", "a" * 63, "A" * 64, "g" * 64, "0" * 64 + "\n", "0" * 63 + "/", "٣" * 64],
    )
    def test_no_text_of_a_client_becomes_a_path(self, store: ArtifactStore, name: str) -> None:
        for verb in (store.open, store.delete):
            with pytest.raises(InvalidInput):
                verb("1", name)
        if name != "a" * 63:
            with pytest.raises(InvalidInput):
                store.put(name[:30] or "", [b"x"], LIMIT)
