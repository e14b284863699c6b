"""The ways in which people save models, right and wrong, from the upload to the first answer."""

import bz2
import gzip
import io
import pickle
import zipfile
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops import io as skops

from modelyard.core.errors import InvalidInput, ModelRefused, UnsupportedFormat
from modelyard.core.signature import Column, DataType, Output, Role, Signature
from modelyard.serving.protocols.decoder import Decoder

X, Y = load_iris(return_X_y=True)
SCALER = StandardScaler().fit(X)
BARE = Perceptron(random_state=0).fit(SCALER.transform(X), Y)
PIPELINE = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)


def check(served: Any, estimator: Any = PIPELINE) -> None:
    answer = served.answer(X)
    assert answer["prediction"].tolist() == estimator.predict(X).tolist()


def dumped(write: Any, value: Any, *arguments: Any, **named: Any) -> bytes:
    buffer = io.BytesIO()
    write(value, buffer, *arguments, **named)
    return buffer.getvalue()


def test_joblib(serve: Any) -> None:
    """Every compression that it knows is tried in `tests/unit/runtimes/test_loading.py`."""
    served = serve(("model.joblib", dumped(joblib.dump, PIPELINE, compress=("gzip", 3))))
    check(served)
    assert served.examined.format == "sklearn-joblib"


def test_skops(serve: Any) -> None:
    served = serve(("model.skops", skops.dumps(PIPELINE)))
    check(served)
    assert served.examined.format == "sklearn-skops"
    assert served.examined.runtime == "onnx"


def test_scaler_and_bare_perceptron_make_one_pipeline(serve: Any) -> None:
    served = serve(("scaler.pkl", pickle.dumps(SCALER)), ("iris_predictor.pkl", pickle.dumps(BARE)))
    check(served, make_pipeline(SCALER, BARE))
    assert served.examined.report["steps"] == ["StandardScaler", "Perceptron"]


def test_clusters(serve: Any) -> None:
    model = KMeans(3, n_init=1, random_state=0).fit(X)
    served = serve(("clusters.pkl", pickle.dumps(model)))
    check(served, model)


def test_uploaded_onnx(serve: Any) -> None:
    """As skl2onnx writes it when asked for nothing: float32, and a ZipMap that gives a mapping for each row."""
    graph = to_onnx(PIPELINE, initial_types=[("X", FloatTensorType([None, 4]))])
    served = serve(("model.onnx", graph.SerializeToString()))
    answer = served.answer(X)
    outputs = {output.role: output for output in served.examined.signature.outputs}
    assert answer[outputs[Role.PREDICTION].name].tolist() == PIPELINE.predict(X).tolist()
    assert outputs[Role.PROBABILITIES].classes == (0, 1, 2)
    np.testing.assert_allclose(
        answer[outputs[Role.PROBABILITIES].name], PIPELINE.predict_proba(X), rtol=1e-3, atol=1e-5
    )
    assert not served.examined.isolated


FRAME = pd.DataFrame(X, columns=["sepal length", "sepal width", "petal length", "petal width"])


@pytest.mark.usefixtures("no_children")
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_sample_names_and_types_the_columns(kind: str, serve: Any) -> None:
    sample = FRAME.to_csv(index=False).encode() if kind == "csv" else FRAME.to_parquet()
    served = serve(("model.pkl", pickle.dumps(PIPELINE)), sample=(f"sample.{kind}", sample))
    signature = served.examined.signature
    assert signature.names == tuple(FRAME.columns)
    assert signature.columns[0].type is DataType.FLOAT64
    assert signature.columns[0].minimum == X[:, 0].min()
    assert served.examined.sample[0][signature.names[0]] == pytest.approx(X[0, 0])
    check(served)


# What is wrong with what was fitted is tried, thing by thing, in `tests/unit/runtimes/test_pipeline.py`.
REFUSED: dict[str, tuple[list[tuple[str, Any]], type[Exception], str]] = {
    "wrong order": ([("p.pkl", BARE), ("s.pkl", SCALER)], ModelRefused, "the predictor last"),
    "a dict": ([("d.pkl", {"model": BARE})], ModelRefused, "holds a dict.*not the container"),
    "an array": ([("a.pkl", X)], ModelRefused, "holds a ndarray"),
    "empty": ([("e.pkl", b"")], ModelRefused, "is empty"),
    "text": ([("t.pkl", b"hello there")], ModelRefused, "bytes are"),
    "gzip named pickle": (
        [("g.pkl", gzip.compress(pickle.dumps(BARE)))],
        ModelRefused,
        "says .pkl.*gzip-compressed.*joblib",
    ),
    "pickle named onnx": ([("p.onnx", BARE)], ModelRefused, "says .onnx, the bytes are pickle"),
    "pickle named skops": ([("p.skops", BARE)], ModelRefused, "says .skops, the bytes are pickle"),
    "onnx named pickle": ([("o.pkl", b"\x08\x09\x12\x00")], ModelRefused, "the bytes are onnx"),
    "no suffix": ([("model", BARE)], UnsupportedFormat, "expected a file that ends in"),
    "torch": ([("model.pt", BARE)], UnsupportedFormat, "expected a file that ends in"),
    "lz4": ([("l.joblib", b"\x04\x22\x4d\x18" + b"\0" * 60)], ModelRefused, "lz4|broken"),
    "broken bz2": ([("b.joblib", bz2.compress(pickle.dumps(BARE))[:-30])], ModelRefused, "broken"),
}


