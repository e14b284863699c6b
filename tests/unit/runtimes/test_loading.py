"""Files that this test wrote itself, opened where it stands; strangers' files are opened in the sandbox's own tests."""

import io
import pickle
import sys
import types
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.linear_model import Perceptron
from skops import io as skops

from modelyard.core.errors import ModelRefused
from modelyard.runtimes.formats import Format
from modelyard.runtimes.loading import load_estimator, told_format, written_by

X = np.arange(40.0).reshape(20, 2)
MODEL = Perceptron(random_state=0).fit(X, X[:, 0] > 15)
COMPRESSIONS = [0, 3, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)]


def stored(folder: Path, data: bytes) -> Path:
    path = folder / "model"
    path.write_bytes(data)
    return path


def with_joblib(compress: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(MODEL, buffer, compress=compress)
    return buffer.getvalue()


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_joblib(compress: Any, tmp_path: Path) -> None:
    path = stored(tmp_path, with_joblib(compress))
    assert told_format(path) is Format.JOBLIB
    assert load_estimator(path).predict(X).tolist() == MODEL.predict(X).tolist()
    assert written_by(path) == sklearn.__version__


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(protocol: int, tmp_path: Path) -> None:
    path = stored(tmp_path, pickle.dumps(MODEL, protocol=protocol))
    assert load_estimator(path, Format.PICKLE, "model.pkl").predict(X).tolist() == MODEL.predict(X).tolist()
    assert load_estimator(path).predict(X).tolist() == MODEL.predict(X).tolist()
    assert written_by(path) == sklearn.__version__


def test_skops(tmp_path: Path) -> None:
    path = stored(tmp_path, skops.dumps(MODEL))
    assert told_format(path) is Format.SKOPS
    assert load_estimator(path).predict(X).tolist() == MODEL.predict(X).tolist()


def refusal(folder: Path, data: bytes) -> str:
    with pytest.raises(ModelRefused) as refused:
        load_estimator(stored(folder, data), Format.PICKLE, "m.pkl")
    return refused.value.message


def test_a_missing_module_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("our_house_models")
    module.Model = type("Model", (), {"__module__": "our_house_models"})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "our_house_models", module)
    data = pickle.dumps(module.Model())  # type: ignore[attr-defined]
    monkeypatch.undo()
    said = refusal(tmp_path, data)
    assert "`m.pkl` needs the Python module `our_house_models`, which is not installed here" in said


def test_a_class_of_a_notebook_is_named(tmp_path: Path) -> None:
    said = refusal(tmp_path, b"\x80\x04\x8c\x08__main__\x8c\x09OwnScaler\x93.")
    assert "names `OwnScaler` of the module `__main__`, which is not here" in said
    assert "notebook or script do not travel in a pickle" in said
    assert ".py" not in said, "where this program lies is nobody's business"


def other_release(release: str) -> bytes:
    """Return the model as another release would have written it."""
    old, new = (b"\x8c" + bytes([len(text)]) + text.encode() for text in (sklearn.__version__, release))
    whole = pickle.dumps(MODEL, protocol=4)
    frame = whole.index(b"\x95")  # its length, 8 bytes, counts what follows
    body = whole[frame + 9 :].replace(old, new)
    return whole[: frame + 1] + len(body).to_bytes(8, "little") + body


@pytest.mark.parametrize("release", ["0.24.2", "1.3.2", "9.9.9"])
def test_another_release_is_named_with_what_helps(release: str, tmp_path: Path) -> None:
    said = refusal(tmp_path, other_release(release))
    assert f"written by scikit-learn {release}, and {sklearn.__version__} is installed here" in said
    assert f"convert it to ONNX with scikit-learn {release}" in said


def test_another_release_whose_modules_are_gone(tmp_path: Path) -> None:
    data = other_release("0.21.3").replace(b"._perceptron", b".old_perctrn")
    assert "written by scikit-learn 0.21.3" in refusal(tmp_path, data)


def test_a_module_of_no_release_that_is_here(tmp_path: Path) -> None:
    said = refusal(tmp_path, b"\x80\x04\x8c\x12sklearn.perceptron\x8c\x01P\x93.")
    assert "needs the Python module `sklearn.perceptron`, which the installed releases" in said
    assert "convert it to ONNX" in said


@pytest.mark.parametrize("cut", [2, 30, 200])
def test_cut_off(cut: int, tmp_path: Path) -> None:
    assert "cut off or broken" in refusal(tmp_path, pickle.dumps(MODEL, protocol=4)[:cut])


def test_reaching_for_another_file_is_said(tmp_path: Path) -> None:
    class Reads:
        def __reduce__(self) -> tuple[Any, ...]:
            return open, ("/etc/hostname",)

    assert "tried to read another file" in refusal(tmp_path, pickle.dumps(Reads()))
