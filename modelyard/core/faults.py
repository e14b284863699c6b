"""What is wrong with a text that is no JSON, as our messages say it."""

import json

BEGIN = "it is empty, or does not begin as JSON does"


def json_fault(error: ValueError | RecursionError) -> str:
    """Return what the decoder missed and where, to stand after "is no JSON: "."""
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    if error.msg == "Expecting value" and not error.doc[: error.pos].strip():
        return BEGIN
    return fault_at(error.msg, error.lineno, error.colno)


def fault_at(missed: str, line: int | str, column: int | str) -> str:
    """Return the decoder's words in the form of ours."""
    said = missed.replace("Expecting", "expected")
    return f"{said[:1].lower()}{said[1:]} at line {line}, column {column}"
