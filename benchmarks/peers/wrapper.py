"""What many write by hand: Flask around a pickle. `WRAPPED_MODEL` is the pickle's path."""

import os
import pickle
from pathlib import Path

import pandas as pd
from flask import Flask, Response, jsonify, request

application = Flask(__name__)
model = pickle.loads(Path(os.environ["WRAPPED_MODEL"]).read_bytes())


@application.post("/predict")
def predict() -> Response:
    """Return the classes of `{"rows": [...]}`."""
    rows = pd.DataFrame(request.get_json()["rows"])
    return jsonify(predictions=model.predict(rows).tolist())
