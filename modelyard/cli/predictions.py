"""`modelyard predict`: asks a model, as any program would."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelyard.cli.connection import connected
from modelyard.cli.options import Json, Url
from modelyard.cli.output import curl, print_json, print_table
from modelyard.cli.tables import parse_rows, read_rows
from modelyard.cli.usage import NotUnderstood, reference
from modelyard.core.errors import InvalidInput

if TYPE_CHECKING:
    from modelyard.client import Answer

SHOWN_ROWS = 50


def predict(
    model: Annotated[
        str, typer.Argument(help="iris, iris:3 or iris@candidate.", show_default=False, callback=reference)
    ],
    file: Annotated[
        Path | None,
        typer.Argument(help="Rows in JSON, CSV, Parquet or npy; - is JSON from standard input.", show_default=False),
    ] = None,
    rows: Annotated[str | None, typer.Option(help="Rows in JSON, here and now.", show_default=False)] = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Predict for rows from a file, or given as JSON."""
    if (file is None) == (rows is None):
        raise NotUnderstood("expected rows either in a file or in --rows")
    inputs = read_rows(file) if file is not None else _typed(rows or "")
    with connected(url) as yard:
        answer = yard.client.predict(model, inputs)
        same = curl("POST", f"{yard.client.predict_url}/predict/{model}", json_body=_example(inputs))
    if json:
        print_json(answer)
        return
    _show(answer)
    print(f"  curl     {same}")


def _typed(rows: str) -> Any:
    try:
        return parse_rows(rows, "--rows")
    except InvalidInput as error:
        raise NotUnderstood(error.message) from None


def _example(inputs: Any) -> dict[str, Any]:
    """Return a request body of at most one row: a command line has an end."""
    from modelyard.client.rows import body_of

    body = body_of(inputs[:1] if isinstance(inputs, list) or hasattr(inputs, "ndim") else inputs)
    return {key: value[:1] if key in ("rows", "data") else value for key, value in body.items()}


def _show(answer: "Answer") -> None:
    probabilities = answer.probabilities or [None] * len(answer.predictions)
    rows = [
        (position, prediction, _rounded(chances))
        for position, (prediction, chances) in enumerate(zip(answer.predictions, probabilities, strict=True), start=1)
    ]
    columns = ["row", "prediction", "probabilities"] if answer.probabilities else ["row", "prediction"]
    shown = [row[: len(columns)] for row in rows[:SHOWN_ROWS]]
    print_table(f"{answer.model}:{answer.version}", columns, shown, empty="no rows, no predictions")
    if len(rows) > SHOWN_ROWS:
        print(f"  ... and {len(rows) - SHOWN_ROWS} more rows; --json shows all")


def _rounded(chances: Any) -> str:
    if isinstance(chances, dict):
        return ", ".join(f"{name} {value:.4g}" for name, value in chances.items())
    return ", ".join(f"{value:.4g}" for value in chances or ())
