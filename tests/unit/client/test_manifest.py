"""What a process knows of how a model was made."""

import json
import subprocess
from pathlib import Path

import numpy
import pytest
import sklearn
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelyard.client.manifest import capture, facts, time_zone
from modelyard.client.pushing import form
from modelyard.core.errors import InvalidInput
from modelyard.core.manifest import Manifest


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "churn"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "train.py").write_text("1")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    return folder


def test_packages_python_and_place() -> None:
    found = capture()
    assert found.packages["numpy"] == numpy.__version__
    assert found.packages["scikit-learn"] == sklearn.__version__
    assert found.python
    assert found.platform
    assert found.time_zone
    assert found.locale


def test_parameters_and_seed_of_an_estimator() -> None:
    found = capture(RandomForestClassifier(n_estimators=7, random_state=3))
    assert found.parameters["n_estimators"] == 7
    assert found.seed == 3


class Untold(BaseEstimator):
    """An estimator that scikit-learn cannot ask for its parameters."""

    def __init__(self, *parts: object) -> None:
        self.parts = parts


def test_an_estimator_that_does_not_tell_its_parameters_is_captured_without() -> None:
    assert capture(Untold(1, 2)).parameters == {}


def test_numbers_of_numpy_and_endless_ones_can_be_sent() -> None:
    found = facts((Ridge(alpha=numpy.float64(0.5), tol=numpy.inf),), None)
    sent = json.loads(form(manifest=found)["manifest"])
    assert sent["parameters"]["alpha"] == 0.5
    assert sent["parameters"]["tol"] == "inf"


def test_parameters_of_a_pipeline_are_those_of_its_steps() -> None:
    parameters = capture(make_pipeline(StandardScaler(), RandomForestClassifier(max_depth=2))).parameters
    assert parameters["randomforestclassifier__max_depth"] == 2
    assert "standardscaler" not in parameters
    assert "steps" not in parameters


def test_the_commit_and_whether_files_were_changed(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert capture(folder=repository).code == f"churn@{commit}"
    (repository / "train.py").write_text("2")
    assert capture(folder=repository).code == f"churn@{commit}-dirty"


def test_the_repository_without_the_password_in_its_address(repository: Path) -> None:
    git(repository, "remote", "add", "origin", "https://me:hidden@git.example.com/team/churn.git")
    code = capture(folder=repository).code
    assert code is not None
    assert code.startswith("git.example.com/team/churn.git@")
    assert "hidden" not in code


def test_no_repository_is_no_failure(tmp_path: Path) -> None:
    assert capture(folder=tmp_path).code is None
    assert capture(folder=tmp_path / "nowhere").code is None


@pytest.mark.parametrize(
    ("given", "expected"), [("Europe/Berlin", "Europe/Berlin"), (":America/Lima", "America/Lima"), ("UTC", "UTC")]
)
def test_the_time_zone_by_name(monkeypatch: pytest.MonkeyPatch, given: str, expected: str) -> None:
    monkeypatch.setenv("TZ", given)
    assert time_zone() == expected


def test_given_facts_win() -> None:
    assert facts((StandardScaler(),), {"seed": 5})["seed"] == 5
    assert facts((StandardScaler(),), Manifest(region="eu-west-1"))["region"] == "eu-west-1"


def test_a_fact_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(InvalidInput, match="manifest does not fit"):
        facts((), {"seed": "five"})
