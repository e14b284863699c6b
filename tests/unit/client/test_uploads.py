"""Estimators and samples as files to send."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from sklearn.linear_model import Perceptron
from sklearn.preprocessing import StandardScaler

from modelyard.client.uploads import SAMPLE_ROWS, Counted, model_files, sample_file
from modelyard.core.errors import InvalidInput


def test_files_are_sent_as_they_are(tmp_path: Path) -> None:
    first, second = tmp_path / "a.pkl", tmp_path / "b.pkl"
    first.write_bytes(b"1")
    second.write_bytes(b"2")
    assert model_files([first, str(second)], tmp_path) == [first, second]


def test_estimators_are_pickled_with_protocol_4(tmp_path: Path) -> None:
    paths = model_files([StandardScaler(), Perceptron()], tmp_path)
    assert [path.name for path in paths] == ["standardscaler.pkl", "perceptron.pkl"]
    assert all(path.read_bytes()[:2] == b"\x80\x04" for path in paths)
    assert isinstance(pickle.loads(paths[1].read_bytes()), Perceptron)


def test_two_of_a_kind_do_not_overwrite_each_other(tmp_path: Path) -> None:
    paths = model_files([StandardScaler(), StandardScaler()], tmp_path)
    assert len(set(paths)) == 2


def test_what_cannot_be_pickled_is_refused(tmp_path: Path) -> None:
    perceptron = Perceptron()
    perceptron.callback = lambda rows: rows
    with pytest.raises(InvalidInput, match="Perceptron cannot be pickled"):
        model_files([perceptron], tmp_path)


@pytest.mark.parametrize("given", [123, {"predict": 1}, lambda rows: rows, Perceptron, None])
def test_what_does_not_predict_is_refused(tmp_path: Path, given: object) -> None:
    with pytest.raises(InvalidInput, match="expected files, or fitted estimators"):
        model_files([given], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_closed_to_this_user_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.touch()
    monkeypatch.setattr("os.access", lambda path, mode: False)  # the tests may run as root, who may read all
    with pytest.raises(InvalidInput, match="you may not read"):
        model_files([path], tmp_path)


@pytest.mark.parametrize(("name", "expected"), [("nothing.pkl", "there is no file"), ("", "is a folder")])
def test_a_path_that_is_no_file_is_refused(tmp_path: Path, name: str, expected: str) -> None:
    with pytest.raises(InvalidInput, match=expected):
        model_files([tmp_path / name], tmp_path)


def test_nothing_to_push_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nothing to push"):
        model_files([], tmp_path)


def test_a_frame_becomes_parquet_with_its_types(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"n": pd.array([1, None], dtype="Int64"), "plan": pd.Categorical(["a", "b"]), 3: [0.5, np.nan]}
    )
    table = parquet.read_table(sample_file(frame, tmp_path))
    assert table.column_names == ["n", "plan", "3"]
    assert table.to_pylist()[1] == {"n": None, "plan": "b", "3": None}


def test_the_index_of_a_frame_is_no_column(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2]}, index=["x", "y"])
    assert parquet.read_table(sample_file(frame, tmp_path)).column_names == ["a"]


def test_an_array_becomes_npy_without_pickles(tmp_path: Path) -> None:
    path = sample_file(np.eye(3), tmp_path)
    assert path.suffix == ".npy"
    assert np.array_equal(np.load(path, allow_pickle=False), np.eye(3))


def test_a_table_of_arrow_becomes_parquet(tmp_path: Path) -> None:
    assert parquet.read_table(sample_file(pa.table({"a": [1, 2]}), tmp_path)).to_pylist() == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("make", [np.asarray, pd.DataFrame])
def test_long_samples_are_thinned_evenly(tmp_path: Path, make: type) -> None:
    path = sample_file(make(np.arange(10_000).reshape(-1, 1)), tmp_path)
    values = np.load(path) if path.suffix == ".npy" else parquet.read_table(path).to_pandas().to_numpy()
    assert len(values) == SAMPLE_ROWS
    assert values[0, 0] == 0
    assert values[-1, 0] == 9_990


@pytest.mark.parametrize("sample", [np.zeros(3), [[1, 2]], 7, np.array([["a"]], dtype=object)])
def test_what_is_no_table_is_no_sample(tmp_path: Path, sample: object) -> None:
    with pytest.raises(InvalidInput, match="expected"):
        sample_file(sample, tmp_path)


def test_a_sample_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a\n1\n")
    assert sample_file(str(path), tmp_path) == path


def test_reading_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10)
    counts: list[int] = []
    with Counted(path, counts.append) as file:
        assert file.read(4) + file.read() == b"x" * 10
    assert counts == [4, 6]