def as_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else pickle.dumps(value, protocol=4)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, serve: Any) -> None:
    files, kind, said = REFUSED[name]
    with pytest.raises(kind, match=said):
        serve(*((filename, as_bytes(value)) for filename, value in files))


def test_torch_archive_is_no_skops(serve: Any) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02.")
    with pytest.raises(ModelRefused, match=r"PyTorch archive"):
        serve(("model.skops", buffer.getvalue()))


def test_another_release_is_named_with_what_helps(serve: Any) -> None:
    own = sklearn.__version__.encode()
    old = b"0.24.2"[: len(own)].ljust(len(own), b"0")
    data = pickle.dumps(PIPELINE, protocol=4).replace(own, old)
    assert data != pickle.dumps(PIPELINE, protocol=4)
    with pytest.raises(ModelRefused) as refused:
        serve(("m.pkl", data))
    assert old.decode() in refused.value.message
    assert sklearn.__version__ in refused.value.message
    assert "convert it to ONNX" in refused.value.message


def test_a_missing_module_is_named(serve: Any) -> None:
    data = b"\x80\x04\x8c\x10our_house_models\x8c\x05Model\x93)R."
    with pytest.raises(ModelRefused, match=r"needs the Python module `our_house_models`.*save the model without it"):
        serve(("m.pkl", data))


def test_a_class_of_a_notebook_is_named(serve: Any) -> None:
    """In the child `__main__` is the sandbox's own script."""
    with pytest.raises(ModelRefused, match=r"OwnScaler.*notebook"):
        serve(("m.pkl", b"\x80\x04\x8c\x08__main__\x8c\x09OwnScaler\x93)R."))


def test_code_is_not_served_where_the_tenant_forbids(serve: Any) -> None:
    from sklearn.svm import SVR

    data = pickle.dumps(SVR().fit(X, Y.astype(float)))
    with pytest.raises(ModelRefused, match=r"allows no files that carry code"):
        serve(("m.pkl", data), runs_code=False)


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        (("s.csv", b"a,b\n1,2\n"), "the sample has 2 columns, the model takes 4"),
        (("s.csv", b"\xff\xfe\x00"), "cannot be read|no rows|columns"),
        (("s.json", b"[[[["), "cannot be read"),
        (("s.json", b'{"rows": 3}'), "expected rows"),
        (
            (
                "s.npy",
                dumped(lambda value, file: np.save(file, value, allow_pickle=True), np.array([print], dtype=object)),
            ),
            "cannot be read",
        ),
        (("s.parquet", b"PAR1nonsense"), "cannot be read"),
    ],
)
def test_bad_sample(sample: tuple[str, bytes], said: str, serve: Any) -> None:
    with pytest.raises(InvalidInput, match=said):
        serve(("m.pkl", pickle.dumps(BARE)), sample=sample)


@pytest.mark.usefixtures("no_children")
def test_columns_that_the_model_does_not_take_are_left_out_and_told(serve: Any) -> None:
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME, Y)
    spare = FRAME.assign(species=Y, seen=pd.Timestamp("2026-01-31 12:00"))
    served = serve(("m.pkl", pickle.dumps(fitted)), sample=("s.csv", spare.to_csv().encode()))
    check(served, make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y))
    assert served.examined.signature.names == tuple(FRAME.columns)
    assert served.examined.report["ignored_columns"] == ["", "species", "seen"]


@pytest.mark.usefixtures("no_children")
def test_an_array_is_a_sample_of_a_model_that_names_its_columns(serve: Any) -> None:
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME, Y)
    served = serve(("m.pkl", pickle.dumps(fitted)), sample=("s.npy", dumped_array(X)))
    assert served.examined.signature.names == tuple(FRAME.columns)
    assert served.examined.sample[0][FRAME.columns[0]] == pytest.approx(X[0, 0])
    assert served.examined.report["ignored_columns"] == []
    with pytest.raises(InvalidInput, match="has 3 columns, the model takes 4: they have no names"):
        serve(("m.pkl", pickle.dumps(fitted)), sample=("s.npy", dumped_array(X[:, :3])))


@pytest.mark.usefixtures("no_children")
def test_a_graph_with_named_inputs_takes_its_own_columns_of_a_sample(serve: Any) -> None:
    sample = pd.DataFrame({"b": [1.0, 2.0], "day": pd.Timestamp("2026-01-31"), "a": [10.0, 20.0]})
    served = serve(("sum.onnx", sum_of_two()), sample=("s.parquet", sample.to_parquet()))
    assert served.examined.signature.names == ("a", "b")
    assert (served.examined.signature.columns[0].minimum, served.examined.signature.columns[0].maximum) == (10, 20)
    assert served.examined.report["ignored_columns"] == ["day"]
    by_place = serve(("sum.onnx", sum_of_two()), sample=("s.npy", dumped_array(np.array([[1.0, 2.0]]))))
    assert by_place.examined.sample[0] == {"a": 1.0, "b": 2.0}


