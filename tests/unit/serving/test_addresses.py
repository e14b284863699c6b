"""Addresses, and the paths that the data plane takes from the control plane."""

import pytest

from modelyard.core.errors import MethodNotAllowed, NotFound
from modelyard.core.reference import Reference
from modelyard.serving.addresses import Verb, find_address
from modelyard.serving.paths import is_data_path


@pytest.mark.parametrize(
    ("method", "path", "verb", "reference"),
    [
        ("POST", "/predict/iris", Verb.PREDICT, Reference("iris")),
        ("POST", "/predict/iris:3", Verb.PREDICT, Reference("iris", version=3)),
        ("POST", "/predict/iris/", Verb.PREDICT, Reference("iris")),
        ("GET", "/predict/iris@candidate", Verb.DESCRIBE, Reference("iris", alias="candidate")),
        ("GET", "/v2", Verb.SERVER, Reference("")),
        ("GET", "/v2/", Verb.SERVER, Reference("")),
        ("GET", "/v2/health/live", Verb.LIVE, Reference("")),
        ("GET", "/v2/health/ready", Verb.SERVER_READY, Reference("")),
        ("GET", "/v2/models/iris", Verb.METADATA, Reference("iris")),
        ("GET", "/v2/models/iris/versions/2", Verb.METADATA, Reference("iris", version=2)),
        ("GET", "/v2/models/iris/versions/2/ready", Verb.READY, Reference("iris", version=2)),
        ("POST", "/v2/models/iris@x/infer", Verb.PREDICT, Reference("iris", alias="x")),
    ],
)
def test_known(method: str, path: str, verb: Verb, reference: Reference) -> None:
    address = find_address(method, path)
    assert address.error is None
    assert (address.verb, address.reference) == (verb, reference)


PLACES = ["/predict/", "/predict/a/b", "/predict/Iris", "/v2/x", "/v2/models", "/v2/models/iris/versions", "/x", ""]


@pytest.mark.parametrize(
    "path", [*PLACES, "/v2/models/i/versions/0", "/v2/models/i:1/versions/1", "/predict/" + "a" * 999]
)
def test_unknown(path: str) -> None:
    for method in ("GET", "POST"):
        address = find_address(method, path)
        assert address.verb is Verb.NONE
        assert isinstance(address.error, NotFound)


@pytest.mark.parametrize(("method", "path"), [("PUT", "/predict/i"), ("GET", "/v2/models/i/infer"), ("POST", "/v2")])
def test_wrong_method(method: str, path: str) -> None:
    assert isinstance(find_address(method, path).error, MethodNotAllowed)


def test_which_paths_are_the_data_planes() -> None:
    for path in ("/predict/iris", "/v2", "/v2/health/live", "/predict"):
        assert is_data_path(path)
    for path in ("/", "/predictions", "/v2x", "/api/v1/models/", "/t/demo/predict/x", "/metrics"):
        assert not is_data_path(path)
