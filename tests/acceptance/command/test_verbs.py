"""Push, promote, predict and the rest, typed against a running server."""

import json
import os
import shlex
import subprocess
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modelyard.client import Client
from tests.acceptance.command.conftest import Iris, Run, Yard, command
from tests.servers import modelyard as modelyard_server


@pytest.fixture(scope="module")
def pushed(yard: Yard, iris: Iris, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model with two versions: of two files, and of one. Nothing of it serves."""
    from tests.acceptance.command.conftest import command

    name = f"verbs-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"  # the workers share one server
    known = {"MODELYARD_URL": yard.url, "MODELYARD_KEY": yard.key}
    two = command("push", iris.scaler, iris.perceptron, "--name", name, "--sample", iris.sample, "--json", **known)
    assert two.json["result"]["state"] == "ready"
    metric = ("--metric", "accuracy=0.95", "--description", "one file", "--parent", "1")
    one = command("push", iris.pipeline, "--name", name, "--sample", iris.sample, *metric, **known)
    assert one.code == 0, one.err
    assert f"{name}:2 is ready" in one.out
    assert f"undo     modelyard delete {name}:2" in one.out
    assert f"console  {yard.url}/t/demo/models/{name}/versions/2/" in one.out
    assert yard.key not in one.out + one.err
    return name


def test_versions_show_what_was_pushed(run: Run, pushed: str) -> None:
    newest, oldest = run("versions", pushed, "--json").json
    assert newest["metrics"] == {"accuracy": 0.95}
    assert newest["parent"] == 1
    assert newest["description"] == "one file"
    assert newest["manifest"]["packages"]["scikit-learn"]
    assert [file["filename"] for file in oldest["files"] if file["role"] == "model"] == ["scaler.pkl", "perceptron.pkl"]
    assert "accuracy 0.95" in run("versions", pushed).out


def test_the_model_is_listed(run: Run, pushed: str) -> None:
    assert pushed in [model["name"] for model in run("models", "--json").json]
    assert pushed in run("models", "--search", "verb").out
    assert run("models", "--search", "nothing of the kind").out == (
        "no model's name or problem holds 'nothing of the kind'\n"
    )


def test_models_are_searched_by_their_problem_too(run: Run, yard: Yard) -> None:
    with Client(yard.url, yard.key) as client:
        client.create_model("searched", problem="Which Hedgehog?")
        assert "searched" in run("models", "--search", "hedgehog").out
        client.delete("searched")


@pytest.mark.parametrize("number", [1, 2])
def test_a_version_answers_by_number_as_it_was_fitted(
    run: Run, pushed: str, iris: Iris, tmp_path: Path, number: int
) -> None:
    rows = tmp_path / "rows.csv"
    iris.rows.to_csv(rows, index=False)
    answer = run("predict", f"{pushed}:{number}", rows, "--json").json
    assert answer["predictions"] == iris.expected
    assert answer["version"] == number
    assert len(set(answer["prediction_ids"])) == len(iris.expected)


def test_rows_may_come_as_an_array(run: Run, pushed: str, iris: Iris, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", iris.rows.to_numpy())
    assert run("predict", f"{pushed}:1", tmp_path / "rows.npy", "--json").json["predictions"] == iris.expected
    assert '"data": [[' in run("predict", f"{pushed}:1", tmp_path / "rows.npy").out


def test_a_manifest_may_be_typed(run: Run, yard: Yard, iris: Iris) -> None:
    said = run("push", iris.pipeline, "--name", "typed", "--sample", iris.sample, "--manifest", '{"seed": 7}', "--json")
    assert said.json["result"]["manifest"]["seed"] == 7
    done = subprocess.run(
        ["sh", "-c", said.json["curl"]],
        capture_output=True,
        text=True,
        env=modelyard_server.environment(MODELYARD_KEY=yard.key),
        timeout=60,
    )
    assert json.loads(done.stdout)["manifest"]["seed"] == 7, done.stdout


def test_an_alias_is_set_moved_and_removed(run: Run, pushed: str, yard: Yard) -> None:
    assert run("aliases", "list", pushed).out.startswith("no aliases yet: `modelyard aliases set")
    first = run("aliases", "set", pushed, "latest", "1", "--json").json
    assert first["undo"] == f"modelyard aliases remove {pushed} latest"
    assert first["console"] == f"{yard.url}/t/demo/models/{pushed}/"
    moved = run("aliases", "set", pushed, "latest", "2")
    assert f"{pushed}@latest is {pushed}:2" in moved.out
    assert f"undo     modelyard aliases set {pushed} latest 1" in moved.out
    line = first["curl"].replace("candidate", "latest")
    known = modelyard_server.environment(MODELYARD_KEY=yard.key)
    assert subprocess.run(["sh", "-c", line], capture_output=True, env=known, timeout=60).returncode == 0
    assert [(each["name"], each["version"]) for each in run("aliases", "list", pushed, "--json").json] == [
        ("latest", 1)
    ]
    assert "it was so already" in run("aliases", "set", pushed, "latest", "1").out
    removed = run("aliases", "remove", pushed, "latest", "--json").json
    assert removed["undo"] == f"modelyard aliases set {pushed} latest 1"
    assert run("aliases", "list", pushed, "--json").json == []
    assert "no alias by this name" in run("aliases", "remove", pushed, "latest").err


def test_a_wrong_name_is_answered_with_the_nearest(run: Run, pushed: str) -> None:
    said = run("rollback", f"{pushed}s")
    assert f"did you mean `{pushed}`?" in said.err
    assert "api" not in said.err.lower()
    assert "`modelyard models` lists them" in run("rollback", "zzzzzz").err


def test_rows_may_be_typed_or_piped(run: Run, pushed: str, iris: Iris) -> None:
    row = json.dumps(iris.rows.iloc[0].to_dict())
    typed = run("predict", f"{pushed}:1", "--rows", row)
    assert f"{pushed}:1" in typed.out
    piped = run("predict", f"{pushed}:1", "-", "--json", stdin=f"[{row}]")
    assert piped.json["predictions"] == [iris.expected[0]]


def test_promote_predict_and_take_it_back(run: Run, pushed: str, iris: Iris, yard: Yard) -> None:
    rows = ("--rows", json.dumps([iris.rows.iloc[0].to_dict()]), "--json")
    refused = run("predict", pushed, *rows)
    assert refused.code == 1
    first = run("promote", f"{pushed}:1", "--json").json
    assert first["undo"] == f"modelyard deactivate {pushed}"
    assert run("predict", pushed, *rows).json["version"] == 1
    second = run("promote", f"{pushed}:2", "--reason", "better", "--json").json
    assert second["undo"] == f"modelyard promote {pushed}:1"
    assert run("predict", pushed, *rows).json["version"] == 2
    back = run("rollback", pushed)
    assert f"{pushed}:1 answers for {pushed}" in back.out
    assert f"undo     modelyard promote {pushed}:2" in back.out
    assert run("predict", pushed, *rows).json["version"] == 1
    same = run("promote", f"{pushed}:1")
    assert "it was so already" in same.out
    _the_curl_line_works(second["curl"], yard)
    assert run("predict", pushed, *rows).json["version"] in (1, 2)
    in_use = run("delete", pushed, "--yes")
    assert in_use.code == 1
    assert "hint: " in in_use.err
    stopped = run("deactivate", pushed, "--json").json
    assert stopped["undo"].startswith(f"modelyard promote {pushed}:")
    assert run("predict", pushed, *rows).code == 1
    assert f"{pushed} is not served; by number and by alias its versions answer on" in run("deactivate", pushed).out
    assert run("predict", f"{pushed}:1", *rows).json["version"] == 1


def _the_curl_line_works(line: str, yard: Yard) -> None:
    assert yard.key not in line
    environment = modelyard_server.environment(MODELYARD_KEY=yard.key)
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["champion"] == 2


def test_the_curl_line_of_a_prediction_works(run: Run, pushed: str, iris: Iris, yard: Yard) -> None:
    said = run("predict", f"{pushed}:1", "--rows", json.dumps(iris.rows.iloc[0].to_dict()))
    line = said.out.partition("curl     ")[2].strip()
    assert shlex.split(line)[0] == "curl"
    done = subprocess.run(
        ["sh", "-c", line],
        capture_output=True,
        text=True,
        env=modelyard_server.environment(MODELYARD_KEY=yard.key),
        timeout=60,
    )
    assert json.loads(done.stdout)["predictions"] == [iris.expected[0]]


def test_download_gives_the_files_back(run: Run, pushed: str, iris: Iris, tmp_path: Path) -> None:
    one = run("download", f"{pushed}:2", "--to", tmp_path / "mine.pkl", "--json").json
    assert Path(one["file"]).read_bytes() == iris.pipeline.read_bytes()
    several = run("download", f"{pushed}:1", "--to", tmp_path, "--json").json
    with zipfile.ZipFile(several["file"]) as archive:
        assert sorted(Path(name).name for name in archive.namelist() if name.endswith(".pkl")) == [
            "perceptron.pkl",
            "scaler.pkl",
        ]
    again = run("download", f"{pushed}:2", "--to", tmp_path / "mine.pkl")
    assert again.code == 1
    assert "there already" in again.err
    assert not list(tmp_path.glob(".modelyard-*"))


def test_a_refused_file_is_told_with_its_reason(run: Run, yard: Yard, tmp_path: Path) -> None:
    path = tmp_path / "broken.pkl"
    path.write_bytes(b"\x80\x04no pickle at all")
    said = run("push", path, "--name", "refused", "--json")
    assert said.code == 1
    assert said.out == ""
    assert json.loads(said.err)["error"]["code"] == "model_refused"
    version = run("versions", "refused", "--json").json[0]
    assert version["state"] == "refused"
    page = f"{yard.url}/t/demo/models/refused/versions/2/"
    again = run("push", path, "--name", "refused").err
    assert again.startswith("error: refused:2 is refused: `broken.pkl`")
    assert f"\n  console  {page}\n" in again
    assert "\n  undo     modelyard delete refused:2\n" in again
    assert json.loads(said.err)["error"]["details"]["notes"]["undo"] == "modelyard delete refused:1"
    reason = json.loads(said.err)["error"]["message"].removeprefix("refused:1 is refused: ")
    assert f"it was refused because: {reason}" in run("promote", "refused:1").err
    assert run("delete", "refused", "--json").json["result"] == {"deleted": "refused"}
    assert run("versions", "refused").code == 1


def test_what_is_ignored_of_a_sample_is_told(run: Run, iris: Iris, tmp_path: Path) -> None:
    spare = tmp_path / "spare.csv"
    iris.rows.assign(species=iris.expected, day=pd.Timestamp("2026-01-31")).to_csv(spare)
    said = run("push", iris.pipeline, "--name", "spare", "--sample", spare)
    assert said.code == 0, said.err
    assert "one without a name (the CSV's index?), `species`, `day`: the model does not take them" in said.out
    refused = run("predict", "spare:1", spare)
    assert refused.code == 1
    assert "a column without a name: was the CSV written with its index?" in refused.err


def test_a_push_without_waiting_comes_back_at_once(run: Run, iris: Iris) -> None:
    version = run("push", iris.pipeline, "--name", "later", "--no-wait", "--json").json["result"]
    assert version["number"] == 1
    assert version["state"] in ("checking", "ready")


def test_deleting_asks_first(run: Run, pushed: str) -> None:
    for nothing_or_no in ("", "n\n"):
        said = run("delete", f"{pushed}:1", stdin=nothing_or_no)
        assert said.code == 1
        assert "nothing was deleted: it was not agreed to; --yes agrees" in said.err
    assert run("versions", pushed, "--json").json[-1]["number"] == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["push", "/nowhere/x.pkl", "--name", "x"], "there is no file"),
        (["push", "/tmp", "--name", "x"], "is a folder"),
        (["push", "{file}", "--name", "x", "--sample", "/nowhere.csv"], "there is no file"),
        (["push", "{file}", "--name", "x", "--manifest", "{file}"], "is no JSON"),
        (["push", "{file}", "--name", "x", "--signature", "/nowhere.json"], "there is no file"),
        (["versions", "never-pushed"], "no model by this name"),
        (["promote", "never-pushed:1"], "no model by this name"),
        (["promote", "never-pushed@candidate"], "no model by this name"),
        (["rollback", "never-pushed"], "no model by this name"),
        (["deactivate", "never-pushed"], "no model by this name"),
        (["delete", "never-pushed", "--yes"], "no model by this name"),
        (["delete", "never-pushed:2"], "no model by this name"),
        (["aliases", "list", "never-pushed"], "no model by this name"),
        (["aliases", "set", "never-pushed", "candidate", "1"], "no model by this name"),
        (["download", "never-pushed:1"], "no model by this name"),
        (["download", "never-pushed:1", "--to", "/nonexist/x"], "there is no folder /nonexist"),
        (["predict", "never-pushed", "--rows", "[{}]"], "never-pushed"),
        (["predict", "x", "/nowhere.csv"], "there is no file"),
    ],
)
def test_wrong_input_is_refused_with_the_reason(run: Run, tmp_path: Path, arguments: list[str], expected: str) -> None:
    file = tmp_path / "file.txt"
    file.write_text("no model")
    said = run(*[word.replace("{file}", str(file)) for word in arguments])
    assert said.code == 1
    assert expected in said.err
    assert "Traceback" not in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["push"], "files"),
        (["push", "x.pkl"], "--name"),
        (["promote"], "version"),
        (["nonsense"], "nonsense"),
        (["models", "--nonsense"], "--nonsense"),
        (["keys"], ""),
        (["keys", "create"], "--name"),
        (["worker", "--concurrency", "0"], "--concurrency"),
        (["push", "x.pkl", "--name", "Not A Name"], "cannot name a model"),
        (["push", "x.pkl", "--name", "x", "--metric", "accuracy"], "accuracy=0.97"),
        (["push", "x.pkl", "--name", "x", "--manifest", '{"seed": 7'], "--manifest is no JSON"),
        (["push", "x.pkl", "--name", "x", "--signature", "{7}"], "--signature is no JSON"),
        (["versions", "NO"], "cannot name a model"),
        (["promote", "never-pushed"], "names no version"),
        (["promote", "never-pushed:zero"], "positive whole number"),
        (["download", "never-pushed"], "names no version"),
        (["delete", "never-pushed@x", "--yes"], "names an alias"),
        (
            ["aliases", "set", "x", "a3", "a2"],
            "'a2' is no version's number: expected one, as 3; an alias names no other",
        ),
        (["aliases", "set", "x", "candidate", "0"], "'0' is no version's number: expected one, as 3"),
        (["aliases", "set", "x", "No Alias", "1"], "cannot name an alias"),
        (["aliases", "set", "x", "7", "1"], "looks like a version's number"),
        (["aliases", "remove", "x", "No Alias"], "cannot name an alias"),
        (["select", "NO", "-m", "accuracy"], "cannot name a model"),
        (
            ["select", "x", "-m", "accuracy", "--direction", "up"],
            "--direction 'up': expected one of maximize, minimize",
        ),
        (["select", "x", "-m", "accuracy", "--direction", "minimise"], "did you mean 'minimize'?"),
        (
            ["select", "x", "-m", "accuracy", "-c", "accuracy"],
            "--constraint: 'accuracy' is none: expected a metric, one of",
        ),
        (["select", "x", "-m", "accuracy", "--since", "soon"], "--since 'soon': expected ISO 8601"),
        (["select", "x", "-m", "accuracy", "--alias", "7"], "looks like a version's number"),
        (["compare", "NO", "2"], "cannot name a model"),
        (["compare", "x:1", "x:zero"], "positive whole number"),
        (["compare", "x:1", "y:2"], "of different models"),
        (["charter", "write", "x", "--next-review", "soon"], "--next-review 'soon': expected a day"),
        (["consumers", "add", "x", "a/b"], "names no consumer"),
        (["predict", "x"], "either in a file or in --rows"),
        (["predict", "x", "rows.csv", "--rows", "[]"], "either in a file or in --rows"),
        (["predict", "x", "--rows", "{"], "is no JSON"),
        (["models", "--url", "yard"], "is no address"),
        (["login", "yard"], "is no address"),
    ],
)
def test_what_is_not_understood_has_exit_code_2(run: Run, arguments: list[str], expected: str) -> None:
    said = run(*arguments)
    assert said.code == 2
    assert expected in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("verb", ["models", "push", "predict", "keys", "up", "serve", "doctor", "init", "login"])
def test_help_of_each_verb(run: Run, verb: str) -> None:
    said = run(verb, "--help")
    assert said.code == 0
    assert "--json" in said.out or verb == "keys"


def test_login_keeps_the_key_for_its_server(run: Run, yard: Yard, tmp_path: Path) -> None:
    config = {"XDG_CONFIG_HOME": str(tmp_path), "MODELYARD_KEY": "", "MODELYARD_URL": ""}
    said = run("login", yard.url, "--json", stdin=yard.key + "\n", **config)
    assert said.json["result"] == {"url": yard.url, "tenant": "demo"}
    assert yard.key not in said.out + said.err
    kept = tmp_path / "modelyard" / "login.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert run("models", "--json", **config).code == 0
    assert run("models", "--url", "http://localhost:9", **config).code == 1


def test_a_new_key_is_told_with_the_port_that_the_server_was_given(yard: Yard) -> None:
    said = command("keys", "create", "--name", "told", "--home", yard.home)
    assert f"  login    modelyard login {yard.url}\n" in said.out
    elsewhere = {"MODELYARD_PUBLIC_URL": "https://yard.example.com"}
    again = command("keys", "create", "--name", "told again", "--home", yard.home, **elsewhere)
    assert "modelyard login https://yard.example.com\n" in again.out
    for name in ("told", "told again"):
        assert command("keys", "revoke", name, "--home", yard.home).code == 0


@pytest.mark.parametrize("scope", ["predict", "write", "admin"])
def test_any_live_key_signs_in(run: Run, yard: Yard, pushed: str, iris: Iris, tmp_path: Path, scope: str) -> None:
    config = {"XDG_CONFIG_HOME": str(tmp_path), "MODELYARD_KEY": "", "MODELYARD_URL": ""}
    with Client(yard.url, yard.key) as client:
        key = client.create_key(scope, [scope])
        assert run("login", yard.url, stdin=f"{key.key}\n", **config).code == 0
        rows = json.dumps(iris.rows.iloc[0].to_dict())
        if scope == "predict":
            end = time.monotonic() + 30
            while (said := run("predict", f"{pushed}:1", "--rows", rows, **config)).code and time.monotonic() < end:
                assert "the API key is unknown" in said.err, "the data plane hears of a key a moment later"
            assert said.code == 0
            assert "modelyard keys create --name NAME --scope read" in run("models", **config).err
        else:
            assert run("models", **config).code == 0
        client.revoke_key(key)
    assert run("login", yard.url, stdin=f"{key.key}\n", **config).code == 1


def test_a_wrong_key_is_not_kept(run: Run, yard: Yard, tmp_path: Path) -> None:
    said = run("login", yard.url, stdin="yard_abcdefgh_" + "x" * 43, XDG_CONFIG_HOME=str(tmp_path))
    assert said.code == 1
    assert not (tmp_path / "modelyard").exists()


def test_without_a_key_it_says_how_to_get_one(run: Run) -> None:
    said = run("models", MODELYARD_KEY="")
    assert said.code == 1
    assert "modelyard login" in said.err


def test_nobody_there(run: Run, free_port: int) -> None:
    said = run("models", "--url", f"http://127.0.0.1:{free_port}")
    assert said.code == 1
    assert "nothing answers at" in said.err