def graph_of(kind: int, *shape: Any) -> bytes:
    """Return a graph that gives its one input `x`, as double."""
    taken = helper.make_tensor_value_info("x", kind, ["n", *shape])
    given = helper.make_tensor_value_info("y", TensorProto.DOUBLE, ["n", *shape])
    graph = helper.make_graph([helper.make_node("Cast", ["x"], ["y"], to=TensorProto.DOUBLE)], "g", [taken], [given])
    return bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )


def declared(*columns: Column, shape: tuple[int, ...] = ()) -> Signature:
    return Signature(columns, (Output("y", DataType.FLOAT64, shape, Role.PREDICTION),))


@pytest.mark.usefixtures("no_children")
@pytest.mark.parametrize(
    ("graph", "column"),
    [
        (graph_of(TensorProto.INT64), Column("x", DataType.INT64, optional=True)),
        (graph_of(TensorProto.BOOL), Column("x", DataType.BOOL, optional=True)),
        (graph_of(TensorProto.INT64, 1), Column("x", DataType.INT64, optional=True)),
    ],
)
def test_a_missing_value_that_a_graph_has_no_word_for(graph: bytes, column: Column, serve: Any) -> None:
    """NaN as int64 is the smallest number that there is, and as bool it is true."""
    with pytest.raises(InvalidInput, match=r"`x` is declared as optional, but the graph's .* cannot be missing"):
        serve(("m.onnx", graph), signature=declared(column))


@pytest.mark.usefixtures("no_children")
@pytest.mark.parametrize("kind", [DataType.FLOAT64, DataType.INT64])
def test_numbers_that_a_graph_of_whole_numbers_would_cut(kind: DataType, serve: Any) -> None:
    columns = (Column("a", kind), Column("b", DataType.INT8))
    with pytest.raises(InvalidInput, match=f"`a` is declared as {kind}, the graph takes int32"):
        serve(("m.onnx", graph_of(TensorProto.INT32, 2)), signature=declared(*columns, shape=(2,)))


@pytest.mark.usefixtures("no_children")
def test_numbers_that_are_too_large_for_a_graph(serve: Any) -> None:
    """1e300 is infinite as float32: it is refused, as where nothing was declared."""
    columns = (Column("a", DataType.FLOAT64, minimum=-1.0), Column("b", DataType.INT64))
    served = serve(("m.onnx", graph_of(TensorProto.FLOAT, 2)), signature=declared(*columns, shape=(2,)))
    a, b = served.examined.signature.columns
    assert (a, b) == (Column("a", DataType.FLOAT32, minimum=-1.0), columns[1])
    with pytest.raises(InvalidInput, match="expected float32"):
        Decoder(served.examined.signature).from_rows([{"a": 1e300, "b": 1}])


@pytest.mark.usefixtures("no_children")
def test_missing_numbers_are_told_to_a_graph_of_numbers(serve: Any) -> None:
    """An optional integer is one where the graph takes floating-point numbers; a sample shows the same."""
    columns = (Column("a", DataType.INT64, optional=True), Column("b", DataType.FLOAT64))
    served = serve(("m.onnx", graph_of(TensorProto.DOUBLE, 2)), signature=declared(*columns, shape=(2,)))
    answer = served.runtime.predict(Decoder(served.examined.signature).from_rows([{"a": None, "b": 1.5}]))
    np.testing.assert_array_equal(answer["y"], [[np.nan, 1.5]])
    shown = serve(("m.onnx", graph_of(TensorProto.DOUBLE)), sample=("s.csv", b"x,y\n,1\n2.5,1\n")).examined
    assert shown.signature.columns[0].optional
    assert shown.sample == [{"x": None}, {"x": 2.5}]
    Decoder(shown.signature).from_rows(shown.sample)


@pytest.mark.usefixtures("no_children")
@pytest.mark.parametrize(
    ("kind", "sample", "said"),
    [
        (TensorProto.DOUBLE, b"x\nred\n", "`x` of the sample holds texts: expected float64 values"),
        (TensorProto.INT64, b"x\n1.5\n", "`x` of the sample holds numbers: expected int64 values"),
        (TensorProto.INT64, b"x,y\n1,1\n,1\n", "`x` of the sample holds missing values"),
        (TensorProto.FLOAT, b"x\n1e300\n", "`x` of the sample holds numbers that are infinite, or too large"),
        (TensorProto.STRING, b"x\n7\n", "`x` of the sample holds whole numbers: expected string values"),
    ],
)
def test_a_sample_that_the_graph_would_not_be_asked(kind: int, sample: bytes, said: str, serve: Any) -> None:
    with pytest.raises(InvalidInput, match=said):
        serve(("m.onnx", graph_of(kind)), sample=("s.csv", sample))


def dumped_array(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def sum_of_two() -> bytes:
    a, b, total = (helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["n"]) for name in ("a", "b", "total"))
    graph = helper.make_graph([helper.make_node("Add", ["a", "b"], ["total"])], "sum", [a, b], [total])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
