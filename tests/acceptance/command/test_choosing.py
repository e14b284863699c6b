"""Select and compare, typed against a running server, on versions that were really examined."""

import json
from pathlib import Path

import pytest

from modelyard.client import Client
from modelyard.core.errors import Conflict, InvalidInput
from tests.acceptance.command.conftest import Iris, Run, Yard, command

NAME = "choosing"


@pytest.fixture(scope="module")
def pushed(yard: Yard, iris: Iris) -> str:
    """Three versions of two makes: a Perceptron whole and in two files, and a scaler with a forest, which is larger."""
    import pickle

    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler

    rows, species = load_iris(return_X_y=True, as_frame=True)
    narrow = rows.iloc[:, :3].set_axis(list(iris.rows.columns[:3]), axis=1)
    forest = iris.pipeline.parent / "forest.pkl"
    fitted = make_pipeline(MinMaxScaler(), RandomForestClassifier(40, random_state=0)).fit(narrow, species.to_numpy())
    forest.write_bytes(pickle.dumps(fitted, protocol=4))
    sample = iris.pipeline.parent / "narrow.csv"
    narrow.iloc[::5].to_csv(sample, index=False)
    known = {"MODELYARD_URL": yard.url, "MODELYARD_KEY": yard.key}
    for files, rows_file, accuracy in (
        ((iris.pipeline,), iris.sample, 0.93), ((iris.scaler, iris.perceptron), iris.sample, 0.93),
        ((forest,), sample, 0.97),
    ):  # fmt: skip
        more = ("--sample", rows_file, "--metric", f"accuracy={accuracy}", "--json")
        done = command("push", *files, "--name", NAME, *more, **known)
        assert done.json["result"]["state"] == "ready"
    return NAME


def test_what_was_measured_is_told(run: Run, pushed: str) -> None:
    for version in run("versions", pushed, "--json").json:
        measured = version["measured"]
        assert 0 < measured["p50_seconds"] <= measured["p95_seconds"] < 1
        assert (measured["rows"], measured["reason"]) == (8, "")
        assert measured["calls"] >= 20
        assert measured["size_bytes"] > 100


def test_the_best_is_told_and_why_not_the_others(run: Run, pushed: str) -> None:
    told = run("select", pushed, "--metric", "accuracy", "-c", "p95_seconds<=1s", "-c", "size_bytes<=50MB")
    assert told.code == 0, told.err
    assert f"{pushed}:3 would win; nothing was changed" in told.out
    assert "accuracy is 0.93, 0.04 less than version 3's 0.97" in told.out
    assert f"next     modelyard promote {pushed}:3" in told.out
    small = run("select", pushed, "-m", "accuracy", "-c", "size_bytes<=10KB", "--json").json
    assert small["result"]["winner"]["number"] in (1, 2)
    assert {loser["code"] for loser in small["result"]["losers"]} == {"tie", "constraint"}
    assert "undo" not in small


def test_an_alias_follows_and_the_printed_undo_works(run: Run, pushed: str, yard: Yard) -> None:
    done = run("select", pushed, "-m", "accuracy", "--alias", "best", "--json").json
    assert done["result"]["changed"] is True
    assert done["undo"] == f"modelyard aliases remove {pushed} best"
    assert run(*done["undo"].split()[1:]).code == 0
    assert run("select", pushed, "-m", "accuracy", "--alias", "best", "--json").json["result"]["changed"] is True
    same = run("select", pushed, "-m", "accuracy", "--alias", "best")
    assert f"{pushed}@best was already {pushed}:3" in same.out


def test_the_winner_answers_and_the_printed_undo_works(run: Run, pushed: str, iris: Iris) -> None:
    done = run("select", pushed, "-m", "accuracy", "--to", "2", "--activate").out
    assert f"answers for {pushed}" in done
    row = json.dumps(iris.rows.iloc[0].to_dict())
    assert run("predict", pushed, "--rows", row, "--json").json["version"] in (1, 2)
    undo = done.partition("undo     ")[2].splitlines()[0].split()
    assert undo == ["modelyard", "deactivate", pushed]
    assert run(*undo[1:]).code == 0
    assert run("predict", pushed, "--rows", row).code == 1


