"""Write which models of which data sets convert to ONNX, and how far the outputs are apart, as a Markdown table.

`python benchmarks/conversion_table.py`: fits each pair with scaling, converts, and compares on the parity rows and on
every row of the data. Everything runs in this process, since the models are its own.
"""

import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets, ensemble, linear_model, neighbors, svm
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from modelyard.core.tensors import Batch
from modelyard.runtimes import conversion, parity
from modelyard.runtimes.audit import audit
from modelyard.runtimes.onnx import OnnxRuntime
from modelyard.runtimes.opening import describe_io
from modelyard.runtimes.sklearn import SklearnRuntime

DATA = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "diabetes": datasets.load_diabetes,
}
CLASSIFIERS = {
    "Perceptron": linear_model.Perceptron(random_state=0),
    "LogisticRegression": linear_model.LogisticRegression(max_iter=500),
    "RandomForestClassifier": ensemble.RandomForestClassifier(100, random_state=0),
    "GradientBoostingClassifier": ensemble.GradientBoostingClassifier(n_estimators=10, random_state=0),
    "HistGradientBoostingClassifier": ensemble.HistGradientBoostingClassifier(max_iter=10, random_state=0),
    "SVC": svm.SVC(),
    "KNeighborsClassifier": neighbors.KNeighborsClassifier(),
}
REGRESSORS = {
    "LinearRegression": linear_model.LinearRegression(),
    "RandomForestRegressor": ensemble.RandomForestRegressor(100, random_state=0),
    "GradientBoostingRegressor": ensemble.GradientBoostingRegressor(random_state=0),
    "HistGradientBoostingRegressor": ensemble.HistGradientBoostingRegressor(max_iter=30, random_state=0),
    "SVR": svm.SVR(),
    "KNeighborsRegressor": neighbors.KNeighborsRegressor(),
}


def row(data: str, kind: str, estimator: Any) -> str:
    features, target = DATA[data](return_X_y=True)
    fitted = make_pipeline(StandardScaler(), estimator).fit(features, target)
    batch, signature = describe_io(fitted, None, None)
    original = SklearnRuntime(fitted, signature)
    try:
        graph = conversion.convert(fitted, signature)
        with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
            Path(file.name).write_bytes(graph)
            runtime = OnnxRuntime.load(Path(file.name), signature)
    except Exception as error:
        reason = str(error).rpartition("] : ")[2] or str(error)
        return f"| {data} | {kind} | child | | | {reason[:110]} |"
    tried = parity.compare(original.predict(batch), runtime.predict(batch), batch.n_rows)
    whole = Batch(len(features), matrix=np.ascontiguousarray(features))
    real = parity.compare(original.predict(whole), runtime.predict(whole), len(features))
    refused = audit(graph).refused
    served = "ONNX" if tried.agrees and not refused else "child"
    shown = (
        f"{tried.disagreeing} of {tried.rows} | {real.disagreeing} of {real.rows} (largest {real.largest_relative:.0e})"
    )
    return f"| {data} | {kind} | {served} | {shown} | {'; '.join(refused)} |"


def main() -> None:
    warnings.simplefilter("ignore")
    print("| data | model | served as | parity rows that differ | rows of the data that differ | why |")
    print("| --- | --- | --- | --- | --- | --- |")
    for data in DATA:
        for kind, estimator in (REGRESSORS if data == "diabetes" else CLASSIFIERS).items():
            print(row(data, kind, estimator), flush=True)


if __name__ == "__main__":
    main()
