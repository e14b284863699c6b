import importlib
import pickle
from io import BytesIO
from pathlib import Path

import joblib
import numpy as np
import pytest

from modelyard.core.errors import ModelRefused, UnsupportedFormat
from modelyard.runtimes.formats import Format, declared, globals_named, named_release, tell, told_by_bytes


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("a.pkl", Format.PICKLE),
        ("A.PICKLE", Format.PICKLE),
        ("a.joblib", Format.JOBLIB),
        ("a.joblib.gz", Format.JOBLIB),
        ("a.pkl.xz", Format.JOBLIB),
        ("a.skops", Format.SKOPS),
        ("a.onnx", Format.ONNX),
    ],
)
def test_declared(name: str, known: Format) -> None:
    assert declared(name) is known


@pytest.mark.parametrize("name", ["", "model", "a.pt", "a.h5", "a.gz", "a.onnx.gz", "pkl", "a.pkl.exe"])
def test_unknown_suffixes_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedFormat, match=r"\.onnx, \.pkl"):
        declared(name)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"PK\x03\x04", "zip"),
        (b"\x80\x04\x95", "pickle"),
        (b"(dp0\n", "pickle"),
        (b"\x08\x09\x12", "onnx"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"\x78\x9c", "zlib"),
        (b"\x93NUMPY", "a NumPy array"),
        (b"\x7fELF", "a program"),
        (b"\xff\xff", "unknown"),
        (b"", "unknown"),
    ],
)
def test_told_by_bytes(head: bytes, kind: str) -> None:
    assert told_by_bytes(head) == kind


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_is_a_pickle(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(pickle.dumps(Path("x"), protocol=protocol))
    assert tell("a.pkl", path) is Format.PICKLE


def test_name_and_bytes_must_agree(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(ModelRefused, match=r"says .onnx, the bytes are zip"):
        tell("a.onnx", path)


def test_globals_are_read_without_running() -> None:
    for protocol in (0, 2, 4):
        named = set(globals_named(BytesIO(pickle.dumps(pytest.raises, protocol=protocol))))
        assert ("_pytest.raises", "raises") in named


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_globals_around_joblibs_arrays_of_objects_are_those_that_there_are(protocol: int) -> None:
    file = BytesIO()
    names = np.array(["a", "b"], dtype=object)
    joblib.dump(
        [Path("x"), names, {"names": names.copy(), "dtype": names.dtype}, pytest.raises], file, protocol=protocol
    )
    file.seek(0)
    named = list(globals_named(file))
    for module, attribute in named:
        assert hasattr(importlib.import_module(module), attribute), (module, attribute)
    assert named[-1] == ("_pytest.raises", "raises"), "what comes after an array is named too"


def test_what_is_no_text_is_no_name() -> None:
    data = b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94)\x94h\x02h\x01\x93."  # operands: a tuple and a text
    assert list(globals_named(BytesIO(data))) == []


def test_globals_of_nonsense_are_none() -> None:
    assert list(globals_named(BytesIO(b"\xff\xfe nonsense"))) == []


@pytest.mark.parametrize("protocol", [2, 4])
def test_release_is_read_without_running(protocol: int) -> None:
    data = pickle.dumps({"_sklearn_version": "1.2.2"}, protocol=protocol)
    assert named_release(data) == "1.2.2"
    assert named_release(pickle.dumps({"x": 1})) is None
    # joblib puts arrays between the opcodes: what follows the name is still found
    assert named_release(b"\xff" * 10 + data[2:]) == "1.2.2"


def test_bytes_of_no_known_format_are_answered_with_how_a_model_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\xff\xff")
    with pytest.raises(ModelRefused, match=r"the name says \.pkl, .*; write it with pickle\.dump or joblib\.dump"):
        tell("a.pkl", path)