def test_who_would_be_refused_is_named_first_and_the_printed_undo_works(run: Run, yard: Yard, pushed: str) -> None:
    assert run("promote", f"{pushed}:1").code == 0
    assert run("aliases", "set", pushed, "narrowing", "1").code == 0
    assert run("consumers", "add", pushed, "checkout", "--contact", "a@example.com").code == 0
    assert run("consumers", "add", pushed, "nightly", "--uses", f"{pushed}@narrowing").code == 0
    changes = (
        ["promote", f"{pushed}:3"], ["select", pushed, "-m", "accuracy", "--activate"],
        ["select", pushed, "-m", "accuracy", "--alias", "narrowing"], ["aliases", "set", pushed, "narrowing", "3"],
    )  # fmt: skip
    for change in changes:
        refused = run(*change)
        assert refused.code == 1
        assert "is refused by version 3 (columns `petal_width`), and declared are: " in refused.err
        done = run(*change, "--despite-consumers", "--json")
        assert done.code == 0, done.err
        assert run(*done.json["undo"].split()[1:]).code == 0
    assert run("promote", f"{pushed}:3", "--despite-consumers").code == 0
    assert "finds other outputs in version 1 (`probabilities`)" in run("promote", f"{pushed}:1").err
    assert "  tell     checkout (a@example.com)" in run("rollback", pushed).out
    with Client(yard.url, yard.key) as client:
        assert client.rollback(pushed).consumers == ["checkout (a@example.com)"]
    for name in ("checkout", "nightly"):
        assert run("consumers", "remove", pushed, name).code == 0
    assert run("aliases", "remove", pushed, "narrowing").code == 0
    assert run("deactivate", pushed).code == 0


def test_the_charters_metric_is_used_and_said(run: Run, pushed: str) -> None:
    assert "--metric: expected one, since the charter of choosing names none" in run("select", pushed).err
    assert run("charter", "write", pushed, "--metric", "accuracy").code == 0
    assert "by accuracy, which the charter names" in run("select", pushed, "--to", "2").out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["-m", "acuracy"], "error: --metric: no version of the pool has `acuracy`; did you mean `accuracy`?"),
        (["-m", "accuracy", "--among", "nobody"], "error: --among: choosing has no alias 'nobody'; it has "),
        (["-m", "accuracy", "-c", "p95_seconds<=1us"], "none of the 3 versions of the pool can be chosen"),
        (["-m", "accuracy", "--alias", "champion"], "is no alias that can be moved"),
        (["-m", "accuracy", "--from", "9"], "no ready version to choose from"),
        (["-m", "accuracy", "--since", "2999-01-01"], "no ready version to choose from"),
        (["-m", "accuracy", "--activate", "--expect", "1"], "version 1 is not the best"),
    ],
)
def test_what_cannot_be_chosen_says_why(run: Run, pushed: str, given: list[str], said: str) -> None:
    refused = run("select", pushed, *given)
    assert refused.code == 1
    assert said in refused.err


def test_two_versions_side_by_side(run: Run, pushed: str) -> None:
    shown = run("compare", f"{pushed}:1", f"{pushed}:3").out
    for said in ("right is better", "dropped; breaks callers", "randomforestclassifier", "+0.04", "petal_width"):
        assert said in shown
    found = run("compare", f"{pushed}:1", "3", "--json").json
    assert found["features"]["dropped"] == ["petal_width"]
    assert [row["name"] for row in found["steps"]["rows"] if row["change"] == "added"] == [
        "minmaxscaler", "randomforestclassifier",
    ]  # fmt: skip
    assert found["differences"]["signature"] >= 1
    same = run("compare", f"{pushed}:1", "1")
    assert "do not differ in anything" in same.out
    assert "accuracy" in run("compare", f"{pushed}:1", "1", "--all").out
    for wrong in ("9", f"{pushed}@nobody", "nobody"):
        refused = run("compare", f"{pushed}:1", wrong)
        assert refused.code == 1
        assert f"names no version of {pushed}" in refused.err
    run("aliases", "set", pushed, "candidate", 2)
    assert run("compare", f"{pushed}:1", "candidate", "--json").json["right"]["number"] == 2
    assert "did you mean `candidate`?" in run("compare", f"{pushed}:1", "candidat").err
    assert f"nothing answers for {pushed} now" in run("compare", pushed, "1").err
    run("aliases", "remove", pushed, "candidate")


def test_the_client_selects_and_compares(yard: Yard, pushed: str, tmp_path: Path) -> None:
    with Client(yard.url, yard.key) as client:
        chosen = client.select(pushed, "accuracy", constraints="p95_seconds<1s", pool_to=2)
        assert chosen.winner.number in (1, 2)
        assert [loser.code for loser in chosen.losers] == ["tie"]
        moved = client.select(pushed, "accuracy", alias="by-client")
        assert [alias.version for alias in client.aliases(pushed) if alias.name == "by-client"] == [3]
        assert moved.undo is not None
        with pytest.raises(Conflict) as refused:
            client.select(pushed, "accuracy", constraints=["accuracy>2"])
        assert len(refused.value.details["losers"]) == 3
        with pytest.raises(InvalidInput, match="did you mean"):
            client.select(pushed, "acuracy")
        versions = client.versions(pushed)
        found = client.compare(pushed, versions[-1], "by-client")
        assert (found.left["number"], found.right["number"]) == (1, 3)
        assert found.differences["metrics"] == 1
