"""The client against a running server: from a fitted estimator to answers that equal its own."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelyard import Client
from modelyard.client.transport import Transport
from modelyard.core.errors import (
    Conflict,
    Forbidden,
    InUse,
    InvalidInput,
    ModelRefused,
    NotFound,
    Unauthenticated,
)
from tests.acceptance.command.conftest import Iris, Yard, command, iris, yard

__all__ = ["iris", "yard"]

NAME = "client"


@pytest.fixture(scope="module")
def client(yard: Yard) -> Iterator[Client]:
    with Client(yard.url, yard.key) as made:
        yield made


@pytest.fixture(scope="module")
def fitted(iris: Iris) -> LogisticRegression:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(iris.rows, iris.expected)


@pytest.fixture(scope="module")
def pushed(client: Client, fitted: LogisticRegression, iris: Iris) -> str:
    """Two versions of a model: a fitted estimator, and one of arrays without names."""
    stages: list[tuple[str, float]] = []
    version = client.push(
        fitted,
        name=NAME,
        sample=iris.rows,
        metrics={"accuracy": 0.9},
        manifest={"data_digest": "sha256:" + "0" * 64},
        progress=lambda stage, part, message: stages.append((stage, part)),
    )
    assert version.state == "ready"
    assert version.manifest["parameters"]["logisticregression__C"] == 1.0
    assert version.manifest["data_digest"] == "sha256:" + "0" * 64
    assert ("upload", 1.0) in stages
    assert stages[-1] == ("check", 1.0)
    bare = Perceptron(random_state=0).fit(iris.rows.to_numpy(), iris.expected)
    assert client.push(bare, name=NAME, sample=iris.rows.to_numpy(), parent=version).parent == version.number
    return NAME


def test_answers_equal_the_estimators_own(client: Client, pushed: str, fitted: LogisticRegression, iris: Iris) -> None:
    answer = client.predict(f"{pushed}:1", iris.rows)
    assert answer.predictions == [int(one) for one in fitted.predict(iris.rows)]
    assert answer.probabilities is not None
    given = np.array([[row[str(name)] for name in fitted.classes_] for row in answer.probabilities])
    assert np.allclose(given, fitted.predict_proba(iris.rows), rtol=1e-5)
    assert len(answer.prediction_ids) == len(iris.rows)


def test_a_pushed_version_answers_when_the_call_returns(client: Client, fitted: LogisticRegression, iris: Iris) -> None:
    """The data plane hears of it a moment later than the control plane; of a new model too."""
    for number in (1, 2, 3):
        version = client.push(fitted, name="at-once", sample=iris.rows)
        assert client.predict(f"at-once:{number}", iris.rows[:1]).version == version.number == number


def test_frames_arrays_and_dictionaries_mean_the_same(client: Client, pushed: str, iris: Iris) -> None:
    few = iris.rows.iloc[:5]
    expected = client.predict(f"{pushed}:1", few).predictions
    for inputs in (few.to_numpy(), few.to_dict("records"), few.to_numpy().tolist()):
        assert client.predict(f"{pushed}:1", inputs).predictions == expected


def test_promoted_is_served_when_the_call_returns(client: Client, pushed: str, iris: Iris) -> None:
    one = iris.rows.to_numpy()[:1]
    for number in (1, 2, 1, 2):
        client.promote(pushed, number)
        assert client.predict(pushed, one).version == number
    client.promote(f"{pushed}:1")
    assert client.rollback(pushed).champion == 2
    assert client.predict(pushed, one).version == 2
    assert client.model(pushed).champion == client.deployment(pushed).champion == 2
    with pytest.raises(InUse):
        client.delete(f"{pushed}:2")
    assert client.deactivate(pushed).versions == []
    with pytest.raises(Conflict, match="not served"):
        client.predict(pushed, one)


def test_a_version_may_be_named_as_everywhere(client: Client, pushed: str) -> None:
    assert client.promote(pushed, f"{pushed}:1").champion == 1
    assert client.promote(pushed, client.version(f"{pushed}:2")).champion == 2
    assert client.set_alias(pushed, "named", f"{pushed}:1").version == 1
    assert client.promote(pushed, f"{pushed}@named").champion == 1
    client.delete_alias(pushed, "named")
    client.deactivate(pushed)


def test_what_runs_in_a_child_is_loaded_when_promote_returns(client: Client, yard: Yard, iris: Iris) -> None:
    """No converter knows a NearestCentroid, so its first load takes seconds."""
    name = "slow-to-load"
    version = client.push(NearestCentroid().fit(iris.rows, iris.expected), name=name, sample=iris.rows)
    assert version.isolated
    client.promote(name, version)
    with Transport(yard.url, yard.key, 10.0) as data:
        assert data.send("GET", f"/v2/models/{name}/ready").status_code == 200
    client.deactivate(name)


def test_aliases_name_versions(client: Client, pushed: str, iris: Iris) -> None:
    client.set_alias(pushed, "candidate", 1)
    assert [(alias.name, alias.version) for alias in client.aliases(pushed)] == [("candidate", 1)]
    client.promote(f"{pushed}@candidate")
    assert client.predict(f"{pushed}@candidate", iris.rows.iloc[:1]).version == 1
    client.delete_alias(pushed, "candidate")
    assert client.aliases(pushed) == []
    with pytest.raises(NotFound):
        client.promote(f"{pushed}@candidate")
    client.deactivate(pushed)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"sepal_lenght": 1.0}], "sepal_length"),
        ([[1.0, 2.0]], "2"),
        ([["a", 1, 1, 1]], "string"),
        (pd.DataFrame({"x": [1]}), "x"),
        ([], "at least one"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_the_place(
    client: Client, pushed: str, rows: object, expected: str
) -> None:
    with pytest.raises(InvalidInput, match=expected):
        client.predict(f"{pushed}:1", rows)


def test_a_file_comes_back_as_it_went(client: Client, iris: Iris, tmp_path: Path) -> None:
    version = client.push(iris.pipeline, name="files", sample=str(iris.sample))
    path = client.download(str(version), to=tmp_path)
    assert path.name == "pipeline.pkl"
    assert path.read_bytes() == iris.pipeline.read_bytes()
    with pytest.raises(Conflict):
        client.download("files", version.number, to=tmp_path)
    client.delete("files")
    with pytest.raises(NotFound):
        client.model("files")


def test_what_is_no_model_is_refused_and_stays_refused(client: Client, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="dict"):
        client.push({"not": "a model"}, name="nonsense")
    with pytest.raises(NotFound):
        client.versions("nonsense")
    file = tmp_path / "nonsense.pkl"
    file.write_bytes(pickle.dumps({"not": "a model"}))
    with pytest.raises(ModelRefused) as raised:
        client.push(file, name="nonsense")
    assert raised.value.details["version"] == "nonsense:1"
    assert str(raised.value).startswith("nonsense:1 is refused: ")
    assert client.versions("nonsense", state="refused")[0].refusal is not None
    with pytest.raises(Conflict):
        client.promote("nonsense", 1)


def test_a_push_that_makes_no_version_leaves_no_model(client: Client, iris: Iris, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pkl"
    empty.touch()
    with pytest.raises(InvalidInput, match="is empty"):
        client.push(empty, name="no-version")
    with pytest.raises(NotFound):
        client.model("no-version")
    client.create_model("mine", problem="made on purpose")
    with pytest.raises(InvalidInput, match="is empty"):
        client.push(empty, name="mine")
    assert client.model("mine").problem == "made on purpose"
    client.delete("mine")


def test_keys_open_what_their_scopes_say_until_they_are_revoked(client: Client, yard: Yard) -> None:
    key = client.create_key("reader", ["read"])
    names = [one.name for one in client.keys()]  # noqa: SIM118  no dictionary
    assert "reader" in names
    with Client(yard.url, key.key) as reader:
        assert reader.tenant() == "demo"
        with pytest.raises(Forbidden):
            reader.create_model("forbidden")
        client.revoke_key(key)
        with pytest.raises(Unauthenticated):
            reader.models()


def test_an_operator_makes_and_deletes_tenants(client: Client, yard: Yard) -> None:
    with pytest.raises(Forbidden):
        client.create_tenant("branch-office")
    told = ("--name", "tenants", "--scope", "operator", "--home", yard.home, "--json")
    with Client(yard.url, command("keys", "create", *told).json["key"]) as operator:
        assert operator.tenant() == "operator"
        made = operator.create_tenant("branch-office", "A branch")
        assert (made.name, made.title, made.runs_code) == ("branch-office", "A branch", True)
        assert {"demo", "operator", "branch-office"} <= {one.name for one in operator.tenants()}
        with pytest.raises(Conflict, match="already"):
            operator.create_tenant("branch-office")
        operator.delete_tenant("branch-office")
        with pytest.raises(NotFound):
            operator.delete_tenant("branch-office")
    assert [one.name for one in client.tenants()] == ["demo"]


def test_nothing_is_told_without_a_key(yard: Yard) -> None:
    with Client(yard.url) as stranger, pytest.raises(Unauthenticated):
        stranger.models()


@pytest.mark.parametrize(
    ("model", "number", "expected"),
    [("x:1", 2, "names a version already"), ("x", None, "names no version"), ("X", 1, "cannot name a model")],
)
def test_a_reference_names_one_version(client: Client, model: str, number: int | None, expected: str) -> None:
    with pytest.raises(InvalidInput, match=expected):
        client.version(model, number)
