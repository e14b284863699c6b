"""A manifest may be empty, and says only what it knows."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.manifest import Manifest

words = st.none() | st.text(max_size=20)
manifests = st.builds(
    Manifest,
    code=words,
    data_digest=words,
    parameters=st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8) | st.booleans(), max_size=4),
    seed=st.none() | st.integers(0, 2**63 - 1),
    packages=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4),
    python=words,
    time_zone=words,
)


def test_an_empty_manifest_says_nothing() -> None:
    assert msgspec.json.encode(Manifest()) == b"{}"
    assert msgspec.json.decode(b"{}", type=Manifest) == Manifest()


@given(manifests)
def test_a_manifest_survives_json(manifest: Manifest) -> None:
    assert msgspec.json.decode(msgspec.json.encode(manifest), type=Manifest) == manifest


def test_two_empty_manifests_share_nothing() -> None:
    first, second = Manifest(), Manifest()
    first.parameters["alpha"] = 1
    assert second.parameters == {}


@pytest.mark.parametrize("text", [b'{"seed": "one"}', b'{"packages": {"numpy": 2}}', b'{"parameters": []}', b"[]"])
def test_a_wrong_type_is_refused(text: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Manifest)


def test_a_manifest_never_changes() -> None:
    with pytest.raises(AttributeError):
        Manifest().seed = 3  # type: ignore[misc]
