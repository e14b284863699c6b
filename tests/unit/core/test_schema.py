"""The schema of rows says what the decoder takes."""

import json
from typing import Any

import pytest
from openapi_spec_validator import validate

from modelyard.core.schema import answer_schema, example_row, openapi, rows_schema
from modelyard.core.signature import Column, DataType, Output, Role, Signature
from modelyard.serving.protocols.decoder import Decoder

SIGNATURE = Signature(
    (
        Column("age", DataType.INT8, minimum=18, maximum=90),
        Column("income", DataType.FLOAT32, optional=True),
        Column("plan", DataType.STRING, categories=("free", "pro")),
        Column("active", DataType.BOOL),
        Column("picture", DataType.UINT8, (2, 3)),
    ),
    (
        Output("label", DataType.STRING, role=Role.PREDICTION, classes=("a", "b")),
        Output("share", DataType.FLOAT32, (2,), role=Role.PROBABILITIES),
        Output("score", DataType.FLOAT64),
    ),
)


def test_one_row() -> None:
    schema = rows_schema(SIGNATURE)
    assert schema["required"] == ["age", "plan", "active", "picture"]
    assert schema["additionalProperties"] is False
    age: dict[str, Any] = schema["properties"]["age"]
    assert (age["type"], age["minimum"], age["maximum"]) == ("integer", -128, 127)
    assert age["description"] == "usually 18 to 90"
    assert schema["properties"]["plan"]["description"] == "usually one of free, pro"
    assert schema["properties"]["income"]["anyOf"][1] == {"type": "null"}
    assert schema["properties"]["plan"]["examples"] == ["free", "pro"]
    assert schema["properties"]["picture"]["items"]["maxItems"] == 3


def test_the_answer() -> None:
    schema = answer_schema(SIGNATURE)
    assert schema["properties"]["predictions"]["items"]["enum"] == ["a", "b"]
    assert set(schema["properties"]["probabilities"]["items"]["properties"]) == {"a", "b"}
    assert "score" in schema["properties"]["outputs"]["properties"]


@pytest.mark.filterwarnings("ignore")
def test_the_document_is_valid_openapi() -> None:
    validate(openapi("churn:3", SIGNATURE, "http://127.0.0.1:8000"))


def test_the_example_fits() -> None:
    row = example_row(SIGNATURE)
    assert row["age"] == 54
    assert row["plan"] == "free"
    assert Decoder(SIGNATURE).decode(json.dumps({"rows": [row]}).encode(), 1).batch.n_rows == 1


def test_an_example_is_the_middle_or_the_first_of_what_training_saw() -> None:
    columns = (
        Column("middle", DataType.FLOAT64, minimum=2, maximum=4),
        Column("whole", DataType.INT64, minimum=2007, maximum=2010),
        Column("first", DataType.STRING, categories=("Dream", "Biscoe")),
        Column("text", DataType.STRING),
        Column("flag", DataType.BOOL),
        Column("picture", DataType.UINT8, shape=(2, -1)),
    )
    row = example_row(Signature(columns, SIGNATURE.outputs))
    assert row == {"middle": 3.0, "whole": 2008, "first": "Dream", "text": "text", "flag": True, "picture": [[0], [0]]}
    assert isinstance(row["whole"], int)
