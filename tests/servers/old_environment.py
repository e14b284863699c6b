"""A Python environment with an old scikit-learn, as an operator would name one: made once for a whole test run."""

import subprocess
import sys
from pathlib import Path

from tests.servers.shared import Running, running

RELEASE = "1.2.2"
PACKAGES = (f"scikit-learn=={RELEASE}", "numpy<2", "pandas<2.3")
_UV = str(Path(sys.executable).parent / "uv")


def start(folder: Path) -> Running:
    """Make it; `url` is its interpreter's path, and there is no process to end."""
    python = folder / "environment" / "bin" / "python"
    commands = (
        [_UV, "venv", "--quiet", "--python", sys.executable, str(python.parent.parent)],
        [_UV, "pip", "install", "--quiet", "--python", str(python), *PACKAGES],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        if done.returncode:
            raise RuntimeError(
                f"no environment with scikit-learn {RELEASE} could be made: {done.stderr[-1500:]}\n"
                f"It takes CPython 3.11 and a package index that has {', '.join(PACKAGES)}; try: {' '.join(command)}"
            )
    return Running(str(python), [])


def old_python() -> Path:
    """Return the interpreter of the run's old environment."""
    return Path(running("old-environment", start).url)


FOREST = """
import json, pickle, sys
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
X, y = load_iris(return_X_y=True, as_frame=sys.argv[3] == "named")
forest = RandomForestClassifier(n_estimators=20, random_state=0)
model = make_pipeline(StandardScaler(), forest).fit(X, y)
with open(sys.argv[1], "wb") as file:
    pickle.dump(model, file, protocol=4)
with open(sys.argv[2], "w") as file:
    json.dump({"rows": X.to_numpy().tolist() if sys.argv[3] == "named" else X.tolist(),
               "classes": model.predict(X).tolist(), "probabilities": model.predict_proba(X).tolist()}, file)
"""
"""Fits a forest on iris, and leaves its pickle and what it itself answers."""


def fit_forest(python: Path | str, folder: Path, kind: str = "plain") -> tuple[Path, Path]:
    """Return the pickle and the answers that an interpreter's own scikit-learn has made; `kind`: "named" columns."""
    folder.mkdir(parents=True, exist_ok=True)
    pickled, answers = folder / "forest.pkl", folder / "answers.json"
    subprocess.run([str(python), "-I", "-c", FOREST, str(pickled), str(answers), kind], check=True, timeout=120)
    return pickled, answers
